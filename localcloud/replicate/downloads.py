"""Fetches the files of a model's waiting predictions before their turn, fairly between hosts.

Slow downloads go on in the background. They hold up neither the model nor other downloads.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

# A download is slow if it is older than so many seconds and has had fewer bytes a second. A
# recording of speech plays about as fast.
SLOW_SECONDS = 5.0
SLOW_BYTES = 8_000
# Downloads from one host at a time: those that are not slow, and all.
HOST_SLOTS = 2
HOST_DOWNLOADS = 50
# Predictions that have their files or quickly get them, while the model has something to do.
MAX_AHEAD = 8
# Bytes of all files at which no further download begins: while the model has something to do, and
# while it has nothing.
MAX_BYTES, MAX_BYTES_IDLE = 4 * 1024**3, 16 * 1024**3
# Downloads at a time, and how many of them are kept for hosts that have none. Each has a thread and
# two open files.
MAX_DOWNLOADS, SPARE_DOWNLOADS = 200, 50


@dataclass(frozen=True)
class _Download:
    host: str
    began: float
    task: asyncio.Task[None]


class Downloads:
    """The downloads of one model. The ids of predictions that have their files are in `fetched`.

    `fetch` gets the files of a prediction. `size` tells the bytes that have come for one, or for
    all (None). `changed` is called when there may be something to do; it gets the prediction
    whose download has ended, or None.
    """

    def __init__(
        self,
        fetch: Callable[[str], Coroutine[Any, Any, None]],
        size: Callable[[str | None], int],
        changed: Callable[[str | None], None],
    ) -> None:
        self.fetched: set[str] = set()
        self._fetch = fetch
        self._size = size
        self._changed = changed
        # The predictions without files, by host.
        self._waiting: dict[str, deque[str]] = {}
        self._running: dict[str, _Download] = {}

    @property
    def waiting(self) -> bool:
        """Whether there are files of which no download has begun."""
        return bool(self._waiting)

    def add(self, prediction_id: str, host: str) -> None:
        """Fetch the files of a prediction from that host when it is their turn."""
        self._waiting.setdefault(host, deque()).append(prediction_id)

    def drop(self, prediction_id: str, host: str) -> None:
        """Forget a prediction. Its download is stopped."""
        self.fetched.discard(prediction_id)
        if download := self._running.get(prediction_id):
            download.task.cancel()
        elif prediction_id in (names := self._waiting.get(host, deque())):
            names.remove(prediction_id)
            if not names:
                del self._waiting[host]

    def begin(self, *, idle: bool) -> None:
        """Begin what may run now. `idle` says that the model has nothing to do."""
        running = Counter(one.host for one in self._running.values())
        quick = Counter(
            one.host for name, one in self._running.items() if not self._is_slow(name, one)
        )
        if self._size(None) >= (MAX_BYTES_IDLE if idle else MAX_BYTES):
            return
        while len(self._running) < MAX_DOWNLOADS:
            if not idle and quick.total() + len(self.fetched) >= MAX_AHEAD:
                return
            few_left = len(self._running) >= MAX_DOWNLOADS - SPARE_DOWNLOADS
            most = 1 if few_left else HOST_DOWNLOADS
            free = [
                host for host in self._waiting if quick[host] < HOST_SLOTS and running[host] < most
            ]
            if not free:
                return
            host = min(free, key=lambda one: running[one])
            self._begin_one(host)
            running[host] += 1
            quick[host] += 1

    def stop(self) -> None:
        """Stop all downloads."""
        for download in self._running.values():
            download.task.cancel()

    def _begin_one(self, host: str) -> None:
        # The host goes to the end, so that hosts take turns.
        names = self._waiting.pop(host)
        name = names.popleft()
        if names:
            self._waiting[host] = names
        task = asyncio.create_task(self._fetch(name))
        self._running[name] = _Download(host, time.monotonic(), task)
        task.add_done_callback(functools.partial(self._ended, name))
        asyncio.get_running_loop().call_later(SLOW_SECONDS, self._changed, None)

    def _is_slow(self, name: str, download: _Download) -> bool:
        age = time.monotonic() - download.began
        return age >= SLOW_SECONDS and self._size(name) < age * SLOW_BYTES

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        if not task.cancelled() and task.exception() is None:
            self.fetched.add(name)
        self._changed(name)

"""Which requests share threads, and what is refused before it gets one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from .limits import MEBIBYTE

T = TypeVar("T")


class Busy(Exception):
    """Too many requests wait for the threads of a lane, or one has waited too long."""


@dataclass(frozen=True)
class Rule:
    """How one kind of requests is served.

    They have `threads` of their own, so that no other kind keeps them waiting. `waiting` more of
    them wait for a thread, for at most `patience` seconds. The rest are answered 503, to be sent
    again after `retry_after` seconds. A body has at most `max_body` bytes. A request with none of
    the headers `signed_by`, in lower case, is answered 401 before its body is read; an empty
    list asks for none. `machines`: they are answered in JSON whatever they accept.
    """

    name: str
    prefixes: Sequence[str]
    threads: int
    waiting: int
    patience: float = 10.0
    retry_after: int = 5
    max_body: int = 10 * MEBIBYTE
    signed_by: Sequence[str] = ()
    machines: bool = False


class Places:
    """A number of places, and of those who wait for one."""

    def __init__(self, places: int, waiting: int, patience: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._left = places + waiting
        self._patience = patience

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return self._left <= 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for the length of a `with` block. Raises Busy."""
        if self.full:
            raise Busy
        self._left -= 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await self._free.acquire()
            except TimeoutError:
                raise Busy from None
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._left += 1


class Lane:
    """The threads of the requests of one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.places = Places(rule.threads, rule.waiting, rule.patience)
        self._threads = ThreadPoolExecutor(rule.threads, thread_name_prefix=rule.name)

    async def call(self, function: Callable[[], T]) -> T:
        """What the function returns, called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


def lane_of(lanes: Sequence[Lane], path: str) -> Lane:
    """The first lane with a prefix that the path begins with."""
    return next(lane for lane in lanes if path.startswith(tuple(lane.rule.prefixes)))

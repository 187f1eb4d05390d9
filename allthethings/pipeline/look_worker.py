"""Looks at the things whose look is due, in the background.

Any number of workers may run: each look is claimed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.turns import Turns

log = logging.getLogger(__name__)

# Looks that are due, of which some are chosen in one step.
DUE = 2_000
# Looks that wait or are under way: in all, and of one host, so that a host with many of them leaves
# room for others.
LIMIT = 200
LIMIT_OF_HOST = 20
# Looks under way at a time, and those of one host.
THREADS = 6
PER_HOST = 2


class Looker(Protocol):
    """Looks at things, or at lists."""

    def due(self, limit: int) -> Sequence[tuple[str, str]]:
        """The ids of those whose look is due, each with the host that it asks."""

    def take(self, asset_id: str) -> None:
        """Look at one, unless another worker does."""


class LookWorker:
    """`step` is for one thread; the things are looked at in threads of its own."""

    def __init__(self, looks: Looker) -> None:
        self._looks = looks
        self._turns = Turns(THREADS, spare=0, per_host=PER_HOST)
        # By the id of the thing: its host, and its look.
        self._waiting: dict[str, tuple[str, Future[None]]] = {}

    def step(self) -> None:
        """Begin the looks that are due, and return without waiting for them. Raises
        ServiceUnavailable."""
        self._waiting = {key: each for key, each in self._waiting.items() if not each[1].done()}
        if len(self._waiting) >= LIMIT:
            return
        of_host = Counter(host for host, _ in self._waiting.values())
        for asset_id, host in self._looks.due(DUE):
            if asset_id in self._waiting or of_host[host] >= LIMIT_OF_HOST:
                continue
            of_host[host] += 1
            # Each is an asker of its own: what counts here are the hosts.
            look = self._turns.submit(asset_id, host, partial(self._take, asset_id))
            self._waiting[asset_id] = host, look
            if len(self._waiting) >= LIMIT:
                return

    @property
    def busy(self) -> bool:
        """Whether looks are under way, or wait for their turn."""
        # A copy: `step` may be at work in its own thread.
        return any(not look.done() for _, look in [*self._waiting.values()])

    def stop(self) -> None:
        """Begin nothing more."""
        self._turns.stop()

    def _take(self, asset_id: str) -> None:
        try:
            self._looks.take(asset_id)
        except ServiceUnavailable as error:  # it is due again when its claim ends
            log.warning("asset %s was not looked at: %s", asset_id, error)
        except Exception:
            log.exception("asset %s could not be looked at", asset_id)

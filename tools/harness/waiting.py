"""Wait for a condition in place of a sleep: for as long as something moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
Errors = type[Exception] | tuple[type[Exception], ...]
# Seconds in which something has to move. Many times what the slowest step takes, so that only
# what stands still fails, and not what runs on a busy machine.
PATIENCE = 120.0


def _nothing() -> None:
    """Progress that is never made: the wait fails after PATIENCE."""


def wait_for(
    find: Callable[[], Found | None],
    what: str,
    *,
    pause: float = 0.02,
    moved: Callable[[], object] = _nothing,
    despite: Errors = (),
) -> Found:
    """The first true value of `find`. Fails the test, naming `what`, when nothing moves.

    `pause` is in seconds, between two looks: longer for a look that costs the others time.
    `moved` tells how far things are, in any value that can be compared: as long as it changes
    within PATIENCE, the wait goes on. An error of `despite` counts as not yet.
    """
    before, deadline = moved(), time.monotonic() + PATIENCE
    while True:
        try:
            if found := find():
                return found
            why = ""
        except despite as error:
            why = f" ({error!r})"
        if time.monotonic() > deadline:
            now = moved()
            if now == before:
                raise AssertionError(f"nothing moved for {PATIENCE} s, and still not: {what}{why}")
            before, deadline = now, time.monotonic() + PATIENCE
        time.sleep(pause)

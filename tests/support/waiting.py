"""Wait for a condition, with a deadline, in place of a sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
Errors = type[Exception] | tuple[type[Exception], ...]


def wait_for(
    find: Callable[[], Found | None],
    what: str,
    seconds: float = 10.0,
    pause: float = 0.02,
    *,
    despite: Errors = (),
) -> Found:
    """The first true value of `find`; fails the test after `seconds`, saying what did not come.

    `pause` is in seconds, between two looks: longer for a look that costs the others time. An
    error of `despite` counts as not yet.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := find():
                return found
            why = ""
        except despite as error:
            why = f" ({error!r})"
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s there is still not: {what}{why}")
        time.sleep(pause)

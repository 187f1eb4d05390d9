"""How long and how much: the limits of one fetch, and the clock that runs against them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from .errors import TooSlow

MEBIBYTE = 1024 * 1024
# Bytes a second. A server that sends fewer for `Limits.stall` seconds has stalled.
SLOWEST = 1000


@dataclass(frozen=True)
class Limits:
    """The caps on one fetch, redirects included.

    `deadline` is in seconds on the wall clock, from the call to the last byte, looking up
    names and the time that a consumer of a stream takes included. `max_header_bytes` counts
    each answer's status line and headers as sent, interim answers included. `max_bytes`
    counts the body as sent, `max_decompressed_bytes` as it reads after gzip or deflate.
    `stall` is the number of seconds between two looks at the speed: the larger the size that the
    server told, the faster the content has to come.
    """

    deadline: float = 8.0
    max_redirects: int = 3
    max_header_bytes: int = 64 * 1024
    max_bytes: int = 10 * MEBIBYTE
    max_decompressed_bytes: int = 20 * MEBIBYTE
    stall: float = math.inf


class Deadline:
    """A moment on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, complaint: str) -> float:
        """Seconds left, more than none. Raises `passed(complaint)`."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed(complaint)
        return left

    def passed(self, complaint: str) -> TooSlow:
        """The error that says `complaint`, such as 'The server did not answer', and the time."""
        return TooSlow(f"{complaint} within {self._seconds:g} s")


class Pace:
    """Sees to it that in each `stall` seconds enough comes, from now on.

    Enough is SLOWEST bytes a second, and half of the pace that `expect` asks for.
    """

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._end = time.monotonic() + stall
        self._count = 0
        self._expected_since = 0.0
        self._expected_pace = 0.0
        self._total = 0

    def expect(self, size: int, seconds: float) -> None:
        """So many bytes are to come within so many seconds from now on."""
        self._expected_since = time.monotonic()
        self._expected_pace = size / seconds
        self._total = 0

    def came(self, count: int) -> None:
        """So many bytes more."""
        self._count += count
        self._total += count

    def left(self, complaint: str) -> float:
        """Seconds until it is looked at again. Raises TooSlow when too little came."""
        now = time.monotonic()
        if now >= self._end:
            late = self._total < self._expected_pace / 2 * (now - self._expected_since)
            if late or self._count < SLOWEST * self._stall:
                raise TooSlow(f"{complaint}: too little came within {self._stall:g} s")
            self._end, self._count = now + self._stall, 0
        return self._end - now


def readable_size(count: int) -> str:
    """A number of bytes for a person: 65536 is '64 KiB'."""
    if count < 1024:
        return f"{count} bytes"
    if count < MEBIBYTE:
        return f"{count / 1024:.3g} KiB"
    return f"{count / MEBIBYTE:.4g} MiB"

"""How long and how much: the bounds on the clients of one process."""

from __future__ import annotations

from dataclasses import dataclass

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE


@dataclass(frozen=True)
class Limits:
    """The bounds on the clients of one process. Times are in seconds.

    `connections` are open at once, `per_address` of them from one address; 0 is no bound of the
    second kind, for a server behind a proxy, where all connections come from the proxy.

    `headers` is from the first byte of a request (or the start of a connection) to the end of its
    headers, which have at most `header_bytes` together with the request line. `idle` is between
    two requests of a connection. A body, and each part of an answer, has `grace` and as long as
    it takes at `slowest` bytes a second.

    `held` bytes are kept at once of bodies and of answers that are not yet taken. Where that is not
    enough, clients that take longer than `grace` lose their connection; if there are none, bodies
    are refused for now. Answers are made in parts of at least `part` bytes: the next is made when
    the client has taken the one before. A body larger than `large` bytes gets a thread only when
    fewer than `large_at_once` such requests have one.
    """

    connections: int = 1_000
    per_address: int = 300
    headers: float = 10.0
    header_bytes: int = 32 * KIBIBYTE
    idle: float = 15.0
    grace: float = 10.0
    slowest: int = 16 * KIBIBYTE
    held: int = 64 * MEBIBYTE
    part: int = 128 * KIBIBYTE
    large: int = MEBIBYTE
    large_at_once: int = 2

    def seconds_for(self, size: int) -> float:
        """How long a client may take to send or to receive that many bytes."""
        return self.grace + size / self.slowest

"""The open connections of one process, and which of them gives way when there are too many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from .limits import Limits


class Connection(Protocol):
    """What is known of a connection here."""

    address: str

    def cut(self) -> None:
        """Close it at once, whatever it waits for."""


# When each began to wait, the first one first.
Queue = dict[Connection, float]


class Connections:
    """Keeps account of the connections, of who waits for whom, and of the bytes kept for clients.

    A connection is waiting while it is its client's turn: to send a request or its body, or to
    take an answer. Only a waiting connection can be cut, the one that has waited longest first.
    An honest client's turn takes milliseconds, so those that stall give way to those that do not.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        # The bytes that are kept for each open connection.
        self._open: dict[Connection, int] = {}
        self._open_of: dict[str, int] = {}
        self._waiting: Queue = {}
        self._waiting_of: dict[str, Queue] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; it is its client's turn. False when there is no room, since
        all the others are being answered."""
        address = connection.address
        most, own = self._limits.per_address, self._open_of.get(address, 0)
        if most and own >= most and not self._cut_first(self._waiting_of.get(address, {})):
            return False
        if len(self) >= self._limits.connections and not self._cut_first(self._waiting):
            return False
        self._open[connection] = 0
        self._open_of[address] = self._open_of.get(address, 0) + 1
        self.wait(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """The connection is closed."""
        if connection not in self._open:
            return
        self.answer(connection)
        self._bytes -= self._open.pop(connection)
        self._open_of[connection.address] -= 1
        if not self._open_of[connection.address]:
            del self._open_of[connection.address]

    def wait(self, connection: Connection) -> None:
        """It is the client's turn from now on, if it was not before."""
        if connection in self._open and connection not in self._waiting:
            self._waiting[connection] = self._clock()
            self._waiting_of.setdefault(connection.address, {})[connection] = self._clock()

    def answer(self, connection: Connection) -> None:
        """It is the server's turn from now on."""
        if connection in self._waiting:
            del self._waiting[connection]
            own = self._waiting_of[connection.address]
            del own[connection]
            if not own:
                del self._waiting_of[connection.address]

    def hold(self, connection: Connection, size: int, *, patience: float = 0.0) -> bool:
        """So many bytes are kept for this client.

        While it is too much in all, others are cut that have waited for more than `patience`
        seconds. False when there are none, and it still is too much.
        """
        if connection not in self._open:
            return True
        self._bytes += size - self._open[connection]
        self._open[connection] = size
        while self._bytes > self._limits.held:
            if not self._cut_first(self._holders(connection, self._clock() - patience)):
                return False
        return True

    def _holders(self, apart_from: Connection, since: float) -> Iterable[Connection]:
        """Those for whom bytes are kept, and who have waited since that moment."""
        for one, moment in self._waiting.items():
            if self._open[one] and one is not apart_from and moment <= since:
                yield one

    def _cut_first(self, candidates: Iterable[Connection]) -> bool:
        """Cut the first of them; False when there is none."""
        oldest = next(iter(candidates), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.cut()
        return True

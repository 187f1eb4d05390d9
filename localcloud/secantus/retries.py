# SPDX-License-Identifier: GPL-2.0-only
"""The answers to writes that a client may send again.

SecantusDB keeps the last 10,000 of them and looks through all twice in each write. MongoDB keeps
one for each session, that of its last write: a client retries a write before it sends another one
in the same session.
"""

from __future__ import annotations

import itertools
from typing import Any

from secantus.transactions import _is_recordable_reply

from localcloud.secantus.writes import Copies

Reply = dict[str, Any]

# Seconds for which an answer is kept, as in MongoDB.
LIFETIME = 30 * 60.0
# The most sessions with an answer. Clients that never end theirs cannot fill the memory.
MOST = 10_000
# What an answer tells of this attempt alone.
OF_THE_ATTEMPT = frozenset({"writeConcernError", "errorLabels"})


def retryable_reply(self: Any, session: bytes, number: int, identity: bytes) -> Reply | None:
    """The answer to the last write of the session, if this is the same one once more."""
    with self._lock:
        _forget_old(self)
        last, reply, _at, of = self._retryable.get(session, (None, {}, 0.0, b""))
        return Copies.deepcopy(reply) if (last, of) == (number, identity) else None


def record_retryable(self: Any, session: bytes, number: int, identity: bytes, reply: Reply) -> None:
    """Keep the answer to a write that succeeded. One that failed is done anew."""
    if not _is_recordable_reply(reply):
        return
    kept = {name: value for name, value in reply.items() if name not in OF_THE_ATTEMPT}
    with self._lock:
        # Each is the number of the write, the answer, its time, and the identity of the write.
        self._retryable.pop(session, None)  # so that the latest answer stands last
        self._retryable[session] = (number, Copies.deepcopy(kept), self._time(), identity)
        _forget_old(self)


def _forget_old(self: Any) -> None:
    """Forget what is too old, or too much. The oldest answer stands first. With it goes the number
    of the session's last write, which SecantusDB would keep for ever."""
    too_many, oldest = len(self._retryable) - MOST, self._time() - LIFETIME
    for session, (_number, _reply, at, _identity) in [
        *itertools.islice(self._retryable.items(), 2)
    ]:
        if at < oldest or too_many > 0:
            del self._retryable[session]
            if session not in self._txns:
                self._last_number.pop(session, None)
            too_many -= 1

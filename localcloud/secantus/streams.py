# SPDX-License-Identifier: GPL-2.0-only
"""Change streams that wait for changes of their own collection.

SecantusDB wakes every stream at each write of any collection. The stream then opens a session and
a cursor for each of 17 tables, of which 16 do not exist, decodes what was written since, and
answers that nothing was.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import bson
import wiredtiger
from secantus import storage

Document = dict[str, Any]
# Milliseconds that SecantusDB waits where the client does not tell how long.
DEFAULT_WAIT_MS = 1_000
# How the BSON of an entry begins whose first fields are its operation, one letter, and its
# namespace; and where the parts of that stand.
HEAD, NAME, LENGTH, TEXT = slice(4, 8), slice(14, 18), slice(18, 22), 22


class Tails:
    """The last entry of each namespace in the oplog. One serves any number of threads."""

    def __init__(self, store: Any) -> None:
        # Of a namespace without one of its own, any entry before this moment may be the last.
        self._start = int(store.oplog_tail_seq())
        self._of: dict[str, int] = {}
        self._lock = threading.Lock()
        # Whether all entries are in one table: SecantusDB in Rust writes several.
        self.one_table = not any(map(store._cursor_optional, storage._OPLOG_ALL_TABLES[:-1]))

    def note(self, entries: Sequence[Document], last: int) -> None:
        """Entries that were written, the last of them with this number."""
        with self._lock:
            for number, entry in enumerate(entries, last - len(entries) + 1):
                namespace = str(entry.get("ns", ""))
                self._of[namespace] = max(number, self._of.get(namespace, 0))

    def of(self, namespace: str) -> int:
        """The number after which there is no entry that a stream of the collection tells."""
        commands = namespace.partition(".")[0] + ".$cmd"
        of = self._of
        return max(of.get(namespace, self._start), of.get(commands, self._start))


def waits(stream: Any) -> bool:
    """Whether a cursor follows one collection, and has told all changes that it has read."""
    follows = stream.change_stream and stream.await_data and stream.collection_uuid is not None
    return bool(follows and not (stream.remaining or stream.invalidated or stream.dropped))


def await_change(
    store: Any, tails: Tails, stream: Any, seconds: float, is_open: Callable[[], bool]
) -> bool:
    """Wait until the stream has something to tell, or ends; whether that is so."""

    def is_there() -> bool:
        position = int(stream.position_seq)
        if stream.invalidated or stream.dropped or store._shutting_down or not is_open():
            return True
        is_visible = int(store.oplog_visible_tail_seq_nolock()) > position
        return is_visible and tails.of(str(stream.namespace)) > position

    with store._oplog_cv:
        return bool(store._oplog_cv.wait_for(is_there, seconds))


def read_oplog(
    store: Any, start: int, limit: int, wanted: Callable[[str], bool] | None
) -> tuple[list[tuple[int, Document]], int]:
    """The entries from a number on that are visible and whose namespace is wanted, and the number
    of the last that was looked at."""
    visible = store.oplog_visible_tail_seq()  # before the session, which then sees all up to it
    found, last = list[tuple[int, Document]](), start - 1
    if start > visible:
        return found, last
    with store._lock:
        if store._closed:
            return found, last
        with contextlib.closing(store._conn.open_session()) as session:
            cursor = session.open_cursor(storage._OPLOG_TABLE, None)
            for number in _numbers(cursor, start):
                if number > visible or len(found) == limit:
                    break
                last = number
                blob = bytes(cursor.get_value())
                if blob and (wanted is None or wanted(_namespace(blob))):
                    found.append((number, bson.decode(blob)))
    return found, last


def _numbers(cursor: Any, start: int) -> Iterator[int]:
    cursor.set_key(start)
    near = cursor.search_near()
    is_there = near >= 0 or (near != wiredtiger.WT_NOTFOUND and cursor.next() == 0)
    while is_there:
        yield int(cursor.get_key())
        is_there = cursor.next() == 0


def _namespace(blob: bytes) -> str:
    """The namespace in an entry."""
    if blob[HEAD] == b"\x02op\x00" and blob[NAME] == b"\x02ns\x00":
        length = int.from_bytes(blob[LENGTH], "little")
        return blob[TEXT : TEXT + length - 1].decode()
    return str(bson.decode(blob).get("ns", ""))

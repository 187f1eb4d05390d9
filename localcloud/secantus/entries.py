# SPDX-License-Identifier: GPL-2.0-only
"""Reading the keys of an index, by WiredTiger cursors with bounds.

WiredTiger's `next` takes about a microsecond; unpacking a key in Python takes five, and the fetch
of its document thirty. So counting unpacks nothing.

The caller holds the storage's lock, or the collection's for a write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

import wiredtiger
from secantus import deadline, storage

from localcloud.secantus.keys import Stretch
from localcloud.secantus.plans import ID_INDEX, Index, Plan

# Keys counted between two looks at the time limit of the command.
COUNTED_AT_ONCE = 10_000


class Reader:
    """Reads the indexes of one collection."""

    def __init__(self, store: Any, db: str, collection: str) -> None:
        self._store = store
        self._db = db
        self._collection = collection

    def count(self, plan: Plan, limit: int | None = None) -> int:
        """How many keys the plan's ranges hold, counted up to the limit."""
        total = 0
        for stretch in plan.stretches:
            steps = self._steps(plan.index, stretch, 0, reverse=False)
            while limit is None or total < limit:
                deadline.check()
                wanted = COUNTED_AT_ONCE if limit is None else min(COUNTED_AT_ONCE, limit - total)
                counted = sum(1 for _ in islice(steps, wanted))
                total += counted
                if counted < wanted:
                    break
        return total

    def first(self, index: Index, stretch: Stretch) -> tuple[bytes, int] | None:
        """The first key in a stretch of an index, without what all have in front, and its record
        id."""
        for _ in self._steps(index, stretch, 0, reverse=False):
            key = self._cursor(index, 0)._get_key()
            return key[len(self._head(index)) :], int.from_bytes(key[-8:], "big", signed=True)
        return None

    def record_ids(self, plan: Plan) -> Iterator[int]:
        """Of the keys in the plan's ranges, in its order if it has one."""
        order = plan.order
        reverse = order is not None and order.reverse
        streams = plan.streams
        read = [
            self._stream(plan.index, fixed, stretches, number, reverse)
            for number, (fixed, stretches) in enumerate(streams)
        ]
        if len(read) == 1:
            keys: Iterable[tuple[bytes, int]] = read[0]
        else:
            keys = merge(*read, key=itemgetter(0), reverse=reverse)
        # A document has two keys if it is given an array meanwhile.
        seen: set[int] = set()
        for _, record_id in keys:
            deadline.check()
            if record_id not in seen:
                seen.add(record_id)
                yield record_id

    def _stream(
        self, index: Index, fixed: int, stretches: Sequence[Stretch], number: int, reverse: bool
    ) -> Iterator[tuple[bytes, int]]:
        """The keys without their `fixed` first bytes, and the record ids."""
        cursor = self._cursor(index, number)
        skipped = len(self._head(index)) + fixed
        for stretch in reversed(stretches) if reverse else stretches:
            for _ in self._steps(index, stretch, number, reverse=reverse):
                key = cursor._get_key()
                if index is ID_INDEX:
                    yield key[skipped:], cursor.get_value()
                else:
                    yield key[skipped:], int.from_bytes(key[-8:], "big", signed=True)

    def _steps(
        self, index: Index, stretch: Stretch, number: int, *, reverse: bool
    ) -> Iterator[int]:
        """Moves the cursor from key to key. Each step is the 0 that WiredTiger returns."""
        cursor = self._cursor(index, number)
        low, high = (self._head(index) + edge for edge in stretch)
        cursor.reset()
        cursor._set_key(low)
        cursor.bound("action=set,bound=lower,inclusive=true")
        cursor._set_key(high)
        cursor.bound("action=set,bound=upper,inclusive=false")
        return iter(cursor.prev if reverse else cursor.next, wiredtiger.WT_NOTFOUND)

    def _cursor(self, index: Index, number: int) -> Any:
        """The session's cursor of that number: as many as are merged are open at once.

        SecantusDB resets and closes what it finds among the session's cursors.
        """
        session, cursors = self._store._session(), self._store._tls.cursors
        name = (f"{index.table}:range:{number}", True)
        if name not in cursors:
            cursors[name] = session.open_cursor(index.table, None, None)
        return cursors[name]

    def _head(self, index: Index) -> bytes:
        """What all keys of the index begin with in WiredTiger's table."""
        names = [self._db, self._collection, *([] if index is ID_INDEX else [index.name])]
        return b"".join(name.encode() + b"\x00" for name in names)

    def rows(self, record_ids: Iterable[int]) -> Iterator[tuple[int, bytes, bytes]]:
        """Record id, key of the `_id` and BSON of each document that is still there."""
        cursor = self._store._cursor_optional(storage._doc_table_for(self._db, self._collection))
        if cursor is None:
            return
        for record_id in record_ids:
            cursor.reset()
            cursor.set_key(self._db, self._collection, record_id)
            if cursor.search() == 0:
                yield record_id, *storage._unframe_doc_value(bytes(cursor.get_value()))

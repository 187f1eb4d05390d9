# SPDX-License-Identifier: GPL-2.0-only
"""The catalog of collections and their indexes, kept in memory.

SecantusDB reads and decodes the entries of a collection's indexes six times for each write, and
once more to plan it; the options of the collection as often. They are kept here from a read of what
is committed, and forgotten with each change. While a change is under way nothing is kept, and
whoever asks reads for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import bson
import wiredtiger
from secantus import storage

# Name, key and options of an index.
Entry = tuple[str, dict[str, Any], dict[str, Any]]
Kept = TypeVar("Kept")
# The methods of SecantusDB's storage that change the catalog.
CHANGES = (
    *("create_index", "drop_index", "drop_all_indexes", "set_index_expiry", "set_index_options"),
    *("drop_collection", "drop_database", "rename_collection", "commit_user_transaction"),
    *("create_collection", "set_collection_options"),
)


class Profiles:
    """The settings of the profiler of each database of one storage, `of` its name."""

    def __init__(self, _store: Any) -> None:
        self.of: dict[str, dict[str, Any]] = {}


class Catalog:
    """The collections of one storage. One serves any number of threads."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._indexes: dict[tuple[str, str], list[Entry]] = {}
        self._options: dict[tuple[str, str], dict[str, Any]] = {}
        # Changes under way, and how often the catalog has changed.
        self._changing = 0
        self._version = 0

    def entries(self, db: str, coll: str) -> list[Entry] | None:
        """The indexes of a collection, but that of `_id`; None if the caller has to read them."""
        return self._look_up(self._indexes, self._read_indexes, db, coll)

    def options(self, db: str, coll: str) -> dict[str, Any] | None:
        """The options of a collection that has its uuid, as they are stored; None if the caller
        has to read them. Without one it may be about to get one."""
        return self._look_up(self._options, self._read_options, db, coll)

    def _look_up(
        self,
        kept: dict[tuple[str, str], Kept],
        read: Callable[[str, str], Kept | None],
        db: str,
        coll: str,
    ) -> Kept | None:
        known = kept.get((db, coll))
        if known is not None:
            return known
        with self._lock:
            version = self._version
            if self._changing:
                return None
        found = read(db, coll)
        if found is None:
            return None
        with self._lock:
            if self._changing or self._version != version:
                return None
            kept[db, coll] = found
        return found

    def begin_change(self) -> None:
        """Forget everything, and keep nothing until `end_change`."""
        with self._lock:
            self._changing += 1
            self._indexes.clear()
            self._options.clear()

    def end_change(self) -> None:
        """Call it when what was changed is committed or undone."""
        with self._lock:
            self._changing -= 1
            self._version += 1

    def _read_indexes(self, db: str, coll: str) -> list[Entry]:
        with self._committed(storage._IDX_TABLE) as cursor:
            found = list[Entry]()
            if cursor is None:
                return found
            cursor.set_key(db, coll, "")
            near = cursor.search_near()
            is_there = near > 0 or (near != wiredtiger.WT_NOTFOUND and cursor.next() == 0)
            while is_there:
                database, collection, name = cursor.get_key()
                if (database, collection) != (db, coll):
                    break
                payload = bson.decode(bytes(cursor.get_value()))
                found.append((name, payload.get("key", {}), payload.get("options", {})))
                is_there = cursor.next() == 0
            return found

    def _read_options(self, db: str, coll: str) -> dict[str, Any] | None:
        with self._committed(storage._COLL_TABLE) as cursor:
            if cursor is None:
                return None
            cursor.set_key(db, coll)
            blob = bytes(cursor.get_value()) if cursor.search() == 0 else b""
        options = bson.decode(blob) if blob else {}
        return options if "uuid" in options else None

    @contextmanager
    def _committed(self, table: str) -> Iterator[Any]:
        """A cursor of what is committed: the thread's own session may see an older state. None
        once the storage is closed."""
        with self._store._lock:
            session = None if self._store._closed else self._store._conn.open_session()
        if session is None:
            yield None
            return
        try:
            yield session.open_cursor(table, None)
        finally:
            session.close()

# SPDX-License-Identifier: GPL-2.0-only
"""The catalog of indexes, kept in memory.

SecantusDB reads and decodes the entries of a collection's indexes six times for each write, and
once more to plan it. They are kept here from a read of what is committed, and forgotten with each
change. While a change is under way nothing is kept, and whoever asks reads for itself.
"""

from __future__ import annotations

import threading
from typing import Any

import bson
import wiredtiger
from secantus import storage

# Name, key and options of an index.
Entry = tuple[str, dict[str, Any], dict[str, Any]]
# The methods of SecantusDB's storage that change the catalog.
CHANGES = (
    *("create_index", "drop_index", "drop_all_indexes", "set_index_expiry", "set_index_options"),
    *("drop_collection", "drop_database", "rename_collection", "commit_user_transaction"),
)


class Catalog:
    """The indexes of all collections of one storage. One serves any number of threads."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], list[Entry]] = {}
        # Changes under way, and how often the catalog has changed.
        self._changing = 0
        self._version = 0

    def entries(self, db: str, coll: str) -> list[Entry] | None:
        """The indexes of a collection, but that of `_id`; None if the caller has to read them."""
        known = self._known.get((db, coll))
        if known is not None:
            return known
        with self._lock:
            version = self._version
            if self._changing:
                return None
        found = self._read(db, coll)
        with self._lock:
            if self._changing or self._version != version:
                return None
            self._known[db, coll] = found
        return found

    def begin_change(self) -> None:
        """Forget everything, and keep nothing until `end_change`."""
        with self._lock:
            self._changing += 1
            self._known = {}

    def end_change(self) -> None:
        """Call it when what was changed is committed or undone."""
        with self._lock:
            self._changing -= 1
            self._version += 1

    def _read(self, db: str, coll: str) -> list[Entry]:
        """What is committed: the thread's own session may see an older state."""
        with self._store._lock:
            if self._store._closed:
                return []
            session = self._store._conn.open_session()
        try:
            cursor = session.open_cursor(storage._IDX_TABLE, None)
            cursor.set_key(db, coll, "")
            near = cursor.search_near()
            is_there = near > 0 or (near != wiredtiger.WT_NOTFOUND and cursor.next() == 0)
            found = list[Entry]()
            while is_there:
                database, collection, name = cursor.get_key()
                if (database, collection) != (db, coll):
                    break
                payload = bson.decode(bytes(cursor.get_value()))
                found.append((name, payload.get("key", {}), payload.get("options", {})))
                is_there = cursor.next() == 0
            return found
        finally:
            session.close()

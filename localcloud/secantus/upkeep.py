# SPDX-License-Identifier: GPL-2.0-only
"""What SecantusDB reads for itself: at its start, and when it shortens the oplog.

At each start it reads every document to find the newest. In the write with which entries are too
old it deletes all of those, which after a night's rest are those of the busiest hour before.
"""

from __future__ import annotations

from typing import Any

import wiredtiger
from secantus import storage

# Entries that one write deletes at most. SecantusDB looks for old ones every 1,000 entries, so the
# oplog still gets shorter.
MOST_PRUNED = 2_000


def newest_record(store: Any) -> int:
    """The largest record id of all documents, 0 if there are none. In the documents' tables each
    collection ends with its newest."""
    newest = 0
    for shard in range(storage._DOC_SHARDS):
        cursor = store._cursor_optional(storage._doc_shard_name(shard))
        is_there = cursor is not None and cursor.prev() == 0
        while is_there:
            db, collection, number = cursor.get_key()
            newest = max(newest, int(number))
            is_there = _before(cursor, db, collection)
    return newest


def _before(cursor: Any, db: str, collection: str) -> bool:
    """Move to the last document before those of the collection; whether there is one."""
    cursor.set_key(db, collection, storage._INT64_MIN)
    near = int(cursor.search_near())
    if near == wiredtiger.WT_NOTFOUND:
        return False
    return near < 0 or cursor.prev() == 0

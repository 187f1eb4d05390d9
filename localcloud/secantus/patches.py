# SPDX-License-Identifier: GPL-2.0-only
"""Where SecantusDB asks for documents and counts, it asks `queries` first.

Each function here has the name of the one it replaces and calls it when there is no plan. They
were written for one version of SecantusDB and are applied to no other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from secantus import commands
from secantus.projection import apply_projection_batch
from secantus.storage import Storage

from localcloud.secantus import counts
from localcloud.secantus.filters import Filter, Unplannable
from localcloud.secantus.plans import Sort
from localcloud.secantus.queries import Document, Queries, Row

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

# The SecantusDB that these functions were written for.
VERSION = "0.7.0b3"
# Databases whose collections SecantusDB makes up or keeps apart.
SYSTEM_DATABASES = ("admin", "config", "local")

_find_matching = Storage.find_matching
_count_matching = Storage.count_matching
_candidates_iter = Storage._candidates_iter
_update_matching_single_txn = Storage._update_matching_single_txn
_delete_matching_single_txn = Storage._delete_matching_single_txn
_aggregate: Callable[[Document, Any], Document] = commands._HANDLERS["aggregate"]

# Whether the thread's current write ends with its first document: `only_first`.
_write = threading.local()


def apply() -> None:
    """Replace the functions of the SecantusDB that is loaded in this process."""
    Storage.find_matching = find_matching
    Storage.count_matching = count_matching
    Storage._candidates_iter = candidates_iter
    Storage._update_matching_single_txn = update_matching_single_txn
    Storage._delete_matching_single_txn = delete_matching_single_txn
    commands._HANDLERS["aggregate"] = aggregate


def find_matching(
    self: Any,
    db: str,
    coll: str,
    filter: Filter | None = None,
    *,
    skip: int = 0,
    limit: int = 0,
    sort: Mapping[str, Any] | None = None,
    projection: Mapping[str, Any] | None = None,
    **others: Any,
) -> list[Document]:
    """SecantusDB plans no filter with `$and` or `$or`, fetches what the index of one field or
    a pinned prefix finds, or everything, and sorts and limits after that."""
    query, order = filter or {}, _sort(sort)
    unusual = any(value for name, value in others.items() if name != "let")
    if not unusual and order is not None and limit >= 0 and _is_plain(self, db, coll):
        self._refresh_read_snapshot()
        documents = _planned(lambda: Queries(self, db, coll).find(query, order, skip, limit))
        if documents is not None:
            return _projected(self, db, coll, documents, query, sort, projection)
    return _find_matching(  # type: ignore[no-any-return]
        self, db, coll, filter, skip=skip, limit=limit, sort=sort, projection=projection, **others
    )


def count_matching(
    self: Any,
    db: str,
    coll: str,
    filter: Filter | None = None,
    **others: Any,
) -> int:
    """SecantusDB decodes every document of the collection."""
    counted = None if others.get("collation") else _count(self, db, coll, filter or {}, None)
    if counted is not None:
        return counted
    return _count_matching(self, db, coll, filter, **others)  # type: ignore[no-any-return]


def candidates_iter(self: Any, db: str, coll: str, filter: Filter | None) -> list[Row]:
    """SecantusDB plans no filter with `$and`, as findAndModify writes it, and fetches all that
    the index finds even if the first document that matches ends the write."""
    if filter and _is_plain(self, db, coll):
        only_first = getattr(_write, "only_first", False)
        queries = Queries(self, db, coll)
        rows = _planned(lambda: queries.candidates(filter, only_first=only_first))
        if rows is not None:
            return rows
    return _candidates_iter(self, db, coll, filter)  # type: ignore[no-any-return]


def update_matching_single_txn(self: Any, *args: Any, multi: bool = False, **others: Any) -> Any:
    """Tells `candidates_iter` how many documents are written."""
    _write.only_first = not multi
    try:
        return _update_matching_single_txn(self, *args, multi=multi, **others)
    finally:
        _write.only_first = False


def delete_matching_single_txn(self: Any, *args: Any, limit: int = 0, **others: Any) -> Any:
    """Tells `candidates_iter` how many documents are deleted."""
    _write.only_first = limit == 1
    try:
        return _delete_matching_single_txn(self, *args, limit=limit, **others)
    finally:
        _write.only_first = False


def aggregate(doc: Document, ctx: Any) -> Document:
    """Drivers count by `$match`, `$skip`, `$limit` and `$group`; SecantusDB fetches all that
    match and passes them from stage to stage."""
    wanted = counts.read(doc)
    if wanted is None:
        return _aggregate(doc, ctx)
    db = ctx.db_name
    counted = _count(ctx.storage, db, wanted.collection, wanted.query, wanted.end)
    return _aggregate(doc, ctx) if counted is None else wanted.reply(db, counted)


def _count(store: Any, db: str, coll: str, query: Filter, limit: int | None) -> int | None:
    if not _is_plain(store, db, coll):
        return None
    store._refresh_read_snapshot()
    return _planned(lambda: Queries(store, db, coll).count(query, limit))


def _planned(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except Unplannable as reason:
        log.debug("not planned: %s", reason)
        return None


def _is_plain(store: Any, db: str, coll: str) -> bool:
    """Whether it is a stored collection of ordinary documents, each with one `_id`."""
    if db in SYSTEM_DATABASES or coll.startswith("system."):
        return False
    with store._lock:
        options = store._coll_options(db, coll) or {}
    return "timeseries" not in options and "viewOn" not in options


def _sort(sort: Mapping[str, Any] | None) -> Sort | None:
    """None if it is not by fields alone."""
    fields = list((sort or {}).items())
    plain = all(not field.startswith("$") and turn in (1, -1) for field, turn in fields)
    return fields if plain else None


def _projected(
    store: Any,
    db: str,
    coll: str,
    documents: list[Document],
    query: Filter,
    sort: Mapping[str, Any] | None,
    projection: Mapping[str, Any] | None,
) -> list[Document]:
    if not projection:
        return documents
    metas = store._projection_metas(db, coll, documents, projection, query, sort, None, None)
    return list(
        apply_projection_batch(documents, projection, query, metas=metas, has_sort=bool(sort))
    )

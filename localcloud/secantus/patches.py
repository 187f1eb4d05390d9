# SPDX-License-Identifier: GPL-2.0-only
"""Where SecantusDB asks for documents and counts, it asks `queries` first.

Each function here has the name of the one it replaces and calls it when there is no plan. They
were written for one version of SecantusDB and are applied to no other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from typing import Any, TypeVar

from secantus import commands, projection, update
from secantus.projection import apply_projection_batch
from secantus.storage import Storage
from secantus.transactions import TransactionRegistry

from localcloud.secantus import counts, retries, streams, upkeep, writes
from localcloud.secantus.catalog import CHANGES, Catalog, Entry, Profiles
from localcloud.secantus.filters import Filter, Unplannable
from localcloud.secantus.plans import Sort
from localcloud.secantus.queries import Document, Queries, Row
from localcloud.secantus.streams import Tails

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Kept = TypeVar("Kept")

# The SecantusDB that these functions were written for.
VERSION = "0.7.0b3"
# Databases whose collections SecantusDB makes up or keeps apart.
SYSTEM_DATABASES = ("admin", "config", "local")

_find_matching = Storage.find_matching
_count_matching = Storage.count_matching
_candidates_iter = Storage._candidates_iter
_update_matching_single_txn = Storage._update_matching_single_txn
_delete_matching_single_txn = Storage._delete_matching_single_txn
_update_chunk = Storage._update_chunk
_iter_indexes = Storage._iter_indexes
_coll_options = Storage._coll_options
_get_profile = Storage.get_profile
_set_profile = Storage.set_profile
_maybe_mark_multikey = Storage._maybe_mark_multikey
_batch_transaction = Storage._batch_transaction
_delete_index_entries = Storage._delete_index_entries
_write_index_entries = Storage._write_index_entries
_enforce_capped_bounds_locked = Storage._enforce_capped_bounds_locked
_emit_oplog = Storage._emit_oplog
_read_oplog_scan = Storage.read_oplog_scan
_iter_oplog_oldest = Storage._iter_oplog_oldest
_aggregate: Callable[[Document, Any], Document] = commands._HANDLERS["aggregate"]
_get_more: Callable[[Document, Any], Document] = commands._HANDLERS["getMore"]
_kill_cursors: Callable[[Document, Any], Document] = commands._HANDLERS["killCursors"]


class _Write(threading.local):
    """The thread's current write: whether it ends with its first document, whether it updates
    documents, and the state before of the one whose index entries are about to be replaced."""

    only_first = False
    updates = False
    before: Document | None = None
    # Whether it changes the catalog of indexes.
    changes_catalog = False


_write = _Write()


def apply() -> None:
    """Replace the functions of the SecantusDB that is loaded in this process."""
    Storage.find_matching = find_matching
    Storage.count_matching = count_matching
    Storage._candidates_iter = candidates_iter
    Storage._update_matching_single_txn = update_matching_single_txn
    Storage._delete_matching_single_txn = delete_matching_single_txn
    Storage._update_chunk = update_chunk
    Storage._iter_indexes = iter_indexes
    Storage._coll_options = coll_options
    Storage.get_profile = get_profile
    Storage.set_profile = set_profile
    Storage._maybe_mark_multikey = maybe_mark_multikey
    Storage._batch_transaction = batch_transaction
    Storage._delete_index_entries = delete_index_entries
    Storage._write_index_entries = write_index_entries
    Storage._enforce_capped_bounds_locked = enforce_capped_bounds_locked
    Storage._emit_oplog = emit_oplog
    Storage.read_oplog_scan = read_oplog_scan
    Storage._iter_oplog_oldest = iter_oplog_oldest
    Storage._scan_max_nat_seq = upkeep.newest_record
    for name in CHANGES:
        setattr(Storage, name, _changing_catalog(getattr(Storage, name)))
    update.copy = projection.copy = writes.Copies
    TransactionRegistry.retryable_reply = retries.retryable_reply
    TransactionRegistry.record_retryable = retries.record_retryable
    commands._HANDLERS["aggregate"] = aggregate
    commands._HANDLERS["getMore"] = get_more
    commands._HANDLERS["killCursors"] = kill_cursors


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
        queries = Queries(self, db, coll)
        rows = _planned(lambda: queries.candidates(filter, only_first=_write.only_first))
        if rows is not None:
            return rows
    return _candidates_iter(self, db, coll, filter)  # type: ignore[no-any-return]


def update_matching_single_txn(self: Any, *args: Any, multi: bool = False, **others: Any) -> Any:
    """Tells `candidates_iter` how many documents are written."""
    _write.only_first, _write.updates = not multi, True
    try:
        return _update_matching_single_txn(self, *args, multi=multi, **others)
    finally:
        _write.only_first = _write.updates = False
        _write.before = None


def update_chunk(self: Any, *args: Any, **others: Any) -> Any:
    """Tells `delete_index_entries` that documents are updated."""
    _write.updates = True
    try:
        return _update_chunk(self, *args, **others)
    finally:
        _write.updates = False
        _write.before = None


def delete_index_entries(
    self: Any, db: str, coll: str, doc: Document, indexes: Any, *args: Any, recordid: int
) -> None:
    """An update deletes when it knows what it writes."""
    if _write.updates:
        _write.before = doc
    else:
        _delete_index_entries(self, db, coll, doc, indexes, *args, recordid=recordid)


def write_index_entries(
    self: Any,
    db: str,
    coll: str,
    doc: Document,
    indexes: Any,
    partials: Mapping[str, Any] | None = None,
    *,
    recordid: int,
) -> None:
    """SecantusDB replaces all entries of a document that is updated."""
    before, _write.before = _write.before, None
    if before is not None:
        if partials is None:
            partials = self._partial_filters(db, coll)
        indexes = writes.changed(indexes, partials, before, doc)
        _delete_index_entries(self, db, coll, before, indexes, partials, recordid=recordid)
    _write_index_entries(self, db, coll, doc, indexes, partials, recordid=recordid)


def enforce_capped_bounds_locked(self: Any, *args: Any) -> Any:
    """What this deletes is not what is updated."""
    updates, _write.updates = _write.updates, False
    try:
        return _enforce_capped_bounds_locked(self, *args)
    finally:
        _write.updates = updates


def iter_indexes(self: Any, db: str, coll: str) -> Iterable[Entry]:
    """SecantusDB reads and decodes the catalog each time."""
    inside = getattr(self._tls, "user_txn", None) is not None
    entries = None if inside else _kept(self, Catalog).entries(db, coll)
    if entries is None:
        return _iter_indexes(self, db, coll)  # type: ignore[no-any-return]
    return [(name, dict(key), dict(options)) for name, key, options in entries]


def coll_options(self: Any, db: str, coll: str) -> Document | None:
    """SecantusDB reads and decodes them each time."""
    inside = getattr(self._tls, "user_txn", None) is not None
    known = None if inside else _kept(self, Catalog).options(db, coll)
    if known is None:
        return _coll_options(self, db, coll)  # type: ignore[no-any-return]
    return dict(known)


def get_profile(self: Any, db: str) -> Document:
    """SecantusDB reads the profiler's settings after each command."""
    kept = _kept(self, Profiles).of
    if db not in kept:
        with self._lock:
            kept[db] = _get_profile(self, db)
    return dict(kept[db])


def set_profile(self: Any, db: str, **settings: Any) -> None:
    """Keeps what was set, once it is stored."""
    with self._lock:
        _set_profile(self, db, **settings)
        _kept(self, Profiles).of[db] = _get_profile(self, db)


def maybe_mark_multikey(
    self: Any, db: str, coll: str, doc: Document, indexes: Any, already_multikey: set[str]
) -> Any:
    """A mark changes the catalog when its transaction ends."""
    marked = len(already_multikey)
    after = _maybe_mark_multikey(self, db, coll, doc, indexes, already_multikey)
    if len(after) > marked and not _write.changes_catalog:
        _write.changes_catalog = True
        _kept(self, Catalog).begin_change()
    return after


@contextmanager
def batch_transaction(self: Any, **options: Any) -> Iterator[Any]:
    """Lets the catalog be kept again, after a transaction that has changed it."""
    try:
        with _batch_transaction(self, **options) as session:
            yield session
    finally:
        if _write.changes_catalog and getattr(self._tls, "user_txn", None) is None:
            _write.changes_catalog = False
            _kept(self, Catalog).end_change()


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
    store, db = ctx.storage, ctx.db_name
    if isinstance(wanted, counts.Groups):
        grouped = _grouped(store, db, wanted)
        return _aggregate(doc, ctx) if grouped is None else wanted.reply(db, grouped)
    counted = _count(store, db, wanted.collection, wanted.query, wanted.end)
    return _aggregate(doc, ctx) if counted is None else wanted.reply(db, counted)


def emit_oplog(self: Any, entries: Any, *args: Any) -> int:
    """Notes which collections the entries concern, and wakes their streams."""
    last = int(_emit_oplog(self, entries, *args))
    if last:
        _kept(self, Tails).note(entries, last)
        if not getattr(self._tls, "defer_minted", False):  # else the commit wakes them
            with self._oplog_cv:
                self._oplog_cv.notify_all()
    return last


def read_oplog_scan(
    self: Any, *, start_seq: int, limit: int, ns_filter: Callable[[str], bool] | None = None
) -> Any:
    """SecantusDB opens 17 tables, of which its version in Rust writes 16, and decodes all
    entries."""
    if _kept(self, Tails).one_table:
        return streams.read_oplog(self, start_seq, limit, ns_filter)
    return _read_oplog_scan(self, start_seq=start_seq, limit=limit, ns_filter=ns_filter)


def iter_oplog_oldest(self: Any, session: Any) -> Iterator[tuple[int, Document, str]]:
    """The entries of which SecantusDB deletes those that are too old."""
    return islice(_iter_oplog_oldest(self, session), upkeep.MOST_PRUNED)


def get_more(doc: Document, ctx: Any) -> Document:
    """SecantusDB wakes every stream at each write, and answers that its collection has none."""
    known = ctx.cursors._cursors
    stream = known.get(doc["getMore"]) if isinstance(doc["getMore"], int) else None
    wait = doc.get("maxTimeMS", streams.DEFAULT_WAIT_MS)
    if stream is not None and isinstance(wait, int) and wait > 0 and streams.waits(stream):
        tails = _kept(ctx.storage, Tails)

        def is_open() -> bool:
            return known.get(doc["getMore"]) is stream

        if not streams.await_change(ctx.storage, tails, stream, wait / 1000, is_open):
            doc = {**doc, "maxTimeMS": 0}  # it has waited
    return _get_more(doc, ctx)


def kill_cursors(doc: Document, ctx: Any) -> Document:
    """SecantusDB lets a killed stream wait for its change to the end."""
    answer = _kill_cursors(doc, ctx)
    with ctx.storage._oplog_cv:
        ctx.storage._oplog_cv.notify_all()
    return answer


def _kept(store: Any, kind: Callable[[Any], Kept]) -> Kept:
    """What is kept of that kind for a storage."""
    found: Kept | None = store.__dict__.get(kind.__name__)
    return found or store.__dict__.setdefault(kind.__name__, kind(store))


def _changing_catalog(change: Callable[..., Answer]) -> Callable[..., Answer]:
    """The method of the storage, during which no catalog is kept."""

    @wraps(change)
    def changing(self: Any, *args: Any, **options: Any) -> Answer:
        catalog = _kept(self, Catalog)
        catalog.begin_change()
        try:
            return change(self, *args, **options)
        finally:
            catalog.end_change()

    return changing


def _count(store: Any, db: str, coll: str, query: Filter, limit: int | None) -> int | None:
    if not _is_plain(store, db, coll):
        return None
    store._refresh_read_snapshot()
    return _planned(lambda: Queries(store, db, coll).count(query, limit))


def _grouped(store: Any, db: str, wanted: counts.Groups) -> list[tuple[Document, int]] | None:
    if not _is_plain(store, db, wanted.collection):
        return None
    store._refresh_read_snapshot()
    fields = wanted.fields.values()
    return _planned(lambda: Queries(store, db, wanted.collection).groups(wanted.query, fields))


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

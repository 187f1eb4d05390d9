# SPDX-License-Identifier: GPL-2.0-only
"""Finding, counting and choosing candidates for writes by way of indexes.

Each method returns None where SecantusDB's own way is the only one, or is no slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import bson
from secantus import deadline
from secantus.ordering import sort_docs
from secantus.paths import get_path
from secantus.query import matches

from localcloud.secantus.entries import Reader
from localcloud.secantus.filters import Conjunction, Filter, Unplannable, parse
from localcloud.secantus.plans import ID_INDEX, Index, Plan, Sort, index_of, narrows, plan

Document = dict[str, Any]
# Record id, key of the `_id`, and BSON of a document.
Row = tuple[int, bytes, bytes]

# A plan that reads fewer keys than this is good enough, in whichever order.
FEW_KEYS = 1_000
# Documents that are fetched while the storage's lock is held once.
FETCHED_AT_ONCE = 64


class Queries:
    """The queries of one command on one collection."""

    def __init__(self, store: Any, db: str, collection: str) -> None:
        self._store = store
        self._names = (db, collection)
        self._reader = Reader(store, db, collection)

    def find(self, query: Filter, sort: Sort, skip: int, limit: int) -> list[Document] | None:
        """The documents, sorted; a limit of 0 is none."""
        end = skip + limit if limit else None
        with self._store._lock:
            plans = self._plans(parse(query), sort, stops_early=limit > 0)
        if not plans and (sort or not limit):
            return None
        if not plans:
            scanned = self._matching(self._store._scan_docs(*self._names), query, limit)
            return list(islice(scanned, skip, end))
        order = plans[0].order if len(plans) == 1 else None
        with self._store._lock:
            record_ids = self._record_ids(plans)
            if not limit and not (sort and order):
                record_ids = iter(sorted(record_ids))
        if skip and plans[0].exact and order and not order.unsorted_strings:
            record_ids, skip, end = islice(record_ids, skip, None), 0, limit or None
        found = self._documents(record_ids, plans, query, limit)
        if sort and not order:
            return list(sort_docs(list(found), dict(sort))[skip:end])
        return list(islice(found, skip, end))

    def count(self, query: Filter, limit: int | None) -> int | None:
        """How many documents match, counted up to the limit."""
        question = parse(query)
        with self._store._lock:
            for index in self._all_indexes():
                candidate = plan(index, question, ())
                if candidate.exact:
                    return self._reader.count(candidate, limit)
            plans = self._plans(question, (), stops_early=False)
        if not plans:
            return None
        found = self._documents(self._record_ids(plans), plans, query)
        return sum(1 for _ in islice(found, limit))

    def candidates(self, query: Filter, *, only_first: bool) -> list[Row] | None:
        """Rows of all documents that match, and maybe of others. `only_first`: one that matches.

        The caller holds the collection's lock.
        """
        plans = self._plans(parse(query), (), stops_early=only_first)
        if not plans and not only_first:
            return None
        rows: Iterable[Row] = (
            self._reader.rows(self._record_ids(plans))
            if plans
            else self._store._scan_docs(*self._names)
        )
        if only_first:
            matching = (row for row in _watched(rows) if matches(bson.decode(row[2]), query))
            return list(islice(matching, 1))
        return sorted(rows)

    def _plans(self, question: Conjunction, sort: Sort, *, stops_early: bool) -> Sequence[Plan]:
        """The best plan; or, for an `$or` whose branches need different indexes, one of each.
        None at all if all documents would have to be looked at."""
        best = self._best_plan(question, sort, stops_early)
        if best is not None:
            return [best]
        branches = question.alternatives()
        plans = [self._best_plan(each, (), False) for each in branches] if len(branches) > 1 else []
        found = [each for each in plans if each is not None]
        return found if len(found) == len(plans) else []

    def _best_plan(self, question: Conjunction, sort: Sort, stops_early: bool) -> Plan | None:
        by_id = plan(ID_INDEX, question, sort)
        if all(high == low + b"\x00" for low, high in by_id.stretches):
            return by_id
        sorts_early = bool(sort) and stops_early
        plans = [plan(index, question, sort) for index in self._all_indexes()]
        useful = [each for each in plans if narrows(each) or (sorts_early and each.order)]
        if len(useful) < 2:
            return next(iter(useful), None)
        for each in useful:
            if each.exact and (each.order or not sorts_early):
                return each

        def cost(each: Plan) -> tuple[int, bool, bool]:
            keys = self._reader.count(each, FEW_KEYS)
            return keys, sorts_early and each.order is None, not narrows(each)

        return min(useful, key=cost)

    def _all_indexes(self) -> Iterator[Index]:
        yield ID_INDEX
        yield from self._indexes

    @cached_property
    def _indexes(self) -> list[Index]:
        catalog = self._store._iter_indexes(*self._names)
        found = [index_of(name, key, options) for name, key, options in catalog]
        return [index for index in found if index is not None]

    def _record_ids(self, plans: Sequence[Plan]) -> Iterator[int]:
        if len(plans) == 1:
            return self._reader.record_ids(plans[0])
        return iter(sorted({each for one in plans for each in self._reader.record_ids(one)}))

    def _documents(
        self, record_ids: Iterable[int], plans: Sequence[Plan], query: Filter, at_once: int = 0
    ) -> Iterator[Document]:
        """Those of the record ids that match. Raises Unplannable when the index turns out not to
        have the order of its plan."""
        rows = self._reader.rows(record_ids)
        if len(plans) == 1 and plans[0].index is ID_INDEX and plans[0].exact:
            return self._decoded(rows, at_once)  # no write changes an `_id`
        order = plans[0].order if len(plans) == 1 else None
        return self._matching(rows, query, at_once, order.unsorted_strings if order else ())

    def _matching(
        self, rows: Iterable[Row], query: Filter, at_once: int, unsorted_strings: Sequence[str] = ()
    ) -> Iterator[Document]:
        for document in self._decoded(rows, at_once):
            for field in unsorted_strings:
                if isinstance(get_path(document, field), str | bson.Regex):
                    raise Unplannable(f"strings in {field}, descending")
            if matches(document, query):
                yield document

    def _decoded(self, rows: Iterable[Row], at_once: int) -> Iterator[Document]:
        """Fetches some under the storage's lock, then decodes them without it."""
        many = min(at_once or FETCHED_AT_ONCE, FETCHED_AT_ONCE)
        iterator = _watched(rows)
        while True:
            with self._store._lock:
                some = list(islice(iterator, many))
            for _, _, blob in some:
                yield bson.decode(blob)
            if len(some) < many:
                return


def _watched(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, until the time limit of the command."""
    for row in rows:
        deadline.check()
        yield row

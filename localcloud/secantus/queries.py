# SPDX-License-Identifier: GPL-2.0-only
"""Finding, counting and choosing candidates for writes by way of indexes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

import bson
from secantus import deadline
from secantus.ordering import sort_docs
from secantus.paths import get_path
from secantus.query import matches

from localcloud.secantus.entries import Reader
from localcloud.secantus.filters import Conjunction, Filter, Unplannable, parse
from localcloud.secantus.keys import Column, is_exact, successor
from localcloud.secantus.plans import (
    ID_INDEX,
    Index,
    KeyRange,
    Order,
    Plan,
    Sort,
    index_of,
    narrows,
    plan,
)

Document = dict[str, Any]
# Record id, key of the `_id`, and BSON of a document.
Row = tuple[int, bytes, bytes]

# A plan that reads fewer keys than this is good enough, in whichever order.
FEW_KEYS = 1_000
# Groups beyond this number are counted by SecantusDB, which sends a reply in parts.
MOST_GROUPS = 100
# Documents that are fetched while the storage's lock is held once.
FETCHED_AT_ONCE = 64


class UnsortedStrings(Exception):
    """The index of the plan descends on a field that has strings, which it does not sort."""


class Queries:
    """The queries of one command on one collection. All methods raise Unplannable."""

    def __init__(self, store: Any, db: str, collection: str) -> None:
        self._store = store
        self._names = (db, collection)
        self._reader = Reader(store, db, collection)
        # These are read at the first use, and not by cached_property: in Python 3.11 that has one
        # lock for all queries, and one that holds the storage's lock would wait for one that
        # waits for it.
        self._read_catalog: list[tuple[str, Document, Document]] | None = None
        self._read_indexes: list[Index] | None = None

    def find(self, query: Filter, sort: Sort, skip: int, limit: int) -> list[Document]:
        """The documents, sorted; a limit of 0 is none."""
        with self._store._lock:
            plans = self._plans(parse(query), sort, stops_early=limit > 0)
        order = plans[0].order if len(plans) == 1 else None
        if order and (sort or limit):
            with suppress(UnsortedStrings):
                return self._find_in_order(plans[0], order, query, skip, limit)
        found = self._matching(self._rows(plans, query), query, plans, 0 if sort else limit)
        if sort:
            found = iter(sort_docs(list(found), dict(sort)))
        return list(islice(found, skip, skip + limit if limit else None))

    def _find_in_order(
        self, plan: Plan, order: Order, query: Filter, skip: int, limit: int
    ) -> list[Document]:
        record_ids = self._reader.record_ids(plan)
        if plan.exact and not order.unsorted_strings:
            record_ids, skip = islice(record_ids, skip, None), 0
        rows = self._reader.rows(record_ids)
        found = self._matching(rows, query, [plan], limit, order.unsorted_strings)
        return list(islice(found, skip, skip + limit if limit else None))

    def count(self, query: Filter, limit: int | None) -> int:
        """How many documents match, counted up to the limit."""
        question = parse(query)
        with self._store._lock:
            for possible in self._possible_plans(question, ()):
                if possible.exact:
                    return self._reader.count(possible, limit)
            plans = self._plans(question, (), stops_early=False)
        found = self._matching(self._rows(plans, query), query, plans)
        return sum(1 for _ in islice(found, limit))

    def groups(self, query: Filter, fields: Collection[str]) -> list[tuple[Document, int]]:
        """Each combination of the values that the fields have in the documents that match, and the
        number of those."""
        question = parse(query)
        with self._store._lock:
            for each in self._possible_plans(question, ()):
                columns = each.index.columns[: len(fields)]
                if each.exact and {column.field for column in columns} == set(fields):
                    return self._groups(each, columns)
        raise Unplannable("groups that no index keeps together")

    def _groups(self, made: Plan, columns: Sequence[Column]) -> list[tuple[Document, int]]:
        """Of each group one document is read; the others' keys begin as that one's."""
        counted: dict[bytes, tuple[Document, int]] = {}
        for low, high in made.stretches:
            start = low
            while start < high and (first := self._reader.first(made.index, (start, high))):
                key, record_id = first
                values, beginning = self._group_of(record_id, columns)
                end = successor(beginning)
                if not key.startswith(beginning) or len(counted) > MOST_GROUPS:
                    raise Unplannable("groups of other values, or too many")
                part = KeyRange((), (start, min(high, end)))
                number = self._reader.count(Plan(made.index, [part], exact=True))
                _, before = counted.get(beginning, ({}, 0))
                counted[beginning] = values, before + number
                start = end
        return list(counted.values())

    def _group_of(self, record_id: int, columns: Sequence[Column]) -> tuple[Document, bytes]:
        """The values of a document, and what the keys of all begin with that have the same."""
        document = next((bson.decode(row[2]) for row in self._reader.rows([record_id])), {})
        values = {column.field: document.get(column.field) for column in columns}
        if not all(each is not None and is_exact(each) for each in values.values()):
            raise Unplannable("groups of values that share a key")
        return values, b"".join(column.point(values[column.field])[0] for column in columns)

    def candidates(self, query: Filter, *, only_first: bool) -> list[Row]:
        """Rows of all documents that match, and maybe of others. `only_first`: one that matches.

        The caller holds the collection's lock.
        """
        plans = self._plans(parse(query), (), stops_early=only_first)
        if not only_first:
            return list(self._rows(plans, query))
        if len(plans) == 1:
            rows = self._reader.rows(self._reader.record_ids(plans[0]))
        else:
            rows = self._rows(plans, query)
        matching = (row for row in _watched(rows) if matches(bson.decode(row[2]), query))
        return list(islice(matching, 1))

    def _plans(self, question: Conjunction, sort: Sort, *, stops_early: bool) -> Sequence[Plan]:
        """The best plan; or, for an `$or` whose branches need different indexes, one of each;
        or none, when every document has to be looked at."""
        best = self._best_plan(question, sort, stops_early)
        if best is not None:
            return [best]
        branches = question.alternatives()
        plans = [self._best_plan(each, (), False) for each in branches] if len(branches) > 1 else []
        found = [each for each in plans if each is not None]
        return found if len(found) == len(plans) else []

    def _best_plan(self, question: Conjunction, sort: Sort, stops_early: bool) -> Plan | None:
        possible = self._possible_plans(question, sort)
        by_id = next(possible)
        if all(high == low + b"\x00" for low, high in by_id.stretches):
            return by_id
        sorts_early = bool(sort) and stops_early
        useful = [
            each
            for each in chain([by_id], possible)
            if narrows(each) or (sorts_early and each.order is not None)
        ]
        if len(useful) < 2:
            return next(iter(useful), None)
        for each in useful:
            if each.exact and (each.order or not sorts_early):
                return each

        def cost(each: Plan) -> tuple[int, bool, bool]:
            keys = self._reader.count(each, FEW_KEYS)
            return keys, sorts_early and each.order is None, not narrows(each)

        return min(useful, key=cost)

    def _possible_plans(self, question: Conjunction, sort: Sort) -> Iterator[Plan]:
        """One of each index that can answer, that of `_id` first."""
        yield plan(ID_INDEX, question, sort)
        for index in self._indexes:
            if all(index.holds(each) for each in question.alternatives()):
                yield plan(index, question, sort)

    @property
    def _catalog(self) -> list[tuple[str, Document, Document]]:
        """Name, key and options of each index but that of `_id`."""
        if self._read_catalog is None:
            self._read_catalog = list(self._store._iter_indexes(*self._names))
        return self._read_catalog

    @property
    def _indexes(self) -> list[Index]:
        if self._read_indexes is None:
            found = [index_of(name, key, options) for name, key, options in self._catalog]
            self._read_indexes = [index for index in found if index is not None]
        return self._read_indexes

    def _rows(self, plans: Sequence[Plan], query: Filter) -> Iterator[Row]:
        """Rows of all documents that may match, oldest first: what the plans find, or else what
        SecantusDB's own finds (by an index of arrays, say), or else every one."""
        found: Iterable[int] | None
        if plans:
            found = sorted({each for one in plans for each in self._reader.record_ids(one)})
        else:
            found = self._unplanned_record_ids(query)
        if found is None:
            yield from self._store._scan_docs(*self._names)
        else:
            yield from self._reader.rows(dict.fromkeys(found))

    def _unplanned_record_ids(self, query: Filter) -> Iterable[int] | None:
        """What SecantusDB's own plan finds, but for the strings that it overlooks."""
        descending = {
            field for _, key, _ in self._catalog for field, turn in key.items() if turn == -1
        }
        if any(each.string_ranges & descending for each in parse(query).alternatives()):
            return None
        return self._store._try_index_id_keys(*self._names, dict(query))  # type: ignore[no-any-return]

    def _matching(
        self,
        rows: Iterable[Row],
        query: Filter,
        plans: Sequence[Plan],
        limit: int = 0,
        unsorted_strings: Sequence[str] = (),
    ) -> Iterator[Document]:
        """The documents that match. Raises UnsortedStrings when one has a string there."""
        left = _left(plans, query)
        for document in self._decoded(rows, min(limit or FETCHED_AT_ONCE, FETCHED_AT_ONCE)):
            for field in unsorted_strings:
                if isinstance(get_path(document, field), str | bson.Regex):
                    raise UnsortedStrings
            if not left or matches(document, left):
                yield document

    def _decoded(self, rows: Iterable[Row], at_once: int) -> Iterator[Document]:
        """Fetches some under the storage's lock, then decodes them without it."""
        iterator = _watched(rows)
        while True:
            with self._store._lock:
                some = list(islice(iterator, at_once))
            for _, _, blob in some:
                yield bson.decode(blob)
            if len(some) < at_once:
                return


def _left(plans: Sequence[Plan], query: Filter) -> Filter:
    """What is still to be asked of the documents that the plans find. No write changes an `_id`;
    of other fields an index may tell what they were a moment ago."""
    if len(plans) != 1 or plans[0].index is not ID_INDEX:
        return query
    if plans[0].exact:
        return {}
    return {field: asked for field, asked in query.items() if field not in plans[0].certain}


def _watched(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, until the time limit of the command."""
    for row in rows:
        deadline.check()
        yield row

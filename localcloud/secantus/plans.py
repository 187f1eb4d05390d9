# SPDX-License-Identifier: GPL-2.0-only
"""Which stretches of which index hold the documents of a filter, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from secantus import storage

from localcloud.secantus.filters import Conjunction
from localcloud.secantus.keys import Column, Stretch, intersection, union

# Fields and directions, 1 or -1.
Sort = Sequence[tuple[str, int]]
# The most stretches that the values of several `$in` may be multiplied to.
MAX_STRETCHES = 10_000
# The most stretches that are read side by side to keep an order.
MAX_STREAMS = 100


@dataclass(frozen=True)
class Index:
    """An index in which every document of the collection has exactly one key; or, if it is
    `sparse`, every document that has one of its fields. In one of `arrays` a document has a key for
    each element, and only the first field is used."""

    name: str
    columns: Sequence[Column]
    table: str = storage._IDX_ENTRIES_TABLE
    sparse: bool = False
    arrays: bool = False

    def holds(self, question: Conjunction) -> bool:
        """Whether all documents that may match have a key where the question leads."""
        first = self.columns[0]
        predicates = question.fields.get(first.field, ())
        if self.arrays:  # several predicates may hold of several elements
            return len(predicates) == 1 and first.finds_elements(*predicates[0])
        if not self.sparse:
            return True
        found = first.match(predicates).stretches
        return not intersection(found, [first.point(None)])


# The index that every collection has.
ID_INDEX = Index(
    storage._ID_INDEX_NAME,
    (Column("_id", 1, is_last=True, of_id_index=True),),
    storage._NAT_SEQ_TABLE,
)


@dataclass(frozen=True)
class Order:
    """How to read an index so that the documents come sorted.

    The first `merged` columns take several values each; what lies under each combination of them
    is sorted, and is merged. In the columns `unsorted_strings` the keys of strings are not sorted.
    """

    merged: int
    reverse: bool
    unsorted_strings: Sequence[str]


@dataclass(frozen=True)
class KeyRange:
    """A stretch of an index under fixed values of its first columns: the keys of those."""

    pins: Sequence[bytes]
    stretch: Stretch


@dataclass(frozen=True)
class Plan:
    """Ranges of an index that hold every document of a filter, and no others if `exact`. All that
    they hold has of the `certain` fields what the filter asks of them."""

    index: Index
    ranges: Sequence[KeyRange]
    exact: bool
    order: Order | None = None
    certain: frozenset[str] = frozenset()

    @property
    def stretches(self) -> list[Stretch]:
        """All that is to be read, in the order of the index."""
        return union(each.stretch for each in self.ranges)

    @property
    def streams(self) -> list[tuple[int, list[Stretch]]]:
        """What is to be merged: the length of the part of its keys that is fixed, and where."""

        def fixed(each: KeyRange) -> bytes:
            return b"".join(each.pins[: self.order.merged if self.order else 0])

        groups = groupby(sorted(self.ranges, key=fixed), fixed)
        return [(len(pins), union(each.stretch for each in group)) for pins, group in groups]


def index_of(name: str, key: Mapping[str, Any], options: Mapping[str, Any]) -> Index | None:
    """The index of the catalog's entry; None if some document is left out by a filter, or if the
    keys do not follow the values' plain order."""
    special = ("partialFilterExpression", "collation")
    if any(options.get(option) for option in special):
        return None
    if any(direction not in (1, -1) for direction in key.values()):
        return None
    if any(part.isdigit() or "$" in part for field in key for part in field.split(".")):
        return None
    last = len(key) - 1
    columns = [
        Column(field, int(direction), place == last)
        for place, (field, direction) in enumerate(key.items())
    ]
    sparse, arrays = bool(options.get("sparse")), bool(options.get("multikey"))
    return Index(name, columns[:1] if arrays else columns, sparse=sparse, arrays=arrays)


def plan(index: Index, question: Conjunction, sort: Sort) -> Plan:
    """How an index that holds the question answers it, even if by all of its keys."""
    ranges: list[KeyRange] = []
    exact = not index.arrays
    certain = frozenset() if index.arrays else frozenset(question.fields)
    for alternative in question.alternatives():
        found, answered = _ranges(index, alternative)
        ranges += found
        certain &= answered
        exact = exact and alternative.complete and answered.issuperset(alternative.fields)
    made = Plan(index, ranges, exact, certain=certain)
    if index.arrays and sort:
        return made
    order = _order(index, question, sort, min((len(each.pins) for each in ranges), default=0))
    ordered = Plan(index, ranges, exact, order, certain)
    return made if order and len(ordered.streams) > MAX_STREAMS else ordered


def narrows(made: Plan) -> bool:
    """Whether it reads less than the whole index."""
    return all(each.pins or each.stretch != (b"", b"\xff") for each in made.ranges)


def _ranges(index: Index, question: Conjunction) -> tuple[list[KeyRange], set[str]]:
    """The ranges, and the fields whose predicates hold everywhere there."""
    pins: list[tuple[bytes, ...]] = [()]
    stretches: Sequence[Stretch] = [(b"", b"\xff")]
    answered: set[str] = set()
    for column in index.columns:
        predicates = question.fields.get(column.field)
        if not predicates:
            break
        found = column.match(predicates)
        if len(pins) * len(found.stretches) > MAX_STRETCHES:
            break
        stretches = found.stretches
        if found.exact:
            answered.add(column.field)
        if not found.points or column.is_last:
            break
        pins = [(*each, low) for each in pins for low, _ in stretches]
        stretches = [(b"", b"\xff")]
    ranges = [
        KeyRange(each, (b"".join(each) + low, b"".join(each) + high))
        for each in pins
        for low, high in stretches
    ]
    return ranges, answered


def _order(index: Index, question: Conjunction, sort: Sort, pinned_columns: int) -> Order | None:
    single = {column.field for column in index.columns if _is_single(column, question)}
    wanted = [(field, direction) for field, direction in sort if field not in single]
    if not wanted:
        return Order(0, False, ())
    merged = 0
    while merged < pinned_columns and index.columns[merged].field != wanted[0][0]:
        merged += 1
    sorting: list[Column] = []
    turns: set[int] = set()
    for column in index.columns[merged:]:
        if wanted and column.field == wanted[0][0]:
            turns.add(column.direction * wanted.pop(0)[1])
            sorting.append(column)
        elif wanted and column.field not in single:
            return None
    if wanted or len(turns) > 1:
        return None
    return Order(merged, turns == {-1}, [each.field for each in sorting if each.direction < 0])


def _is_single(column: Column, question: Conjunction) -> bool:
    """Whether the filter allows this field one value."""
    predicates = question.fields.get(column.field, ())
    found = column.match(predicates)
    return found.points and len(found.stretches) <= 1

# SPDX-License-Identifier: GPL-2.0-only
"""How values lie in an index, and which stretches of it a predicate can match.

An index is a sorted run of byte strings. SecantusDB writes a key as the encoded values of its
fields, joined and escaped, and ends it with the record id; in the index of `_id` the key is the
encoded value alone. In an index that descends on a field, that field's bytes are inverted. What
the encoding cannot order is left out here: strings in a descending field (inverted, a prefix still
sorts before what it begins) and numbers whose exponent has no room (beyond 1e128 or below 1e-128).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from secantus import sortkey, storage

from localcloud.secantus.filters import Predicate

# A stretch of keys: from the first string on, up to and without the second.
Stretch = tuple[bytes, bytes]
# All keys: no encoded value begins with the byte 0xFF, ascending or inverted.
EVERYTHING: list[Stretch] = [(b"", b"\xff")]
# Integers up to this one are the same number as a double, an int64 and a decimal.
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class Match:
    """The stretches where a field's predicates can hold.

    `exact` tells that they hold nowhere else and everywhere there; `points` that each of the
    stretches holds a single value.
    """

    stretches: Sequence[Stretch]
    exact: bool
    points: bool


@dataclass(frozen=True)
class Column:
    """A field of an index. `direction` is 1 or -1."""

    field: str
    direction: int
    is_last: bool
    of_id_index: bool = False

    def match(self, predicates: Iterable[Predicate]) -> Match:
        """Where all the predicates hold."""
        stretches, exact, points = EVERYTHING, True, set[Stretch]()
        for operator, operand in predicates:
            found, is_exact = self._stretches(operator, operand)
            if operator in ("$eq", "$in") and found is not EVERYTHING:
                points.update(found)
            stretches, exact = intersection(stretches, found), exact and is_exact
        return Match(stretches, exact, points.issuperset(stretches))

    def finds_elements(self, operator: str, operand: Any) -> bool:
        """Whether every array with a matching element has that element's key in `match`."""
        values = operand if operator == "$in" else [operand]
        is_equality = operator in ("$eq", "$in")
        return is_equality and None not in values and all(map(is_encodable, values))

    def _stretches(self, operator: str, operand: Any) -> tuple[list[Stretch], bool]:
        match operator:
            case "$eq":
                return self._among([operand])
            case "$in":
                return self._among(operand)
            case "$ne":
                return self._outside([operand])
            case "$nin":
                return self._outside(operand)
            case "$gt" | "$gte" | "$lt" | "$lte" if is_orderable(operand, self.direction):
                return [self._range(operator, operand)], is_exact(operand)
            case "$exists" if not operand:
                return [self.point(None)], False
        return EVERYTHING, False

    def _among(self, values: Sequence[Any]) -> tuple[list[Stretch], bool]:
        if not all(map(is_encodable, values)):
            return EVERYTHING, False
        spellings = [each for value in values for each in equals(value)]
        return union(map(self.point, spellings)), all(map(is_exact, values))

    def _outside(self, values: Sequence[Any]) -> tuple[list[Stretch], bool]:
        if not all(map(is_exact, values)):
            return EVERYTHING, False
        return complement(union(map(self.point, values))), True

    def point(self, value: Any) -> Stretch:
        """The keys that have this value in this column."""
        if self.of_id_index:
            key = sortkey.encode_value(value)
            return key, key + b"\x00"
        key = sortkey.encode_value_directed(value, self.direction)
        if not self.is_last:
            key += sortkey.COMPOUND_SEP
        start = storage._escape_kb(key) + (storage._ENTRY_SEP if self.is_last else b"")
        return start, successor(start)

    def _range(self, operator: str, bound: Any) -> Stretch:
        """The values of the bound's type that are on that side of it."""
        start, after = self.point(bound)
        low, high = self._bracket(bound)
        inclusive = operator in ("$gte", "$lte") or not is_exact(bound)
        upwards = (operator in ("$gt", "$gte")) == (self.direction > 0)
        if upwards:
            return (start if inclusive else after), high
        return low, (after if inclusive else start)

    def _bracket(self, value: Any) -> Stretch:
        """The keys of all values of the same type, without NaN, which is on no side of a number."""
        rank = sortkey.encode_value(value)[0]
        is_number = rank == sortkey.RANK_NUMBER
        if self.direction > 0:
            return bytes([rank, 1] if is_number else [rank]), bytes([rank + 1])
        inverted = 0xFF - rank
        return bytes([inverted]), bytes([inverted, 0xFF] if is_number else [inverted + 1])


def equals(value: Any) -> list[Any]:
    """The value, and the other number that equals it and may have another key: a large double has
    the key of its shortest decimal, an integer that of all its digits."""
    if isinstance(value, int | float) and abs(value) > LARGEST_EXACT:
        return [value, float(value) if isinstance(value, int) else int(value)]
    return [value]


def is_encodable(value: Any) -> bool:
    """Whether equal values get one of the keys of `equals`, and no others that documents have."""
    if isinstance(value, float):
        return value == 0 or 1e-100 < abs(value) < 1e100
    return value is None or type(value) is str or isinstance(value, int | ObjectId | datetime)


def is_exact(value: Any) -> bool:
    """Whether a key tells as much as the value, so that no document need be looked at."""
    if isinstance(value, float) and not value.is_integer():
        return False
    if isinstance(value, int | float) and abs(value) > LARGEST_EXACT:
        return False
    return is_encodable(value)


def is_orderable(value: Any, direction: int) -> bool:
    """Whether the keys of an index have the order of the values of this type."""
    if value is None or (type(value) is str and direction < 0):
        return False
    if isinstance(value, int | float) and abs(value) > LARGEST_EXACT:
        return False
    return is_encodable(value)


def successor(prefix: bytes) -> bytes:
    """The first key behind all that begin with the prefix."""
    shortened = prefix.rstrip(b"\xff")
    return shortened[:-1] + bytes([shortened[-1] + 1])


def union(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Sorted and without overlaps. Stretches that only touch stay apart."""
    merged: list[Stretch] = []
    for low, high in sorted(set(stretches)):
        if merged and low < merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        elif low < high:
            merged.append((low, high))
    return merged


def intersection(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    """What is in both of two sorted lists."""
    if left is EVERYTHING:
        return list(right)
    common: list[Stretch] = []
    at, beside = 0, 0
    while at < len(left) and beside < len(right):
        low = max(left[at][0], right[beside][0])
        high = min(left[at][1], right[beside][1])
        if low < high:
            common.append((low, high))
        if left[at][1] == high:
            at += 1
        else:
            beside += 1
    return common


def complement(stretches: Sequence[Stretch]) -> list[Stretch]:
    """All keys that are in none of the sorted stretches."""
    edges = [b"", *(edge for stretch in stretches for edge in stretch), b"\xff"]
    return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]

"""The filter fields of an index: one dictionary-encoded column for each path.

A row's values at a path are interned as an entry, so that a filter is evaluated once for each
distinct entry and then applied to all rows by one numpy look-up. As in a MongoDB query, an array
matches by any of its elements.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

Mask = npt.NDArray[np.bool_]
# A value with its BSON type, so that True differs from 1 and a range stays within one type.
Element = tuple[str, Any]

NULL: Element = ("null", None)
# A value of a type that filters cannot name. It matches $exists only.
OTHER: Element = ("other", None)
# The code of rows without a value at the path.
MISSING = 0

# The largest integer up to which every integer is a float.
_LARGEST_EXACT_FLOAT = 2**53
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
# The types that are compared as arrays of numbers, by the number that stands for each.
_KINDS = {"number": 1, "date": 2}


def element(value: object) -> Element:
    """A BSON value, decoded with wire.LOSSLESS, in a form that can be compared."""
    match value:
        case None:
            return NULL
        case bool():
            return ("bool", value)
        case float() if math.isnan(value):
            return OTHER
        case int() | float():
            return ("number", value)
        case str():
            return ("string", value)
        case ObjectId():
            return ("objectId", value.binary)
        case DatetimeMS():
            return ("date", int(value))
        case Binary() if value.subtype == 4 and len(value) == 16:
            return ("uuid", bytes(value))
        case _:
            return OTHER


def values_at(document: Mapping[str, Any], path: str) -> list[Any] | None:
    """The values that a query sees at a dotted path; None if the path is missing.

    The path leads through embedded documents and arrays of them. An array at its end stands for
    its elements.
    """
    found: list[Any] = []
    return found if _collect(document, path.split("."), found) else None


def _collect(value: Any, keys: Sequence[str], found: list[Any]) -> bool:
    if not keys:
        found.extend(value if isinstance(value, list) else [value])
        return True
    if isinstance(value, Mapping):
        return keys[0] in value and _collect(value[keys[0]], keys[1:], found)
    if isinstance(value, list):
        inner = [item for item in value if isinstance(item, Mapping)]
        return sum(_collect(item, keys, found) for item in inner) > 0
    return False


class Column:
    """The values of one path in all rows. Row numbers are those of the vector matrix."""

    def __init__(self, capacity: int = 0) -> None:
        self._codes = np.zeros(capacity, np.int32)
        self._codes_by_entry: dict[tuple[Element, ...], int] = {}
        self._codes_by_element: dict[Element, list[int]] = {}
        self._entries: list[tuple[Element, ...]] = [()]
        self._kinds = array("b", [0])
        self._numbers = array("d", [0.0])
        self._mixed: list[int] = []
        self._scalars: tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]] | None = None

    def code(self, values: Sequence[Any] | None) -> int:
        """The number that stands for the result of `values_at`."""
        return MISSING if values is None else self._intern(values)

    def set(self, row: int, code: int) -> None:
        """Store a `code` for the row."""
        if row >= len(self._codes):
            self._codes = np.concatenate(
                [self._codes, np.zeros(max(1024, row + 1 - len(self._codes), row), np.int32)]
            )
        self._codes[row] = code

    def load(self, codes: npt.NDArray[np.int32]) -> None:
        """Store the codes of all rows."""
        self._codes = codes

    def _intern(self, values: Sequence[Any]) -> int:
        entry = tuple(element(value) for value in values)
        code = self._codes_by_entry.get(entry)
        if code is not None:
            return code
        code = len(self._entries)
        self._codes_by_entry[entry] = code
        self._entries.append(entry)
        for item in set(entry):
            self._codes_by_element.setdefault(item, []).append(code)
        self._index_scalar(entry, code)
        return code

    def _index_scalar(self, entry: tuple[Element, ...], code: int) -> None:
        tag, value = entry[0] if len(entry) == 1 else OTHER
        plain = tag in _KINDS and abs(value) <= _LARGEST_EXACT_FLOAT
        self._kinds.append(_KINDS[tag] if plain else 0)
        self._numbers.append(float(value) if plain else 0.0)
        if not plain:
            self._mixed.append(code)

    def any_of(self, elements: Sequence[Element], rows: int) -> Mask:
        """The rows with one of the elements. Null also matches rows without a value."""
        table = np.zeros(len(self._entries), np.bool_)
        for item in elements:
            table[self._codes_by_element.get(item, [])] = True
        table[MISSING] = NULL in elements
        return self._spread(table, rows)

    def exists(self, rows: int) -> Mask:
        table = np.ones(len(self._entries), np.bool_)
        table[MISSING] = False
        return self._spread(table, rows)

    def compare(self, name: str, bound: Element, rows: int) -> Mask:
        """The rows with an element of the bound's type for which `element <name> bound` holds."""
        test = _COMPARE[name]
        tag, value = bound
        table = np.zeros(len(self._entries), np.bool_)
        if tag == NULL[0]:
            return self.any_of([NULL] if name in ("$gte", "$lte") else [], rows)
        if tag in _KINDS:
            kinds, numbers = self._scalar_arrays()
            table[:] = (kinds == _KINDS[tag]) & test(numbers, float(value))
        for code in self._mixed:
            entry = self._entries[code]
            table[code] = any(kind == tag and test(item, value) for kind, item in entry)
        return self._spread(table, rows)

    def _scalar_arrays(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
        if self._scalars is None or len(self._scalars[0]) != len(self._kinds):
            self._scalars = (np.array(self._kinds, np.int8), np.array(self._numbers, np.float64))
        return self._scalars

    def _spread(self, table: Mask, rows: int) -> Mask:
        held = min(rows, len(self._codes))
        mask = np.full(rows, table[MISSING], np.bool_)
        mask[:held] = table[self._codes[:held]]
        return mask

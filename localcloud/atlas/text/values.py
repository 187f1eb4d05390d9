"""Encodes exact values as terms of one field: `path NUL kind value`.

A number is indexed at sixteen precisions, each with one hexadecimal digit less than the one
before, so that a range of any width is the union of a few hundred terms. All paths and types
share one field of the index.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from localcloud.atlas.text.mappings import Field

# The letter that marks each kind of value in a term. The kinds are the names of field types.
MARKS = {
    "null": "z",
    "boolean": "b",
    "objectId": "o",
    "uuid": "u",
    "token": "s",
    "number": "n",
    "date": "d",
    "stringFacet": "S",
    "numberFacet": "N",
    "dateFacet": "D",
}
# The field types that index a kind of value for facets only.
_FACETS = {"token": "stringFacet", "number": "numberFacet", "date": "dateFacet"}
# Characters of the longest string that is indexed as token.
MAX_TOKEN = 8181
# Hexadecimal digits of a number at full precision.
_DIGITS = 16
_TOP = 1 << 63
_ALL = (1 << 64) - 1
_DOUBLE = struct.Struct(">d")
_BITS = struct.Struct(">Q")


def kind_of(value: object) -> str | None:
    """The field type under which a BSON value is indexed; None if no type fits."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case float() if math.isnan(value):
            return None
        case int() | float():
            return "number"
        case DatetimeMS():
            return "date"
        case ObjectId():
            return "objectId"
        case str():
            return "token"
        case Binary() if value.subtype == 4 and len(value) == 16:
            return "uuid"
        case _:
            return None


def sortable(value: float | DatetimeMS) -> int:
    """A number or date as an unsigned 64-bit integer that sorts the same way.

    Numbers are indexed as doubles, which is Atlas's default.
    """
    if isinstance(value, DatetimeMS):
        return min(max(int(value) + _TOP, 0), _ALL)
    (bits,) = _BITS.unpack(_DOUBLE.pack(float(value) + 0.0))  # adding 0.0 makes -0.0 zero
    return int(bits ^ _ALL if bits & _TOP else bits | _TOP)


def _number(path: str, mark: str, value: int, digits: int = _DIGITS) -> str:
    return f"{path}\0{mark}{digits:02d}{value:0{digits}x}"


def beginning(path: str, kind: str) -> str:
    """How the terms of strings at the path begin."""
    return f"{path}\0{MARKS[kind]}"


def exact(path: str, kind: str, value: Any, field: Field | None) -> str:
    """The term of documents with that value, of that kind, at the path."""
    mark = MARKS[kind]
    match kind:
        case "null":
            return f"{path}\0{mark}"
        case "boolean":
            return f"{path}\0{mark}{int(value)}"
        case "objectId":
            return f"{path}\0{mark}{value}"
        case "uuid":
            return f"{path}\0{mark}{bytes(value).hex()}"
        case "token":
            lower = field is not None and field.normalizer == "lowercase"
            return f"{path}\0{mark}{value.lower() if lower else value}"
        case "stringFacet":
            return f"{path}\0{mark}{value}"
        case _:
            return _number(path, mark, sortable(value))


def terms(path: str, value: Any, field: Field) -> Iterator[str]:
    """The terms under which a document's value at the path is indexed."""
    kind = kind_of(value)
    if kind == "null" or kind in field.types:
        yield from _terms(path, kind, value, field)
    facet = _FACETS.get(kind or "")
    if facet in field.types:
        yield from _terms(path, facet, value, field)


def _terms(path: str, kind: str, value: Any, field: Field) -> Iterator[str]:
    if isinstance(value, int | float | DatetimeMS) and kind != "boolean":
        whole = sortable(value)
        for dropped in range(_DIGITS):
            yield _number(path, MARKS[kind], whole >> 4 * dropped, _DIGITS - dropped)
    elif not isinstance(value, str) or len(value) <= MAX_TOKEN:
        yield exact(path, kind, value, field)


def covering(path: str, kind: str, low: int, high: int) -> list[str]:
    """The fewest terms that cover all sortable values from low to high, both included."""
    mark, digits = MARKS[kind], _DIGITS
    found: list[str] = []
    while low <= high and digits > 1:
        while low <= high and low & 15:
            found.append(_number(path, mark, low, digits))
            low += 1
        while low <= high and high & 15 != 15:
            found.append(_number(path, mark, high, digits))
            high -= 1
        if low > high:
            return found
        low, high, digits = low >> 4, high >> 4, digits - 1
    found.extend(_number(path, mark, value, digits) for value in range(low, high + 1))
    return found

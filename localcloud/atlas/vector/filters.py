"""Parses and evaluates the `filter` of a $vectorSearch: MQL on the index's filter fields.

The operators mean what they mean in a MongoDB query: an array matches by any of its elements, a
comparison stays within one type, and a negation also matches documents without the field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np

from localcloud.atlas.clauses import Clauses
from localcloud.atlas.vector.columns import OTHER, Column, Element, Mask, element
from localcloud.atlas.wire.errors import QueryError

LOGICAL = ("$and", "$or", "$nor")
RANGES = ("$gt", "$gte", "$lt", "$lte")
VALUE_TYPES = "boolean, objectId, number, string, date, uuid, null"


class Filter(Protocol):
    """A checked filter."""

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        """Whether each of the first `rows` rows matches."""


@dataclass(frozen=True)
class AnyOf:
    path: str
    elements: tuple[Element, ...]

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        return columns[self.path].any_of(self.elements, rows)


@dataclass(frozen=True)
class Compare:
    path: str
    operator: str
    bound: Element

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        return columns[self.path].compare(self.operator, self.bound, rows)


@dataclass(frozen=True)
class Exists:
    path: str

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        return columns[self.path].exists(rows)


@dataclass(frozen=True)
class Not:
    inner: Filter

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        return ~self.inner.mask(columns, rows)


@dataclass(frozen=True)
class All:
    parts: tuple[Filter, ...]

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        masks = (part.mask(columns, rows) for part in self.parts)
        return reduce(np.logical_and, masks, np.ones(rows, np.bool_))


@dataclass(frozen=True)
class Some:
    parts: tuple[Filter, ...]

    def mask(self, columns: Mapping[str, Column], rows: int) -> Mask:
        masks = (part.mask(columns, rows) for part in self.parts)
        return reduce(np.logical_or, masks, np.zeros(rows, np.bool_))


def parse(document: object, declared: Collection[str], where: str = "filter") -> Filter:
    """Check a filter. `declared` are the paths of the index's filter fields. Raises QueryError."""
    if not isinstance(document, Mapping):
        raise QueryError(f'"{where}" must be a document')
    parts: list[Filter] = []
    for key, value in document.items():
        if key in LOGICAL:
            parts.append(_logical(key, value, declared, f"{where}.{key}"))
        elif key.startswith("$"):
            raise QueryError(f'"{where}" unrecognized operator "{key}"')
        elif key not in declared:
            raise QueryError(f"Path '{key}' needs to be indexed as filter")
        else:
            parts.append(_field(key, value, f"{where}.{key}"))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _logical(key: str, value: object, declared: Collection[str], where: str) -> Filter:
    if not isinstance(value, list) or not value:
        raise QueryError(f'"{where}" must be a non-empty array')
    parts = tuple(parse(item, declared, f"{where}[{i}]") for i, item in enumerate(value))
    if key == "$and":
        return All(parts)
    return Some(parts) if key == "$or" else Not(Some(parts))


def _field(path: str, value: object, where: str) -> Filter:
    if isinstance(value, Mapping) and any(key.startswith("$") for key in value):
        return _operators(path, value, where)
    return AnyOf(path, (_element(value, where),))


def _operators(path: str, operators: Mapping[str, Any], where: str) -> Filter:
    parts = tuple(_operator(path, key, value, f"{where}.{key}") for key, value in operators.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _operator(path: str, key: str, value: object, where: str) -> Filter:
    match key:
        case "$eq":
            return AnyOf(path, (_element(value, where),))
        case "$ne":
            return Not(AnyOf(path, (_element(value, where),)))
        case "$in":
            return AnyOf(path, _elements(value, where))
        case "$nin":
            return Not(AnyOf(path, _elements(value, where)))
        case "$exists":
            if not isinstance(value, bool | int | float):
                raise QueryError(f'"{where}" must be a boolean')
            return Exists(path) if value else Not(Exists(path))
        case "$not":
            if not isinstance(value, Mapping) or not value:
                raise QueryError(f'"{where}" must be a non-empty document')
            return Not(_operators(path, value, where))
        case _ if key in RANGES:
            return Compare(path, key, _element(value, where))
        case _:
            raise QueryError(f'"{where}" unrecognized operator "{key}"')


def _elements(value: object, where: str) -> tuple[Element, ...]:
    if not isinstance(value, list):
        raise QueryError(f'"{where}" must be an array')
    if not value:
        raise QueryError(f'"{where}" cannot be empty')
    return tuple(_element(item, f"{where}[{i}]") for i, item in enumerate(value))


def _element(value: object, where: str) -> Element:
    found = element(value)
    if found == OTHER:
        raise QueryError(f'"{where}" must be one of [{VALUE_TYPES}]')
    return found


def check_clauses(parsed: Filter) -> None:
    """Raises QueryError for a filter of too many clauses."""
    _count(parsed, Clauses())


def _count(parsed: Filter, clauses: Clauses) -> None:
    match parsed:
        case AnyOf():
            kinds = Counter(kind for kind, _ in parsed.elements)
            for kind, size in kinds.items():
                clauses.add_set(kind, size, in_text=False)
        case Compare():
            clauses.add_set(parsed.bound[0], 1, in_text=False)
        case Not():
            _count(parsed.inner, clauses)
        case All() | Some():
            for part in parsed.parts:
                _count(part, clauses)
        case _:
            clauses.add()

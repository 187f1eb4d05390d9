"""Conditions on passages, and how `$vectorSearch` and `$search` write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from allthethings.store.documents import Document

# The field with the id of a passage's asset as text. MongoDB takes any number of strings but counts
# every ObjectId as a clause, of which Free and Flex clusters allow 1,024 in a query.
ASSET_KEY = "asset_key"

Operator = Literal["$eq", "$ne", "$gte", "$lt", "$in", "$nin"]
Value = str | datetime | list[str]


@dataclass(frozen=True)
class Condition:
    """How a field of a passage has to compare with a value, by MongoDB's operators.

    A field that holds a list is equal to each of its entries. Times are UTC.
    """

    path: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Scope:
    """The passages to search: those that meet every filter, of the assets in `only` if that is
    not None, and of none in `never`."""

    filters: tuple[Condition, ...] = ()
    only: frozenset[str] | None = None
    never: frozenset[str] = field(default_factory=frozenset)

    def without(self, asset_ids: frozenset[str]) -> Scope:
        """The same passages, but for those of some assets."""
        return replace(self, never=self.never | asset_ids)

    def conditions(self) -> list[Condition]:
        conditions = list(self.filters)
        if self.only is not None:
            conditions.append(Condition(ASSET_KEY, "$in", sorted(self.only)))
        if self.never:
            conditions.append(Condition(ASSET_KEY, "$nin", sorted(self.never)))
        return conditions


def vector_filter(conditions: Sequence[Condition]) -> Document:
    """The `filter` of a `$vectorSearch`; empty without conditions."""
    if not conditions:
        return {}
    return {"$and": [{each.path: {each.operator: each.value}} for each in conditions]}


def search_clauses(conditions: Sequence[Condition]) -> dict[str, list[Document]]:
    """The clauses of a compound `$search`, under `filter` and `mustNot`."""
    clauses: dict[str, list[Document]] = {}
    for each in conditions:
        occurrence, clause = _CLAUSES[each.operator]
        clauses.setdefault(occurrence, []).append(clause(each))
    return clauses


def _equals(condition: Condition) -> Document:
    return {"equals": {"path": condition.path, "value": condition.value}}


def _in(condition: Condition) -> Document:
    return {"in": {"path": condition.path, "value": condition.value}}


def _range(condition: Condition) -> Document:
    bound = condition.operator.removeprefix("$")
    return {"range": {"path": condition.path, bound: condition.value}}


_CLAUSES: Mapping[Operator, tuple[str, Callable[[Condition], Document]]] = {
    "$eq": ("filter", _equals),
    "$ne": ("mustNot", _equals),
    "$gte": ("filter", _range),
    "$lt": ("filter", _range),
    "$in": ("filter", _in),
    "$nin": ("mustNot", _in),
}

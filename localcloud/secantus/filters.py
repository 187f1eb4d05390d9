# SPDX-License-Identifier: GPL-2.0-only
"""What a filter asks of each field, in the form in which an index can use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import MaxKey, MinKey

Filter = Mapping[str, Any]
# An operator and its operand; a bare value is an `$eq`.
Predicate = tuple[str, Any]

# Operators that a plan may leave to the check of each document.
KNOWN_OPERATORS = {
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"),
    *("$not", "$type", "$size", "$all", "$elemMatch", "$mod", "$regex", "$options"),
}
# The most branches of an `$or` that are planned one by one.
MAX_BRANCHES = 64


class Unplannable(Exception):
    """The filter has a form that is left to SecantusDB's own planner."""


@dataclass(frozen=True)
class Conjunction:
    """Predicates that must all hold, by field, and one of the `branches`, if there are any.

    `complete` tells that the filter says nothing else.
    """

    fields: Mapping[str, Sequence[Predicate]]
    branches: Sequence[Filter] = ()
    complete: bool = True

    @property
    def string_ranges(self) -> set[str]:
        """The fields that must be greater or less than a string."""
        return {
            field
            for field, predicates in self.fields.items()
            for operator, operand in predicates
            if operator in ("$gt", "$gte", "$lt", "$lte") and isinstance(operand, str)
        }

    def alternatives(self) -> list[Conjunction]:
        """The same as conjunctions without branches, of which one must hold."""
        if not self.branches:
            return [self]
        if len(self.branches) > MAX_BRANCHES:
            return [Conjunction(self.fields, complete=False)]
        return [self._with(parse(branch)) for branch in self.branches]

    def _with(self, other: Conjunction) -> Conjunction:
        names = dict.fromkeys([*self.fields, *other.fields])
        fields = {name: [*self.fields.get(name, ()), *other.fields.get(name, ())] for name in names}
        complete = self.complete and other.complete and not other.branches
        return Conjunction(fields, complete=complete)


def parse(query: Filter) -> Conjunction:
    """Flatten `$and`, and take the first `$or` apart. Raises Unplannable."""
    fields: dict[str, list[Predicate]] = {}
    branches: Sequence[Filter] = ()
    complete = True
    waiting = [query]
    while waiting:
        for key, value in waiting.pop().items():
            if not key.startswith("$"):
                fields.setdefault(key, []).extend(_predicates(value))
            elif key == "$and" or (key == "$or" and len(_filters(value)) == 1):
                waiting.extend(_filters(value))
            elif key == "$or" and not branches:
                branches = _filters(value)
            elif key in ("$or", "$nor"):
                complete = False
            else:
                raise Unplannable(key)
    return Conjunction(fields, branches, complete)


def _filters(value: Any) -> list[Filter]:
    if not (isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value)):
        raise Unplannable("a malformed list of filters")
    return value


def _predicates(value: Any) -> list[Predicate]:
    if not isinstance(value, Mapping) or not any(key.startswith("$") for key in value):
        return [("$eq", value)]
    for operator, operand in value.items():
        if operator not in KNOWN_OPERATORS:
            raise Unplannable(operator)
        if isinstance(operand, MinKey | MaxKey):
            raise Unplannable("a comparison of types")
        if operator in ("$in", "$nin") and not isinstance(operand, list):
            raise Unplannable(f"{operator} without a list")
    return list(value.items())

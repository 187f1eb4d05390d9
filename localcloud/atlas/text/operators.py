"""The operators of a $search stage, checked.

Source: https://www.mongodb.com/docs/atlas/atlas-search/operators-and-collectors/. What is
documented there and not done here is refused. How an operator becomes a query of the
index is in matching.py, which terms it highlights in highlights.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.atlas.text.checks import Spec
from localcloud.atlas.text.values import kind_of
from localcloud.atlas.wire.errors import QueryError

_ELSEWHERE = (
    *("autocomplete", "embeddedDocument", "geoShape", "geoWithin", "hasAncestor", "hasRoot"),
    *("knnBeta", "moreLikeThis", "near", "queryString", "regex", "search", "span", "term"),
    *("vectorSearch", "wildcard"),
)
_RANGED = ("number", "date")
_VALUE_TYPES = "boolean, objectId, number, string, date, uuid"


@dataclass(frozen=True)
class Score:
    """How a score is changed: multiplied, or replaced by a constant."""

    boost: float = 1.0
    constant: float | None = None


@dataclass(frozen=True)
class Path:
    """A dotted path, or a pattern in which * stands for anything."""

    name: str
    wildcard: bool = False


@dataclass(frozen=True)
class Fuzzy:
    edits: int
    prefix: int
    expansions: int


@dataclass(frozen=True)
class Text:
    paths: tuple[Path, ...]
    queries: tuple[str, ...]
    every: bool  # all terms of a query must be there, not any
    fuzzy: Fuzzy | None
    score: Score


@dataclass(frozen=True)
class Phrase:
    paths: tuple[Path, ...]
    queries: tuple[str, ...]
    slop: int
    score: Score


@dataclass(frozen=True)
class In:
    """A value at one of the paths is one of the values, all of one kind. Equals is it too."""

    paths: tuple[str, ...]
    kind: str
    values: tuple[Any, ...]
    score: Score


@dataclass(frozen=True)
class Range:
    """Bounds with whether they are included."""

    paths: tuple[str, ...]
    kind: str
    low: tuple[Any, bool] | None
    high: tuple[Any, bool] | None
    score: Score


@dataclass(frozen=True)
class Exists:
    path: str
    score: Score


@dataclass(frozen=True)
class Compound:
    must: tuple[Operator, ...]
    must_not: tuple[Operator, ...]
    should: tuple[Operator, ...]
    filter: tuple[Operator, ...]
    at_least: int  # of the should clauses
    score: Score


Operator = Text | Phrase | In | Range | Exists | Compound


def parse(spec: Spec) -> Operator | None:
    """The one operator that is named in the document; None if there is none. Raises
    QueryError."""
    spec.unsupported(*_ELSEWHERE)
    names = [name for name in _OPERATORS if spec.has(name)]
    if not names:
        return None
    if len(names) > 1:
        where = f'"{spec.where}" ' if spec.where else ""
        raise QueryError(f"{where}only one of [{', '.join(names)}] may be present")
    return _OPERATORS[names[0]](spec.inner(names[0]))


def _text(spec: Spec) -> Text:
    spec.unsupported("synonyms")
    spec.only("query", "path", "fuzzy", "matchCriteria", "synonyms", "score")
    every = spec.choice("matchCriteria", ("any", "all"), "any") == "all"
    fuzzy = _fuzzy(spec.inner("fuzzy")) if spec.has("fuzzy") else None
    return Text(string_paths(spec), spec.strings("query"), every, fuzzy, _score(spec))


def _fuzzy(spec: Spec) -> Fuzzy:
    spec.only("maxEdits", "prefixLength", "maxExpansions")
    edits = spec.integer("maxEdits", 2, -1)
    if edits not in (1, 2):
        spec.fail("maxEdits", "must be either 1 or 2")
    expansions = spec.integer("maxExpansions", 50, 1, 1000)
    return Fuzzy(edits, spec.integer("prefixLength", 0, 0), expansions)


def _phrase(spec: Spec) -> Phrase:
    spec.unsupported("synonyms")
    spec.only("query", "path", "slop", "synonyms", "score")
    slop = spec.integer("slop", 0, 0)
    return Phrase(string_paths(spec), spec.strings("query"), slop, _score(spec))


def _equals(spec: Spec) -> In:
    spec.unsupported("doesNotAffect")
    spec.only("path", "value", "score", "doesNotAffect")
    if not spec.has("value"):
        spec.fail("value", "is required")
    value = spec.document["value"]
    kind = kind_of(value)
    if kind is None:
        spec.fail("value", f"must be one of [{_VALUE_TYPES}, null]")
    return In((spec.string("path"),), kind, (value,), _score(spec))


def _in(spec: Spec) -> In:
    spec.unsupported("doesNotAffect")
    spec.only("path", "value", "score", "doesNotAffect")
    values = tuple(value for _, value in spec.items("value"))
    kinds = {kind_of(value) for value in values}
    kind = kinds.pop()
    if kind is None or kind == "null":
        spec.fail("value", f"must be one of [{_VALUE_TYPES}]")
    if kinds:
        spec.fail("value", "must have elements of the same type")
    return In(spec.strings("path"), kind, values, _score(spec))


def _range(spec: Spec) -> Range:
    spec.unsupported("doesNotAffect")
    spec.only("path", "gt", "gte", "lt", "lte", "score", "doesNotAffect")
    low, high = _bound(spec, "gt", "gte"), _bound(spec, "lt", "lte")
    kinds = {kind_of(bound[0]) for bound in (low, high) if bound is not None}
    if not kinds:
        raise QueryError(f'"{spec.where}" must specify at least one of [lt, lte, gt, gte]')
    if len(kinds) > 1:
        raise QueryError(f'"{spec.where}" bounds must be of the same type')
    kind = kinds.pop()
    if kind is None or kind not in _RANGED:
        raise QueryError(f'"{spec.where}" this server has ranges of numbers and dates only')
    return Range(spec.strings("path"), kind, low, high, _score(spec))


def _bound(spec: Spec, without: str, including: str) -> tuple[Any, bool] | None:
    given = [key for key in (without, including) if spec.has(key)]
    if len(given) > 1:
        raise QueryError(f'"{spec.where}" at most one of [{without}, {including}] may be present')
    return (spec.required(given[0]), given[0] == including) if given else None


def _exists(spec: Spec) -> Exists:
    spec.only("path", "score")
    return Exists(spec.string("path"), _score(spec))


def _compound(spec: Spec) -> Compound:
    spec.unsupported("doesNotAffect")
    clauses = ("must", "mustNot", "should", "filter")
    spec.only(*clauses, "minimumShouldMatch", "score", "doesNotAffect")
    must, must_not, should, filters = (_clauses(spec, key) for key in clauses)
    if not must + must_not + should + filters:
        raise QueryError(f'"{spec.where}" must have at least one clause')
    at_least = spec.integer("minimumShouldMatch", 0, 0)
    if at_least > len(should):
        raise QueryError(
            f'"{spec.where}" minimumShouldMatch cannot be greater than number of should clauses'
        )
    return Compound(must, must_not, should, filters, at_least, _score(spec))


def _clauses(spec: Spec, key: str) -> tuple[Operator, ...]:
    value = spec.document.get(key)
    if value is None or value == []:
        return ()
    found = []
    for where, item in spec.items(key):
        inner = Spec.of(item, where)
        operator = parse(inner)
        inner.only(*_OPERATORS)
        if operator is None:
            raise QueryError(f'"{where}" one of [{", ".join(_OPERATORS)}] must be present')
        found.append(operator)
    return tuple(found)


def string_paths(spec: Spec) -> tuple[Path, ...]:
    """The `path` of an operator on strings, or of a highlight."""
    return tuple(_path(where, item) for where, item in spec.items("path"))


def _path(where: str, value: object) -> Path:
    if isinstance(value, str):
        if not value:
            raise QueryError(f'"{where}" cannot be empty')
        return Path(value)
    spec = Spec.of(value, where)
    spec.unsupported("multi")
    spec.only("wildcard", "value", "multi")
    if spec.has("wildcard"):
        pattern = spec.string("wildcard")
        if "**" in pattern:
            spec.fail("wildcard", "cannot contain consecutive wildcards")
        return Path(pattern, wildcard=True)
    return Path(spec.string("value"))


def _score(spec: Spec) -> Score:
    if not spec.has("score"):
        return Score()
    score = spec.inner("score")
    score.unsupported("function", "embedded", "dismax")
    score.only("boost", "constant")
    if len(score.document) != 1:
        raise QueryError(f'"{score.where}" exactly one of [boost, constant] must be present')
    if score.has("constant"):
        constant = score.inner("constant")
        constant.only("value")
        return Score(constant=_positive(constant, "value", zero=True))
    boost = score.inner("boost")
    boost.unsupported("path")
    boost.only("value", "path")
    return Score(boost=_positive(boost, "value"))


def _positive(spec: Spec, key: str, *, zero: bool = False) -> float:
    value = spec.number(key)
    if not (0 < value < float("inf") or (zero and value == 0)):
        spec.fail(key, "cannot be negative" if zero else "must be positive")
    return value


_OPERATORS: dict[str, Callable[[Spec], Operator]] = {
    "compound": _compound,
    "equals": _equals,
    "exists": _exists,
    "in": _in,
    "phrase": _phrase,
    "range": _range,
    "text": _text,
}
OPERATORS = tuple(_OPERATORS)

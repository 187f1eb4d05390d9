"""Parses the operators of a $search stage.

Source: https://www.mongodb.com/docs/atlas/atlas-search/operators-and-collectors/. Operators and
options that this server lacks are refused by name. matching.py turns an operator into a query of
the index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.atlas.options import Options
from localcloud.atlas.text.operator_types import (
    Autocomplete,
    Compound,
    Exists,
    Fuzzy,
    In,
    Operator,
    Path,
    Phrase,
    Range,
    Score,
    Text,
    Wildcard,
)
from localcloud.atlas.text.values import kind_of

# Atlas has these operators, this server does not.
_UNSUPPORTED = (
    *("embeddedDocument", "geoShape", "geoWithin", "hasAncestor", "hasRoot", "knnBeta"),
    *("moreLikeThis", "near", "queryString", "regex", "search", "span", "term", "vectorSearch"),
)
_RANGE_KINDS = ("number", "date")
_VALUE_TYPES = "boolean, objectId, number, string, date, uuid"


def parse(options: Options) -> Operator | None:
    """The one operator that the document names; None if it names none. Raises QueryError."""
    options.unsupported(*_UNSUPPORTED)
    names = [name for name in _PARSERS if options.has(name)]
    if not names:
        return None
    if len(names) > 1:
        options.fail_here(f"only one of [{', '.join(names)}] may be present")
    return _PARSERS[names[0]](options.inner(names[0]))


def parse_one(options: Options) -> Operator:
    """The one operator that the document names. Raises QueryError."""
    operator = parse(options)
    options.only(*_PARSERS)
    if operator is None:
        options.fail_here(f"one of [{', '.join(_PARSERS)}] must be present")
    return operator


def _text(options: Options) -> Text:
    options.unsupported("synonyms")
    options.only("query", "path", "matchCriteria", "score", "fuzzy", "synonyms")
    every = options.choice("matchCriteria", ("any", "all"), "any") == "all"
    fuzzy = _fuzzy(options.inner("fuzzy")) if options.has("fuzzy") else None
    return Text(string_paths(options), options.strings("query"), every, _score(options), fuzzy)


def _fuzzy(options: Options) -> Fuzzy:
    options.only("maxEdits", "prefixLength", "maxExpansions")
    edits = options.integer("maxEdits", 0, default=2)
    if edits not in (1, 2):
        options.fail("maxEdits", "must be either 1 or 2")
    return Fuzzy(
        edits,
        options.integer("prefixLength", 0, default=0),
        options.integer("maxExpansions", 1, 1000, default=50),
    )


def _autocomplete(options: Options) -> Autocomplete:
    options.unsupported("fuzzy")
    options.only("query", "path", "tokenOrder", "score", "fuzzy")
    sequential = options.choice("tokenOrder", ("any", "sequential"), "any") == "sequential"
    queries = options.strings("query")
    return Autocomplete(options.string("path"), queries, sequential, _score(options))


def _phrase(options: Options) -> Phrase:
    options.unsupported("synonyms")
    options.only("query", "path", "slop", "score", "synonyms")
    slop = options.integer("slop", 0, default=0)
    return Phrase(string_paths(options), options.strings("query"), slop, _score(options))


def _wildcard(options: Options) -> Wildcard:
    options.only("query", "path", "allowAnalyzedField", "score")
    analyzed = options.boolean("allowAnalyzedField")
    return Wildcard(string_paths(options), options.strings("query"), analyzed, _score(options))


def _equals(options: Options) -> In:
    options.unsupported("doesNotAffect")
    options.only("path", "value", "score", "doesNotAffect")
    if not options.has("value"):
        options.missing("value")
    value = options.document["value"]
    kind = kind_of(value)
    if kind is None:
        options.fail("value", f"must be one of [{_VALUE_TYPES}, null]")
    return In((options.string("path"),), kind, (value,), _score(options))


def _in(options: Options) -> In:
    options.unsupported("doesNotAffect")
    options.only("path", "value", "score", "doesNotAffect")
    values = tuple(value for _, value in options.items("value"))
    kinds = {kind_of(value) for value in values}
    kind = kinds.pop()
    if kind is None or kind == "null":
        options.fail("value", f"must be one of [{_VALUE_TYPES}]")
    if kinds:
        options.fail("value", "must have elements of the same type")
    return In(options.strings("path"), kind, values, _score(options))


def _range(options: Options) -> Range:
    options.unsupported("doesNotAffect")
    options.only("path", "gt", "gte", "lt", "lte", "score", "doesNotAffect")
    low, high = _bound(options, "gt", "gte"), _bound(options, "lt", "lte")
    kinds = {kind_of(bound[0]) for bound in (low, high) if bound is not None}
    if not kinds:
        options.fail_here("must specify at least one of [lt, lte, gt, gte]")
    if len(kinds) > 1:
        options.fail_here("bounds must be of the same type")
    kind = kinds.pop()
    if kind is None or kind not in _RANGE_KINDS:
        options.fail_here("this server supports ranges of numbers and dates only")
    return Range(options.strings("path"), kind, low, high, _score(options))


def _bound(options: Options, exclusive: str, inclusive: str) -> tuple[Any, bool] | None:
    given = [key for key in (exclusive, inclusive) if options.has(key)]
    if len(given) > 1:
        options.fail_here(f"at most one of [{exclusive}, {inclusive}] may be present")
    return (options.required(given[0]), given[0] == inclusive) if given else None


def _exists(options: Options) -> Exists:
    options.only("path", "score")
    return Exists(options.string("path"), _score(options))


def _compound(options: Options) -> Compound:
    options.unsupported("doesNotAffect")
    names = ("must", "mustNot", "should", "filter")
    options.only(*names, "minimumShouldMatch", "score", "doesNotAffect")
    must, must_not, should, filters = (_clauses(options, name) for name in names)
    if not must + must_not + should + filters:
        options.fail_here("must have at least one clause")
    minimum = options.integer("minimumShouldMatch", 0, default=0)
    if minimum > len(should):
        options.fail_here("minimumShouldMatch cannot be greater than number of should clauses")
    return Compound(must, must_not, should, filters, minimum, _score(options))


def _clauses(options: Options, key: str) -> tuple[Operator, ...]:
    if options.document.get(key) in (None, []):
        return ()
    return tuple(parse_one(options.at(item, where)) for where, item in options.items(key))


def string_paths(options: Options) -> tuple[Path, ...]:
    """The `path` option of an operator on strings, or of a highlight."""
    return tuple(_path(options, where, item) for where, item in options.items("path"))


def _path(options: Options, where: str, value: object) -> Path:
    if isinstance(value, str):
        if not value:
            raise options.error(f'"{where}" cannot be empty')
        return Path(value)
    inner = options.at(value, where)
    inner.unsupported("multi")
    inner.only("wildcard", "value", "multi")
    if inner.has("wildcard"):
        pattern = inner.string("wildcard")
        if "**" in pattern:
            inner.fail("wildcard", "cannot contain consecutive wildcards")
        return Path(pattern, is_pattern=True)
    return Path(inner.string("value"))


def _score(options: Options) -> Score:
    if not options.has("score"):
        return Score()
    score = options.inner("score")
    score.unsupported("function", "embedded", "dismax")
    score.only("boost", "constant")
    if len(score.document) != 1:
        score.fail_here("exactly one of [boost, constant] must be present")
    if score.has("constant"):
        constant = score.inner("constant")
        constant.only("value")
        return Score(constant=_factor(constant, zero=True))
    boost = score.inner("boost")
    boost.unsupported("path")
    boost.only("value", "path")
    return Score(boost=_factor(boost))


def _factor(options: Options, *, zero: bool = False) -> float:
    value = options.number("value")
    if not (0 < value < float("inf") or (zero and value == 0)):
        options.fail("value", "cannot be negative" if zero else "must be positive")
    return value


_PARSERS: dict[str, Callable[[Options], Operator]] = {
    "autocomplete": _autocomplete,
    "compound": _compound,
    "equals": _equals,
    "exists": _exists,
    "in": _in,
    "phrase": _phrase,
    "range": _range,
    "text": _text,
    "wildcard": _wildcard,
}
OPERATORS = tuple(_PARSERS)

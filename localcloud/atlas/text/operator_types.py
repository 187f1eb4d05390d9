"""The operators of a $search stage, as operators.py parses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    """The score of an operator is multiplied by `boost`, or replaced by `constant`."""

    boost: float = 1.0
    constant: float | None = None


@dataclass(frozen=True)
class Path:
    """A dotted path, or a pattern in which * stands for any characters."""

    name: str
    is_pattern: bool = False


@dataclass(frozen=True)
class Fuzzy:
    """Words count as a word of the query if at most `edits` insertions, deletions, substitutions
    or transpositions of neighbours make it of them, behind the first `prefix` characters: the
    `expansions` nearest ones of each word."""

    edits: int
    prefix: int
    expansions: int


@dataclass(frozen=True)
class Text:
    """Documents with a word of a query, or with every word of one if `every` is set."""

    paths: tuple[Path, ...]
    queries: tuple[str, ...]
    every: bool
    score: Score
    fuzzy: Fuzzy | None = None


@dataclass(frozen=True)
class Autocomplete:
    """Documents with words that begin with a word of a query, or, if it is `sequential`, with its
    words one after the other, of which the last may be unfinished."""

    path: str
    queries: tuple[str, ...]
    sequential: bool
    score: Score


@dataclass(frozen=True)
class Wildcard:
    """Documents with a term that fits a pattern: ? is any character, * any number of them. Only
    with `analyzed` may a path be analyzed by another analyzer than lucene.keyword."""

    paths: tuple[Path, ...]
    queries: tuple[str, ...]
    analyzed: bool
    score: Score


@dataclass(frozen=True)
class Phrase:
    """Documents with the words of a query in order, moved by at most `slop` positions."""

    paths: tuple[Path, ...]
    queries: tuple[str, ...]
    slop: int
    score: Score


@dataclass(frozen=True)
class In:
    """Documents with one of the values at one of the paths. All values are of one kind.

    `equals` is parsed into this too.
    """

    paths: tuple[str, ...]
    kind: str
    values: tuple[Any, ...]
    score: Score


@dataclass(frozen=True)
class Range:
    """Documents with a value between two bounds. Each bound says whether it is included."""

    paths: tuple[str, ...]
    kind: str
    low: tuple[Any, bool] | None
    high: tuple[Any, bool] | None
    score: Score


@dataclass(frozen=True)
class Exists:
    """Documents that have the path."""

    path: str
    score: Score


@dataclass(frozen=True)
class Compound:
    """A combination of operators. At least `minimum` of the `should` clauses must match."""

    must: tuple[Operator, ...]
    must_not: tuple[Operator, ...]
    should: tuple[Operator, ...]
    filter: tuple[Operator, ...]
    minimum: int
    score: Score


Operator = Text | Phrase | Wildcard | Autocomplete | In | Range | Exists | Compound

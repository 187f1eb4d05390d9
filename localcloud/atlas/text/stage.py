"""Parses a $search or $searchMeta stage and runs it against its index.

Source: https://www.mongodb.com/docs/atlas/atlas-search/query-syntax/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tantivy import Query, Searcher

from localcloud.atlas.options import Options
from localcloud.atlas.text.documents import stored
from localcloud.atlas.text.facets import Counts, Facet, indexed_as, parse_facet
from localcloud.atlas.text.highlights import Wanted, highlights
from localcloud.atlas.text.matching import UNIT, Matcher, count_of
from localcloud.atlas.text.operator_types import Operator, Path
from localcloud.atlas.text.operators import OPERATORS, parse, string_paths
from localcloud.atlas.text.sorting import SortField, ordered, parse_sort
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.wire.errors import QueryError
from localcloud.atlas.wire.hits import Found, Hit

_SUPPORTED = ("index", "highlight", "count", "concurrent", "facet", "sort")
# Atlas has these options, this server does not.
_UNSUPPORTED = (
    *("returnScope", "returnStoredSource", "scoreDetails", "searchAfter", "searchBefore"),
    *("searchNodePreference", "tracking"),
)
_COUNT_TYPES = ("lowerBound", "total")


@dataclass(frozen=True)
class Highlight:
    """The `highlight` option: where to look for hits, and how much to examine and return."""

    paths: tuple[Path, ...]
    max_chars: int
    max_passages: int


@dataclass(frozen=True)
class TextSearch:
    """A stage, checked as far as that is possible without its index.

    `count` is the name under which the number of matches is reported. `facets` are by name, None
    without the collector.
    """

    index: str
    operator: Operator
    highlight: Highlight | None
    count: str
    facets: Mapping[str, Facet] | None
    sort: tuple[SortField, ...]

    @classmethod
    def parse(cls, stage: object, name: str) -> TextSearch:
        """Raises QueryError."""
        if not isinstance(stage, Mapping):
            raise QueryError(f"{name} must be a document")
        options = Options(stage)
        options.unsupported(*_UNSUPPORTED)
        operator, facets = _operator(options)
        options.only(*OPERATORS, *_SUPPORTED, *_UNSUPPORTED)
        return cls(
            options.string("index") if options.has("index") else "default",
            operator,
            _highlight(options.inner("highlight")) if options.has("highlight") else None,
            _count(options.inner("count")) if options.has("count") else "lowerBound",
            facets,
            parse_sort(options.inner("sort")) if options.has("sort") else (),
        )

    def run(
        self, store: TextStore, limit: int | None, *, highlighted: bool = True, counted: bool = True
    ) -> Found:
        """The best hits with their documents. Raises QueryError.

        Highlights and the count cost time, so the caller says whether a later stage reads them.
        """
        newer, searcher = store.newer(), store.snapshot()
        matcher = Matcher(store, searcher)
        query = matcher.query(self.operator)
        wanted = None if self.highlight is None else self._wanted(store, matcher, self.highlight)
        most = searcher.num_docs if limit is None else min(limit, searcher.num_docs)
        if not highlighted:
            wanted = None
        for facet in (self.facets or {}).values():
            indexed_as(facet, store.definition)
        read = searcher.num_docs if self.sort else most
        found = searcher.search(query, max(1, read), count=counted)
        best: list[tuple[Any, Any]] = found.hits
        if self.sort:
            best = ordered(searcher, best, self.sort, store.definition)
        hits = [_hit(searcher, newer, *each, wanted) for each in best[:most]]
        return self._found(hits, self._meta(matcher, query, count_of(found)) if counted else None)

    def without_index(self) -> Found:
        """The empty result of a search whose index does not exist."""
        return self._found([], {"count": {self.count: 0}})

    def meta(self, store: TextStore) -> dict[str, Any]:
        """The document that $searchMeta returns. Here the lower bound is the exact count."""
        searcher = store.snapshot()
        matcher = Matcher(store, searcher)
        query = matcher.query(self.operator)
        return self._meta(matcher, query, count_of(searcher.search(query, 1, count=True)))

    def _found(self, hits: list[Hit], meta: Mapping[str, Any] | None) -> Found:
        names = {"searchScore", "score"}
        if self.highlight is not None:
            names.add("searchHighlights")
        return Found(hits, frozenset(names), meta)

    def _meta(self, matcher: Matcher, query: Query, count: int) -> dict[str, Any]:
        counted = {"count": {self.count: count}}
        if self.facets is None:
            return counted
        counts = Counts(matcher, query, count)
        return {**counted, "facet": {name: counts.of(one) for name, one in self.facets.items()}}

    def _wanted(self, store: TextStore, matcher: Matcher, highlight: Highlight) -> Wanted:
        for path in highlight.paths:
            if not path.is_pattern and store.string_field(path.name) is None:
                raise QueryError(
                    f'Highlights cannot be generated. Path: "{path.name}" is not stored'
                    " statically or dynamically indexed."
                )
        paths = []
        for name in sorted(matcher.resolve(highlight.paths)):
            field = store.definition.at(name)
            if field is not None and field.string is not None:
                paths.append((name, field.string.index))
        words, phrases = matcher.highlighted(self.operator)
        return Wanted(paths, words, phrases, highlight.max_chars, highlight.max_passages)


def _hit(
    searcher: Searcher,
    newer: Mapping[bytes, bytes],
    score: float,
    where: Any,
    wanted: Wanted | None,
) -> Hit:
    value = score / UNIT
    meta: dict[str, Any] = {"searchScore": value, "score": value}
    key, packed = stored(searcher, where)
    hit = Hit(key, meta, newer.get(key, packed))
    if wanted is not None and hit.source is not None:
        meta["searchHighlights"] = highlights(hit.source.document, wanted)
    return hit


def _operator(options: Options) -> tuple[Operator, Mapping[str, Facet] | None]:
    """The operator, which may be inside a facet collector, and the facets."""
    operator = parse(options)
    if not options.has("facet"):
        if operator is None:
            raise QueryError(
                f"Query should contain either an operator [{', '.join(OPERATORS)}]"
                " or a collector [facet]"
            )
        return operator, None
    if operator is not None:
        options.fail_here("Top-level operator is not allowed to be used with collector")
    return parse_facet(options.inner("facet"))


def _highlight(options: Options) -> Highlight:
    options.only("path", "maxCharsToExamine", "maxNumPassages")
    return Highlight(
        string_paths(options),
        options.integer("maxCharsToExamine", 1, default=500_000),
        options.integer("maxNumPassages", 1, default=5),
    )


def _count(options: Options) -> str:
    options.only("type", "threshold")
    options.integer("threshold", 0, default=1000)
    return options.choice("type", _COUNT_TYPES, "lowerBound")

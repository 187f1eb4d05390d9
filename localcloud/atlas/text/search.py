"""A $search or $searchMeta stage, checked, and run against its index.

Source: https://www.mongodb.com/docs/atlas/atlas-search/query-syntax/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tantivy import Searcher, SearchResult

from localcloud.atlas.text.checks import Spec
from localcloud.atlas.text.highlights import Wanted, highlights
from localcloud.atlas.text.matching import UNIT, Matcher
from localcloud.atlas.text.operators import OPERATORS, Operator, Path, parse, string_paths
from localcloud.atlas.text.store import TextStore, stored
from localcloud.atlas.wire.errors import QueryError
from localcloud.atlas.wire.hits import Found, Hit

_OPTIONS = ("index", "highlight", "count", "concurrent", "returnStoredSource", "scoreDetails")
_ELSEWHERE = (
    *("facet", "returnScope", "returnStoredSource", "scoreDetails", "searchAfter"),
    *("searchBefore", "searchNodePreference", "sort", "tracking"),
)
_COUNTS = ("lowerBound", "total")


@dataclass(frozen=True)
class Highlight:
    paths: tuple[Path, ...]
    max_chars: int
    max_passages: int


@dataclass(frozen=True)
class TextSearch:
    """The stage, as far as it can be checked without an index."""

    index: str
    operator: Operator
    highlight: Highlight | None
    count: str

    @classmethod
    def parse(cls, stage: object, name: str) -> TextSearch:
        """Raises QueryError."""
        if not isinstance(stage, Mapping):
            raise QueryError(f"{name} must be a document")
        spec = Spec(stage, "")
        spec.unsupported(*_ELSEWHERE)
        operator = parse(spec)
        if operator is None:
            raise QueryError(f"Query should contain an operator [{', '.join(OPERATORS)}]")
        spec.only(*OPERATORS, *_OPTIONS, *_ELSEWHERE)
        return cls(
            spec.string("index") if spec.has("index") else "default",
            operator,
            _highlight(spec.inner("highlight")) if spec.has("highlight") else None,
            _count(spec.inner("count")) if spec.has("count") else "lowerBound",
        )

    def run(
        self, store: TextStore, limit: int | None, *, highlighted: bool = True, counted: bool = True
    ) -> Found:
        """The best hits, with their documents. Highlights and a count take time, so they are
        made if somebody asks for them. Raises QueryError."""
        searcher = store.snapshot()
        matcher = Matcher(store, searcher)
        query = matcher.query(self.operator)
        wanted = None if self.highlight is None else self._wanted(store, matcher, self.highlight)
        most = searcher.num_docs if limit is None else min(limit, searcher.num_docs)
        if not highlighted:
            wanted = None
        found = searcher.search(query, max(1, most), count=counted)
        hits = [self._hit(searcher, score, where, wanted) for score, where in found.hits[:most]]
        return self._found(hits, _count_of(found) if counted else None)

    def nothing(self) -> Found:
        """What there is to find without an index."""
        return self._found([], 0)

    def _hit(self, searcher: Searcher, score: float, where: Any, wanted: Wanted | None) -> Hit:
        value = score / UNIT
        meta: dict[str, Any] = {"searchScore": value, "score": value}
        key, packed = stored(searcher, where)
        hit = Hit(key, meta, packed)
        if wanted is not None and hit.source is not None:
            meta["searchHighlights"] = highlights(hit.source.document, wanted)
        return hit

    def _found(self, hits: list[Hit], count: int | None) -> Found:
        names = {"searchScore", "score"}
        if self.highlight is not None:
            names.add("searchHighlights")
        return Found(hits, frozenset(names), None if count is None else self._meta(count))

    def _meta(self, count: int) -> dict[str, Any]:
        return {"count": {self.count: count}}

    def meta(self, store: TextStore) -> dict[str, Any]:
        """What $searchMeta gives. The lower bound is the number itself."""
        searcher = store.snapshot()
        query = Matcher(store, searcher).query(self.operator)
        return self._meta(_count_of(searcher.search(query, 1, count=True)))

    def _wanted(self, store: TextStore, matcher: Matcher, highlight: Highlight) -> Wanted:
        for path in highlight.paths:
            if not path.wildcard and store.string_field(path.name) is None:
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


def _count_of(result: SearchResult) -> int:
    """tantivy's stubs forget it."""
    return int(result.count)  # type: ignore[attr-defined]


def _highlight(spec: Spec) -> Highlight:
    spec.only("path", "maxCharsToExamine", "maxNumPassages")
    return Highlight(
        string_paths(spec),
        spec.integer("maxCharsToExamine", 500_000, 1),
        spec.integer("maxNumPassages", 5, 1),
    )


def _count(spec: Spec) -> str:
    spec.only("type", "threshold")
    spec.integer("threshold", 1000, 0)
    return spec.choice("type", _COUNTS, "lowerBound")

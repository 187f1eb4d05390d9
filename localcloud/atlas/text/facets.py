"""The `facet` collector of a $search or $searchMeta stage.

Sources: https://www.mongodb.com/docs/search/query/operators-collectors/facet/ and mongot.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from tantivy import Query

from localcloud.atlas.options import Options
from localcloud.atlas.text import values
from localcloud.atlas.text.mappings import SearchDefinition
from localcloud.atlas.text.matching import Matcher
from localcloud.atlas.text.operator_types import Compound, Operator, Score
from localcloud.atlas.text.operators import parse_one
from localcloud.atlas.wire.errors import QueryError

# The field types that each type of facet counts, the preferred one first.
_INDEXED_AS = {
    "string": ("stringFacet", "token"),
    "number": ("number", "numberFacet"),
    "date": ("date", "dateFacet"),
}
_BOUNDS: dict[str, tuple[type, ...]] = {"number": (int, float), "date": (DatetimeMS,)}
_MAX_BUCKETS = 1000
_EVERYTHING = Compound((), (), (), (), 0, Score(constant=1.0))


@dataclass(frozen=True)
class Facet:
    """One facet. A `string` facet has `buckets`, the most it returns; the others `boundaries`, and
    with `default` a bucket of that name for the documents that are within none."""

    type: str
    path: str
    buckets: int = 0
    boundaries: tuple[Any, ...] = ()
    default: str | None = None


def parse_facet(options: Options) -> tuple[Operator, dict[str, Facet]]:
    """The operator that finds the documents, and the facets by name. Raises QueryError."""
    options.only("operator", "facets")
    operator = parse_one(options.inner("operator")) if options.has("operator") else _EVERYTHING
    facets = options.inner("facets")
    if not facets.document:
        options.fail("facets", "cannot be empty")
    return operator, {name: _facet(facets.inner(name)) for name in facets.document}


def _facet(options: Options) -> Facet:
    kind = options.choice("type", tuple(_INDEXED_AS))
    path = options.string("path")
    if kind == "string":
        options.only("type", "path", "numBuckets")
        return Facet(kind, path, options.integer("numBuckets", 1, _MAX_BUCKETS, default=10))
    options.only("type", "path", "boundaries", "default")
    default = options.string("default") if options.has("default") else None
    return Facet(kind, path, boundaries=_boundaries(options, kind), default=default)


def _boundaries(options: Options, kind: str) -> tuple[Any, ...]:
    given = options.required("boundaries")
    if not isinstance(given, list):
        options.mistyped("boundaries", "an array")
    for where, value in options.items("boundaries"):
        if isinstance(value, bool) or not isinstance(value, _BOUNDS[kind]):
            raise options.error(f'"{where}" must be a {kind}')
    if not 2 <= len(given) <= _MAX_BUCKETS:
        options.fail("boundaries", f"size must be within bounds: [2..{_MAX_BUCKETS}]")
    if not all(low < high for low, high in pairwise(given)):
        options.fail("boundaries", f"must be distinct {kind}s in ascending order")
    return tuple(given)


def indexed_as(facet: Facet, definition: SearchDefinition) -> str:
    """The field type that a facet counts. Raises QueryError if its path has none, and for
    boundaries that the index cannot tell apart."""
    if len(set(map(values.sortable, facet.boundaries))) < len(facet.boundaries):
        raise QueryError(
            "Cannot use multiple consecutive boundaries that resolve to the same number.  This can"
            " happen when resolving very large or very small numbers, depending on the chosen"
            " representation for the field."
        )
    field = definition.at(facet.path)
    for kind in _INDEXED_AS[facet.type]:
        if field is not None and kind in field.types:
            return kind
    wanted = "token" if facet.type == "string" else facet.type
    raise QueryError(
        f'Cannot facet on field "{facet.path}" "" because it was not indexed as a "{wanted}" field.'
    )


@dataclass(frozen=True)
class Counts:
    """Counts facets of the documents that match a query, which are `total`."""

    matcher: Matcher
    query: Query
    total: int

    def of(self, facet: Facet) -> dict[str, Any]:
        """The buckets of a facet. Raises QueryError if its path is not indexed for it."""
        kind = indexed_as(facet, self.matcher.definition)
        buckets = self._strings(facet, kind) if facet.buckets else self._ranges(facet, kind)
        return {"buckets": [{"_id": key, "count": Int64(count)} for key, count in buckets]}

    def _strings(self, facet: Facet, kind: str) -> list[tuple[Any, int]]:
        """The most frequent strings, those of the same frequency in their order."""
        begin = values.beginning(facet.path, kind)
        terms = self.matcher.count_values(self.query, begin)
        found = [(term[len(begin) :], count) for term, count in terms if term != begin]
        return sorted(found, key=lambda each: (-each[1], each[0]))[: facet.buckets]

    def _ranges(self, facet: Facet, kind: str) -> list[tuple[Any, int]]:
        """Each lower boundary with the number of documents from it to the next."""
        bounds = [values.sortable(bound) for bound in facet.boundaries]
        found: list[tuple[Any, int]] = []
        for bound, (low, high) in zip(facet.boundaries, pairwise(bounds), strict=False):
            terms = values.covering(facet.path, kind, low, high - 1)
            found.append((bound, self.matcher.count_with(self.query, terms)))
        if facet.default is not None:
            found.append((facet.default, self.total - sum(count for _, count in found)))
        return found

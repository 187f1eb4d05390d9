"""Parses a $vectorSearch stage.

Source: https://www.mongodb.com/docs/vector-search/query/aggregation-stages/vector-search-stage/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from localcloud.atlas.index.definitions import VectorDefinition, VectorField
from localcloud.atlas.options import Options
from localcloud.atlas.vector.bson_vectors import parse_vector
from localcloud.atlas.vector.filters import check_clauses
from localcloud.atlas.vector.filters import parse as parse_filter
from localcloud.atlas.vector.nearest import Floats
from localcloud.atlas.vector.store import Query
from localcloud.atlas.wire.errors import QueryError

MAX_CANDIDATES = 10_000
_KEYS = ("index", "path", "queryVector", "limit", "numCandidates", "exact", "filter")


@dataclass(frozen=True)
class VectorSearch:
    """A stage, checked as far as that is possible without its index.

    `candidates` is None for an exact search.
    """

    index: str
    path: str
    vector: Floats
    limit: int
    candidates: int | None
    filter: object

    @classmethod
    def parse(cls, stage: object) -> VectorSearch:
        """Raises QueryError."""
        if not isinstance(stage, Mapping):
            raise QueryError("$vectorSearch must be a document")
        options = Options(stage)
        options.only(*_KEYS)
        vector = parse_vector(options.required("queryVector"))
        if vector is None or not len(vector):
            options.fail(
                "queryVector",
                "must be a non-empty array of finite numbers, or a float32 or int8 binary vector",
            )
        limit = options.integer("limit", 1)
        return cls(
            options.string("index"),
            options.string("path"),
            vector,
            limit,
            _candidates(options, limit),
            stage.get("filter"),
        )

    def against(self, definition: VectorDefinition) -> Query:
        """The query of an index with this definition. Raises QueryError if it does not fit."""
        field = definition.vector(self.path)
        if field is None:
            raise QueryError(f"{self.path} is not indexed as vector")
        self._check_vector(field)
        wanted = None if self.filter is None else parse_filter(self.filter, definition.filters)
        if wanted is not None:
            check_clauses(wanted)
        return Query(self.vector.astype(np.float64), self.limit, self.candidates, wanted)

    def _check_vector(self, field: VectorField) -> None:
        if len(self.vector) != field.dimensions:
            raise QueryError(
                f"vector field is indexed with {field.dimensions} dimensions"
                f" but queried with {len(self.vector)}"
            )
        if field.similarity == "cosine" and not self.vector.any():
            raise QueryError("a zero vector has no cosine similarity to anything")


def _candidates(options: Options, limit: int) -> int | None:
    if options.boolean("exact"):
        if options.document.get("numCandidates") is not None:
            options.fail("numCandidates", 'must be omitted when "exact" is set to true')
        return None
    if options.document.get("numCandidates") is None:
        options.fail("numCandidates", 'is required unless "exact" is set to true')
    candidates = options.integer("numCandidates", 1, MAX_CANDIDATES)
    if limit > candidates:
        options.fail("limit", 'must be less than or equal to "numCandidates"')
    return candidates

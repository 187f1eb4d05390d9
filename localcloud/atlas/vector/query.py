"""A $vectorSearch stage, checked.

Source: https://www.mongodb.com/docs/vector-search/query/aggregation-stages/vector-search-stage/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from localcloud.atlas.index.definitions import VectorDefinition, VectorField
from localcloud.atlas.vector.embedding import parse_vector
from localcloud.atlas.vector.filters import parse as parse_filter
from localcloud.atlas.vector.nearest import Floats
from localcloud.atlas.vector.store import Query
from localcloud.atlas.wire.errors import QueryError

MAX_CANDIDATES = 10_000
_KEYS = {"index", "path", "queryVector", "limit", "numCandidates", "exact", "filter"}


@dataclass(frozen=True)
class VectorSearch:
    """The stage, as far as it can be checked without an index. `candidates` None: exact."""

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
        unknown = [key for key in stage if key not in _KEYS]
        if unknown:
            raise QueryError(f'unrecognized field "{unknown[0]}"')
        vector = parse_vector(_required(stage, "queryVector"))
        if vector is None or not len(vector):
            raise QueryError(
                '"queryVector" must be a non-empty array of finite numbers,'
                " or a float32 or int8 binary vector"
            )
        limit = _integer(stage, "limit", 1, None)
        return cls(
            _string(stage, "index"),
            _string(stage, "path"),
            vector,
            limit,
            _candidates(stage, limit),
            stage.get("filter"),
        )

    def against(self, definition: VectorDefinition) -> Query:
        """Check what depends on the index. Raises QueryError."""
        field = definition.vector(self.path)
        if field is None:
            raise QueryError(f"{self.path} is not indexed as vector")
        self._check_vector(field)
        wanted = None if self.filter is None else parse_filter(self.filter, definition.filters)
        return Query(self.vector.astype(np.float64), self.limit, self.candidates, wanted)

    def _check_vector(self, field: VectorField) -> None:
        if len(self.vector) != field.dimensions:
            raise QueryError(
                f"vector field is indexed with {field.dimensions} dimensions"
                f" but queried with {len(self.vector)}"
            )
        if field.similarity == "cosine" and not self.vector.any():
            raise QueryError("a zero vector has no cosine similarity to anything")


def _candidates(stage: Mapping[str, Any], limit: int) -> int | None:
    exact = stage.get("exact", False)
    if not isinstance(exact, bool):
        raise QueryError('"exact" must be a boolean')
    given = stage.get("numCandidates")
    if exact:
        if given is not None:
            raise QueryError('"numCandidates" must be omitted when "exact" is set to true')
        return None
    if given is None:
        raise QueryError('"numCandidates" is required unless "exact" is set to true')
    candidates = _integer(stage, "numCandidates", 1, MAX_CANDIDATES)
    if limit > candidates:
        raise QueryError('"limit" must be less than or equal to "numCandidates"')
    return candidates


def _required(stage: Mapping[str, Any], key: str) -> Any:
    if stage.get(key) is None:
        raise QueryError(f'"{key}" is required')
    return stage[key]


def _string(stage: Mapping[str, Any], key: str) -> str:
    value = _required(stage, key)
    if not isinstance(value, str) or not value:
        raise QueryError(f'"{key}" must be a non-empty string')
    return value


def _integer(stage: Mapping[str, Any], key: str, low: int, high: int | None) -> int:
    value = _required(stage, key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not float(value).is_integer():
        raise QueryError(f'"{key}" must be an integer')
    if value < low or (high is not None and value > high):
        bounds = "must be positive" if high is None else f"must be within bounds [{low}..{high}]"
        raise QueryError(f'"{key}" {bounds}')
    return int(value)

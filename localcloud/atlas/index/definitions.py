"""Search index definitions: what a user may ask for, checked and made into typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.atlas.text.mappings import bad, only, parse_search

SEARCH = "search"
VECTOR_SEARCH = "vectorSearch"
TYPES = (SEARCH, VECTOR_SEARCH)
SIMILARITIES = ("euclidean", "cosine", "dotProduct")
QUANTIZATIONS = ("none", "scalar", "binary")
INDEXING_METHODS = ("hnsw", "flat")
MAX_DIMENSIONS = 8192

_VECTOR_KEYS = {
    *("type", "path", "numDimensions", "similarity", "quantization"),
    *("hnswOptions", "indexingMethod"),
}
_HNSW_BOUNDS = {"maxEdges": (16, 64), "numEdgeCandidates": (100, 3200)}


@dataclass(frozen=True)
class VectorField:
    """One searchable vector path. Quantization and graph options are accepted and ignored:
    they change how an index is built, never what it means."""

    path: str
    dimensions: int
    similarity: str


@dataclass(frozen=True)
class VectorDefinition:
    """A vectorSearch definition: the vector fields and the paths that a filter may name."""

    vectors: tuple[VectorField, ...]
    filters: tuple[str, ...]

    def vector(self, path: str) -> VectorField | None:
        return next((field for field in self.vectors if field.path == path), None)


def check(kind: str, definition: object) -> None:
    """Refuse a definition of that index type. Raises CommandError (BadValue)."""
    if not isinstance(definition, Mapping):
        raise bad('"definition" must be a document')
    if kind == VECTOR_SEARCH:
        parse_vector(definition)
    else:
        parse_search(definition)


def parse_vector(definition: Mapping[str, Any]) -> VectorDefinition:
    """Check and type a vectorSearch definition. Raises CommandError (BadValue)."""
    only(definition, {"fields", "storedSource", "numPartitions"}, "definition")
    fields = definition.get("fields")
    if not isinstance(fields, list) or not fields:
        raise bad('"definition.fields" must be a non-empty array')
    vectors: list[VectorField] = []
    filters: list[str] = []
    for position, field in enumerate(fields):
        where = f"definition.fields[{position}]"
        if not isinstance(field, Mapping):
            raise bad(f'"{where}" must be a document')
        match _choice(field, "type", ("vector", "filter"), where):
            case "vector":
                vectors.append(_vector(field, where))
            case _:
                only(field, {"type", "path"}, where)
                filters.append(_path(field, where))
    if not vectors:
        raise bad('"definition.fields" must contain at least one field of type "vector"')
    paths = [field.path for field in vectors] + filters
    if len(set(paths)) != len(paths):
        raise bad("Vector and filter fields should have distinct paths")
    return VectorDefinition(tuple(vectors), tuple(filters))


def _vector(field: Mapping[str, Any], where: str) -> VectorField:
    only(field, _VECTOR_KEYS, where)
    path = _path(field, where)
    dimensions = _integer(field, "numDimensions", 1, MAX_DIMENSIONS, where)
    similarity = _choice(field, "similarity", SIMILARITIES, where)
    if "quantization" in field:
        _choice(field, "quantization", QUANTIZATIONS, where)
    if "indexingMethod" in field:
        _choice(field, "indexingMethod", INDEXING_METHODS, where)
    if "hnswOptions" in field:
        options = field["hnswOptions"]
        if not isinstance(options, Mapping):
            raise bad(f'"{where}.hnswOptions" must be a document')
        only(options, set(_HNSW_BOUNDS), f"{where}.hnswOptions")
        for key in options:
            _integer(options, key, *_HNSW_BOUNDS[key], f"{where}.hnswOptions")
    return VectorField(path, dimensions, similarity)


def _path(field: Mapping[str, Any], where: str) -> str:
    path = field.get("path")
    if not isinstance(path, str):
        raise bad(f'"{where}.path" ' + ("is required" if path is None else "must be a string"))
    if not all(path.split(".")) or path.startswith("$"):
        raise bad(f'"{where}.path" is not a field path: "{path}"')
    return path


def _choice(field: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str) -> str:
    value = field.get(key)
    if value is None:
        raise bad(f'"{where}.{key}" is required')
    if value not in allowed:
        raise bad(f'"{where}.{key}" must be one of [{", ".join(allowed)}]')
    return str(value)


def _integer(field: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = field.get(key)
    if value is None:
        raise bad(f'"{where}.{key}" is required')
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not float(value).is_integer():
        raise bad(f'"{where}.{key}" must be an integer')
    if not low <= value <= high:
        raise bad(f'"{where}.{key}" must be within bounds [{low}..{high}]')
    return int(value)

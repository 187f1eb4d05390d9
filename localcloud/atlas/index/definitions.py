"""Checks search index definitions and parses those of vector indexes.

Source: https://www.mongodb.com/docs/vector-search/vector-search-type/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from localcloud.atlas.options import Options
from localcloud.atlas.text.mappings import SearchDefinition, parse_search
from localcloud.atlas.wire.errors import CommandError

SEARCH = "search"
VECTOR_SEARCH = "vectorSearch"
TYPES = (SEARCH, VECTOR_SEARCH)
SIMILARITIES = ("euclidean", "cosine", "dotProduct")
QUANTIZATIONS = ("none", "scalar", "binary")
INDEXING_METHODS = ("hnsw", "flat")
MAX_DIMENSIONS = 8192

_VECTOR_KEYS = (
    *("type", "path", "numDimensions", "similarity", "quantization"),
    *("hnswOptions", "indexingMethod"),
)
_HNSW_BOUNDS = {"maxEdges": (16, 64), "numEdgeCandidates": (100, 3200)}


@dataclass(frozen=True)
class VectorField:
    """One searchable vector path.

    Quantization and graph options are checked and then ignored: they change how an index is
    built, not what it returns.
    """

    path: str
    dimensions: int
    similarity: str


@dataclass(frozen=True)
class VectorDefinition:
    """A vectorSearch definition: the vector fields, and the paths that a filter may name."""

    vectors: tuple[VectorField, ...]
    filters: tuple[str, ...]

    def vector(self, path: str) -> VectorField | None:
        return next((field for field in self.vectors if field.path == path), None)


def parse(kind: str, definition: object) -> VectorDefinition | SearchDefinition:
    """The definition of an index of that type. Raises CommandError (BadValue)."""
    options = command_options({}).at(definition, "definition")
    return parse_vector(options) if kind == VECTOR_SEARCH else parse_search(options)


def command_options(document: Mapping[str, Any], where: str = "") -> Options:
    """Options of a command, whose complaints are CommandErrors (BadValue)."""
    return Options(document, where, partial(CommandError, "BadValue"))


def parse_vector(options: Options) -> VectorDefinition:
    """Raises the error of `options` for a definition that cannot be used."""
    options.only("fields", "storedSource", "numPartitions")
    if not isinstance(options.document.get("fields"), list) or not options.document["fields"]:
        options.fail("fields", "must be a non-empty array")
    vectors: list[VectorField] = []
    filters: list[str] = []
    for where, value in options.items("fields"):
        field = options.at(value, where)
        if field.choice("type", ("vector", "filter")) == "vector":
            vectors.append(_vector(field))
        else:
            field.only("type", "path")
            filters.append(_path(field))
    if not vectors:
        options.fail("fields", 'must contain at least one field of type "vector"')
    paths = [field.path for field in vectors] + filters
    if len(set(paths)) != len(paths):
        raise options.error("Vector and filter fields should have distinct paths")
    return VectorDefinition(tuple(vectors), tuple(filters))


def _vector(field: Options) -> VectorField:
    field.only(*_VECTOR_KEYS)
    field.choice("quantization", QUANTIZATIONS, "none")
    field.choice("indexingMethod", INDEXING_METHODS, "hnsw")
    if field.has("hnswOptions"):
        options = field.inner("hnswOptions")
        options.only(*_HNSW_BOUNDS)
        for key in options.document:
            options.integer(key, *_HNSW_BOUNDS[key])
    return VectorField(
        _path(field),
        field.integer("numDimensions", 1, MAX_DIMENSIONS),
        field.choice("similarity", SIMILARITIES),
    )


def _path(field: Options) -> str:
    path = field.required("path")
    if not isinstance(path, str):
        field.mistyped("path", "a string")
    if not all(path.split(".")) or path.startswith("$"):
        field.fail("path", f'is not a field path: "{path}"')
    return path

"""The store of one version of a vectorSearch index: one VectorStore for each vector field."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.atlas.index.definitions import VectorDefinition, VectorField
from localcloud.atlas.index.sources import pack
from localcloud.atlas.index.stores import DamagedStore, Token, encode_id
from localcloud.atlas.vector.bson_vectors import vector_at
from localcloud.atlas.vector.columns import values_at
from localcloud.atlas.vector.nearest import Floats
from localcloud.atlas.vector.store import Shape, VectorStore

log = logging.getLogger("atlas.fields")


class FieldStores:
    """The Store of a vectorSearch index. `store` may be called from any thread."""

    def __init__(self, directory: Path, definition: VectorDefinition) -> None:
        self._directory = directory
        self.definition = definition
        self._stores: dict[str, VectorStore] = {}

    def open(self) -> None:
        try:
            self._open()
        except DamagedStore as error:
            log.warning("index on disk is damaged (%s), building it anew", error)
            self.close()
            shutil.rmtree(self._directory)
            self._open()

    def _open(self) -> None:
        for position, field in enumerate(self.definition.vectors):
            shape = Shape(field.dimensions, field.similarity, self.definition.filters)
            directory = self._place(position)
            _finish_swap(directory)
            self._stores[field.path] = VectorStore(directory, shape)

    def _place(self, position: int) -> Path:
        return self._directory / f"field{position}"

    def store(self, path: str) -> VectorStore | None:
        """The store of a vector path; None until it is loaded."""
        return self._stores.get(path)

    def token(self) -> Token | None:
        """The token of the first store, which commits last: the others are never behind it."""
        return self._stores[self.definition.vectors[0].path].token()

    def has(self, document: Mapping[str, Any]) -> bool:
        key, source = encode_id(document["_id"]), pack(document)
        return all(
            self._stores[field.path].has(key, _fitting(document, field), source)
            for field in self.definition.vectors
        )

    def put(self, document: Mapping[str, Any]) -> None:
        """Store a document. One without a vector that fits is left out of the index."""
        key = encode_id(document["_id"])
        found = {path: values_at(document, path) for path in self.definition.filters}
        fields = {path: values for path, values in found.items() if values is not None}
        source = pack(document)
        for field in self.definition.vectors:
            store = self._stores[field.path]
            vector = _fitting(document, field)
            if vector is None:
                store.remove(key)
            else:
                store.put(key, vector, fields, source)

    def remove(self, key: bytes) -> None:
        for store in self._stores.values():
            store.remove(key)

    def keep_only(self, keys: set[bytes]) -> None:
        for store in self._stores.values():
            for key in store.keys() - keys:
                store.remove(key)

    def commit(self, token: Token | None) -> None:
        for field in reversed(self.definition.vectors):
            self._stores[field.path].commit(token)

    def compact(self) -> None:
        """Copy the stores that consist mostly of dead rows."""
        for position, field in enumerate(self.definition.vectors):
            store = self._stores[field.path]
            if store.wasteful:
                self._stores[field.path] = self._copy(store, self._place(position))

    def _copy(self, store: VectorStore, directory: Path) -> VectorStore:
        """Copy a store. Searches use the old one until the new one is loaded."""
        fresh_directory = directory.with_suffix(".new")
        shutil.rmtree(fresh_directory, ignore_errors=True)
        fresh = VectorStore(fresh_directory, store.shape)
        for live in store.live():
            fresh.put(*live)
        fresh.commit(store.token())
        fresh.close()
        store.close()
        directory.rename(directory.with_suffix(".old"))
        _finish_swap(directory)
        return VectorStore(directory, store.shape)

    def close(self) -> None:
        for store in self._stores.values():
            store.close()

    def delete(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # another version of the index is beside it
            self._directory.parent.rmdir()


def _fitting(document: Mapping[str, Any], field: VectorField) -> Floats | None:
    """The document's vector, if it can be found by this field's similarity."""
    vector = vector_at(document, field.path)
    if vector is None or len(vector) != field.dimensions:
        return None
    return vector if field.similarity != "cosine" or vector.any() else None


def _finish_swap(directory: Path) -> None:
    """Complete a compaction that a crash has interrupted."""
    fresh, old = directory.with_suffix(".new"), directory.with_suffix(".old")
    if not directory.exists() and fresh.exists() and old.exists():
        fresh.rename(directory)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)

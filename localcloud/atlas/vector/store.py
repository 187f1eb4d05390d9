"""One vector field of one index, on disk and ready to search.

On disk are `vectors.f32`, an append-only matrix, and `rows.sqlite` (see rows.py). The matrix is
synced before the table commits, so after a crash a row is either known and complete, or unknown
and written again. A row with a wrong checksum, or a missing file, is a DamagedStore: the index is
then built anew from the collection.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from localcloud.atlas.index.stores import DamagedStore
from localcloud.atlas.vector import nearest
from localcloud.atlas.vector.columns import Column
from localcloud.atlas.vector.filters import Filter
from localcloud.atlas.vector.nearest import Doubles, Floats, Mask
from localcloud.atlas.vector.rows import Fields, RowTable

# The fewest rows by which the matrix and its arrays grow.
MIN_CAPACITY = 1_024
# Matrix rows below which a store is never compacted.
MIN_ROWS_TO_COMPACT = 2_000


@dataclass(frozen=True)
class Shape:
    """The vectors of a store, and the paths whose values it keeps for filters."""

    dimensions: int
    similarity: str
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """A checked search. `candidates` is None for an exact one."""

    vector: Doubles
    limit: int
    candidates: int | None
    filter: Filter | None


class VectorStore:
    """Opens, or creates, the store in a directory. One thread writes; any may search."""

    def __init__(self, directory: Path, shape: Shape) -> None:
        """Raises DamagedStore."""
        directory.mkdir(parents=True, exist_ok=True)
        self.shape = shape
        # Held while the arrays below change or are read together.
        self._lock = threading.Lock()
        self._sketch_lock = threading.Lock()
        self._sketch: nearest.Sketch | None = None
        self._columns = {path: Column() for path in shape.filters}
        self._ids: list[bytes | None] = []
        self._row_of: dict[bytes, int] = {}
        self._alive: Mask = np.zeros(0, np.bool_)
        self._lengths: Floats = np.zeros(0, np.float32)
        self._row_bytes = 4 * shape.dimensions
        self._matrix: Floats = np.zeros((0, shape.dimensions), np.float32)
        self._table = RowTable(directory / "rows.sqlite")
        self._file = os.open(directory / "vectors.f32", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        rows = self._table.matrix_rows
        if os.fstat(self._file).st_size < rows * self._row_bytes:
            raise DamagedStore("vectors are missing")
        self._reserve(rows)
        self._ids = [None] * rows
        for start in range(0, rows, nearest.CHUNK):
            part = slice(start, min(start + nearest.CHUNK, rows))
            self._lengths[part] = np.linalg.norm(self._matrix[part], axis=1)
        for row, key, fields, crc in self._table.load():
            if row >= rows or zlib.crc32(self._matrix[row].tobytes()) != crc:
                raise DamagedStore(f"row {row}")
            self._register(row, key, fields)

    def token(self) -> Mapping[str, Any] | None:
        """The resume token up to which the store is complete; None if no commit has had one."""
        return self._table.token

    # Writing

    def put(self, key: bytes, vector: Floats, fields: Fields, source: bytes) -> None:
        """Store a document with its vector and filter values under its encoded _id.

        The caller keeps zero vectors away from a cosine store: they have no direction.
        """
        data = vector.astype("<f4").tobytes()
        row = self._row_of.get(key)
        if row is not None and self._matrix[row].tobytes() == data:
            self._table.update(row, fields, source)
            with self._lock:
                self._set_fields(row, fields)
            return
        self.remove(key)
        row = len(self._ids)
        self._table.insert(row, key, fields, zlib.crc32(data), source)
        with self._lock:
            self._reserve(row + 1)
            os.pwrite(self._file, data, row * self._row_bytes)
            self._ids.append(None)
            self._lengths[row] = np.linalg.norm(vector)
            self._register(row, key, fields)

    def remove(self, key: bytes) -> None:
        """Forget a document. Nothing happens if it is not known."""
        row = self._row_of.get(key)
        if row is None:
            return
        with self._lock:
            del self._row_of[key]
            self._alive[row] = False
            self._ids[row] = None
        self._table.delete(row)

    def commit(self, token: Mapping[str, Any] | None) -> None:
        """Make all changes durable, together with the token that covers them.

        The token is None while the first scan of the collection is under way.
        """
        os.fdatasync(self._file)
        self._table.commit(len(self._ids), token)
        if len(self._ids) > nearest.SCAN_ROWS:
            self._sketch_of(len(self._ids))

    def close(self) -> None:
        """Close the files. Changes that were not committed are lost."""
        with self._lock:
            if self._file >= 0:
                self._table.close()
                os.close(self._file)
                self._file = -1

    def _register(self, row: int, key: bytes, fields: Fields) -> None:
        self._ids[row] = key
        self._row_of[key] = row
        self._set_fields(row, fields)
        self._alive[row] = True

    def _set_fields(self, row: int, fields: Fields) -> None:
        for path, column in self._columns.items():
            column.set(row, fields.get(path))

    def _reserve(self, rows: int) -> None:
        """Make room for rows in the matrix and its arrays.

        The file grows by holes. It is written by pwrite, not through the mapping, so that a full
        disk raises an error instead of a signal.
        """
        if rows <= len(self._matrix):
            return
        capacity = max(MIN_CAPACITY, rows, len(self._matrix) * 2)
        os.ftruncate(self._file, capacity * self._row_bytes)
        with open(self._file, "rb", closefd=False) as file:
            self._matrix = np.memmap(
                file, np.dtype("<f4"), "r", shape=(capacity, self.shape.dimensions)
            )
        spare = capacity - len(self._alive)
        self._alive = np.concatenate([self._alive, np.zeros(spare, np.bool_)])
        self._lengths = np.concatenate([self._lengths, np.zeros(spare, np.float32)])

    # Size

    def __len__(self) -> int:
        return len(self._row_of)

    def keys(self) -> set[bytes]:
        """The encoded _ids of all documents."""
        return set(self._row_of)

    @property
    def wasteful(self) -> bool:
        """Whether more than half of the matrix is dead rows, so that a copy is worth its time."""
        rows = len(self._ids)
        return rows > MIN_ROWS_TO_COMPACT and rows > 2 * len(self._row_of)

    def live(self) -> Iterator[tuple[bytes, Floats, Fields, bytes]]:
        """The arguments of `put` for every document. Only the writing thread may call this."""
        for row, key, fields, source in self._table.live():
            yield key, self._matrix[row], fields, source

    # Searching

    def search(self, query: Query) -> list[tuple[bytes, float]]:
        """The encoded _ids of the closest documents with their scores, best first."""
        with self._lock:
            rows = len(self._ids)
            matrix, lengths, ids = self._matrix, self._lengths, self._ids
            mask = self._alive[:rows].copy()
            if query.filter is not None:
                mask &= query.filter.mask(self._columns, rows)
        found = self._nearest(matrix, lengths, mask, query)
        best, scores = nearest.rank(matrix, found, query.vector, self.shape.similarity, query.limit)
        with self._lock:
            keys = [ids[row] for row in best]
        pairs = zip(keys, scores, strict=True)
        return [(key, float(score)) for key, score in pairs if key is not None]

    def sources(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The documents as they were put; None for one that is gone."""
        rows = [self._row_of.get(key) for key in keys]
        return [None if row is None else self._table.source(row) for row in rows]

    def _nearest(self, matrix: Floats, lengths: Floats, mask: Mask, query: Query) -> nearest.Rows:
        """The closest rows, a few more than the limit: float32 may misorder the last ones."""
        similarity = self.shape.similarity
        count = query.limit + max(32, query.limit // 4)
        matching = int(np.count_nonzero(mask))
        scan = len(mask) <= nearest.SCAN_ROWS or matching <= nearest.GATHER_ROWS
        if query.candidates is None or scan:
            return nearest.scan(matrix, lengths, mask, query.vector, similarity, count)
        size = max(nearest.SHORTLIST, query.candidates, 4 * query.limit)
        sketch = self._sketch_of(len(mask))
        rows = sketch.shortlist(mask, query.vector, size)
        return nearest.sift(matrix, lengths, rows, query.vector, similarity, count)

    def _sketch_of(self, rows: int) -> nearest.Sketch:
        """The sketch, built or extended so that it covers the rows."""
        with self._sketch_lock:
            if self._sketch is None or self._sketch.outgrown(rows):
                self._sketch = nearest.Sketch(
                    self._matrix, self._lengths, rows, self.shape.similarity
                )
            elif rows > self._sketch.rows:
                self._sketch.extend(self._matrix, self._lengths, rows)
            return self._sketch

"""One vector field of one index, on disk and ready to search.

On disk are two files: `vectors.f32`, an append-only matrix, and `rows.sqlite`, which says
which document each row is, with its filter values, the document itself (see sources.py), a
checksum and, in the same transaction, the resume token that all of it covers. The matrix is
synced before that transaction commits, so after a crash a row is either known and whole or
not known and written again. A row whose checksum is wrong, or a missing file, is a
DamagedStore: the index is then built anew from the collection.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import numpy as np

from localcloud.atlas.index.stores import DamagedStore
from localcloud.atlas.vector import nearest
from localcloud.atlas.vector.columns import Column
from localcloud.atlas.vector.filters import Filter
from localcloud.atlas.vector.nearest import Doubles, Floats, Mask
from localcloud.atlas.wire.messages import LOSSLESS, decode_document

FORMAT = 2
_SCHEMA = f"""
BEGIN;
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, fields BLOB NOT NULL, crc INTEGER NOT NULL,
    source BLOB NOT NULL);
COMMIT;
"""
Fields = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Shape:
    """What a store holds: `filters` are the paths whose values it keeps."""

    dimensions: int
    similarity: str
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """`candidates` None asks for the exact answer."""

    vector: Doubles
    limit: int
    candidates: int | None
    filter: Filter | None


class VectorStore:
    """Open, or create, the store in a directory. One thread writes; any may search."""

    def __init__(self, directory: Path, shape: Shape) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.shape = shape
        self._lock = threading.Lock()
        self._sketch_lock = threading.Lock()
        self._sketch: nearest.Sketch | None = None
        self._columns = {path: Column() for path in shape.filters}
        self._ids: list[bytes | None] = []
        self._row_of: dict[bytes, int] = {}
        self._alive: Mask = np.zeros(0, np.bool_)
        self._lengths: Floats = np.zeros(0, np.float32)
        self._row_bytes = 4 * shape.dimensions
        self._file = os.open(directory / "vectors.f32", os.O_RDWR | os.O_CREAT, 0o600)
        self._matrix: Floats = np.zeros((0, shape.dimensions), np.float32)
        self._db = _connect(directory / "rows.sqlite")
        # Searches read documents over a connection of their own, which does not wait for a
        # commit and sees committed ones only; the others are in `_fresh`, by row.
        self._reader = _connect(directory / "rows.sqlite")
        self._reader_lock = threading.Lock()
        self._fresh: dict[int, bytes] = {}
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._prepare()
            self._load()
        except sqlite3.OperationalError:  # a full disk, say: no damage
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            raise DamagedStore(str(error)) from error
        except DamagedStore:
            self.close()
            raise
        self._db.execute("BEGIN")

    # Reading back

    def _prepare(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone() == (FORMAT,):
            return
        if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise DamagedStore("another format")
        self._db.executescript(_SCHEMA)

    def _load(self) -> None:
        rows = int(self._meta("rows") or 0)
        if os.fstat(self._file).st_size < rows * self._row_bytes:
            raise DamagedStore("vectors are missing")
        self._reserve(rows)
        self._ids = [None] * rows
        for start in range(0, rows, nearest.CHUNK):
            part = slice(start, min(start + nearest.CHUNK, rows))
            self._lengths[part] = np.linalg.norm(self._matrix[part], axis=1)
        cursor = self._db.execute("SELECT row, id, fields, crc FROM rows ORDER BY row")
        for row, key, fields, crc in cursor:
            if row >= rows or zlib.crc32(self._matrix[row].tobytes()) != crc:
                raise DamagedStore(f"row {row}")
            self._know(row, key, decode_document(fields))

    def _meta(self, key: str) -> Any:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def token(self) -> Mapping[str, Any] | None:
        """The resume token up to which the store is complete; None until `commit` has had one."""
        raw = self._meta("token")
        return None if raw is None else bson.decode(raw)

    # Writing

    def put(self, key: bytes, vector: Floats, fields: Fields, source: bytes) -> None:
        """Store a document's vector and filter values, and itself, under its encoded _id. A
        cosine has no direction without a length, so the caller keeps zero vectors away from
        one."""
        data = vector.astype("<f4").tobytes()
        row = self._row_of.get(key)
        if row is not None and self._matrix[row].tobytes() == data:
            self._fresh[row] = source
            with self._lock:
                self._set_fields(row, fields)
            self._db.execute(
                "UPDATE rows SET fields = ?, source = ? WHERE row = ?",
                (_encode_fields(fields), source, row),
            )
            return
        self.remove(key)
        row = len(self._ids)
        self._fresh[row] = source
        with self._lock:
            self._reserve(row + 1)
            os.pwrite(self._file, data, row * self._row_bytes)
            self._ids.append(None)
            self._lengths[row] = np.linalg.norm(vector)
            self._know(row, key, fields)
        self._db.execute(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
            (row, key, _encode_fields(fields), zlib.crc32(data), source),
        )

    def remove(self, key: bytes) -> None:
        """Forget a document; nothing happens if it is not known."""
        row = self._row_of.get(key)
        if row is None:
            return
        with self._lock:
            del self._row_of[key]
            self._alive[row] = False
            self._ids[row] = None
        self._db.execute("DELETE FROM rows WHERE row = ?", (row,))

    def commit(self, token: Mapping[str, Any] | None) -> None:
        """Make everything so far durable, and with it the token that it covers (None: the
        collection has not been read to its end yet)."""
        os.fdatasync(self._file)
        values: dict[str, Any] = {"rows": len(self._ids)}
        if token is not None:
            values["token"] = bson.encode(token)
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")
        self._fresh.clear()
        if len(self._ids) > nearest.SCAN_ROWS:
            self._sketch_of(len(self._ids))

    def close(self) -> None:
        """What was not committed is forgotten."""
        with self._lock:
            if self._file >= 0:
                with self._reader_lock:
                    self._reader.close()
                self._db.close()
                os.close(self._file)
                self._file = -1

    def _know(self, row: int, key: bytes, fields: Fields) -> None:
        self._ids[row] = key
        self._row_of[key] = row
        self._set_fields(row, fields)
        self._alive[row] = True

    def _set_fields(self, row: int, fields: Fields) -> None:
        for path, column in self._columns.items():
            column.set(row, fields.get(path))

    def _reserve(self, rows: int) -> None:
        """The file grows by holes. Written by pwrite and not through the mapping, so that a
        full disk is an error and not a signal."""
        if rows <= len(self._matrix):
            return
        capacity = max(1024, rows, len(self._matrix) * 2)
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
        """The encoded _ids of all live documents."""
        return set(self._row_of)

    @property
    def wasteful(self) -> bool:
        """Whether so many rows are dead that a copy without them is worth its time."""
        return len(self._ids) > 2_000 and len(self._ids) > 2 * len(self._row_of)

    def live(self) -> Iterator[tuple[bytes, Floats, Fields, bytes]]:
        """Every live document, for a copy, as `put` takes it. Only the writing thread may call
        this."""
        cursor = self._db.execute("SELECT row, id, fields, source FROM rows ORDER BY row")
        for row, key, fields, source in cursor:
            yield key, self._matrix[row], decode_document(fields), source

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
        with self._reader_lock:
            try:
                return [self._source(key) for key in keys]
            except sqlite3.ProgrammingError:  # closed: copied, or dropped
                return [None] * len(keys)

    def _source(self, key: bytes) -> bytes | None:
        row = self._row_of.get(key)
        if row is None:
            return None
        fresh = self._fresh.get(row)
        if fresh is not None:
            return fresh
        query = "SELECT source FROM rows WHERE row = ?"
        found = self._reader.execute(query, (row,)).fetchone()
        return None if found is None else bytes(found[0])

    def _nearest(self, matrix: Floats, lengths: Floats, mask: Mask, query: Query) -> nearest.Rows:
        """A few more rows than the limit: single precision may confuse the last ones."""
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
        """The sketch, made or extended to cover so many rows."""
        with self._sketch_lock:
            if self._sketch is None or self._sketch.outgrown(rows):
                self._sketch = nearest.Sketch(
                    self._matrix, self._lengths, rows, self.shape.similarity
                )
            elif rows > self._sketch.rows:
                self._sketch.extend(self._matrix, self._lengths, rows)
            return self._sketch


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _encode_fields(fields: Fields) -> bytes:
    return bson.encode(fields, codec_options=LOSSLESS)

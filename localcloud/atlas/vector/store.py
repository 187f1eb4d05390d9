"""One vector field of one index, on disk and ready to search.

On disk are `vectors.f32`, an append-only matrix, `rows.sqlite` (see rows.py), and for a large store
two files that only make the next start fast: `sketch.npz`, what a search derives from the first
rows of the matrix, and a snapshot of the rows (see snapshot.py). The matrix is synced before the
table commits, so after a crash a row is either known and complete, or unknown and written again. A
row with a wrong checksum, or a missing file, is a DamagedStore: the index is then built anew from
the collection. The rows of a snapshot are checked after the start, while searches are answered.
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
from localcloud.atlas.vector import nearest, snapshot
from localcloud.atlas.vector.columns import Column
from localcloud.atlas.vector.filters import Filter
from localcloud.atlas.vector.nearest import Doubles, Floats, Mask
from localcloud.atlas.vector.rows import Fields, RowTable, encode
from localcloud.atlas.vector.snapshot import Snapshot
from localcloud.atlas.wire.messages import decode_document

# The fewest rows by which the matrix and its arrays grow.
MIN_CAPACITY = 1_024
# The share of rows that are new, or have changed, after which the sketch and the snapshot are
# saved again.
SAVED_SHARE = 1 / 16
# Rows that are checked at once after a start, and the seconds between, so that searches go first.
CHECKED_ROWS = 1_000
CHECK_PAUSE = 0.05
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
        self.directory = directory
        self.shape = shape
        # Held while the arrays below change or are read together.
        self._lock = threading.Lock()
        self._sketch_lock = threading.Lock()
        self._sketch: nearest.Sketch | None = None
        # The sketch takes long to make. A row never changes, so a sketch of the first rows, of
        # those that were committed, stays right.
        self._sketch_file = directory / "sketch.npz"
        self._sketch_saved = 0
        self._columns = {path: Column() for path in shape.filters}
        # The distinct filter values of rows: their numbers by their encoding, and by number what
        # stands for them in each column. Those of number 0 belong to rows that are not in use.
        self._numbers_of: dict[bytes, int] = {b"": 0}
        self._codes = [self._encoded({})]
        self._numbers = np.zeros(0, np.int32)
        self._crcs = np.zeros(0, np.uint32)
        # Changes since the snapshot.
        self._unsaved = 0
        # The first row that was found damaged after the start.
        self._damage: str | None = None
        self._closing = threading.Event()
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
        stamp = self._table.stamp
        known = Snapshot.load(self.directory, stamp) if stamp else None
        saved = self._restore(known) if known is not None and len(known.ids) <= rows else 0
        for start in range(saved, rows, nearest.CHUNK):
            part = slice(start, min(start + nearest.CHUNK, rows))
            self._lengths[part] = np.linalg.norm(self._matrix[part], axis=1)
        self._load_rows(rows, self._table.changed() if saved else self._table.load())
        self._table.begin()
        if saved:
            threading.Thread(target=self._check, args=(saved,), name="check", daemon=True).start()
        if rows > nearest.SCAN_ROWS:
            self._sketch = nearest.Sketch.load(self._sketch_file, self.shape.similarity, rows)
            self._sketch_saved = self._sketch.rows if self._sketch else 0
            self._sketch_of(rows)

    def _restore(self, known: Snapshot) -> int:
        """Load the rows of a snapshot. Returns their number."""
        rows = len(known.ids)
        for number, encoded in enumerate(known.fields[1:], 1):
            self._numbers_of[encoded] = number
            self._codes.append(self._encoded(decode_document(encoded)))
        self._numbers[:rows], self._crcs[:rows] = known.numbers, known.crcs
        self._lengths[:rows] = known.lengths
        self._alive[:rows] = known.numbers > 0
        self._ids[:rows] = known.ids
        self._row_of = {key: row for row, key in enumerate(known.ids) if key is not None}
        table = np.array(self._codes, np.int32).reshape(len(self._codes), len(self._columns))
        for column, codes in zip(self._columns.values(), table.T, strict=True):
            column.load(codes[known.numbers])
        return rows

    def _load_rows(self, rows: int, found: Iterator[tuple[int, bytes | None, bytes, int]]) -> None:
        """Load what the table tells of the rows, all of them or those that changed."""
        vectors = np.asarray(self._matrix)  # a memmap makes a memmap of each row
        for row, key, fields, crc in found:
            self._unsaved += 1
            if key is None:
                self._forget(row)
                continue
            if row >= rows or zlib.crc32(vectors[row]) != crc:
                raise DamagedStore(f"row {row}")
            self._crcs[row] = crc
            self._register(row, key, self._number(fields))

    def _check(self, rows: int) -> None:
        """Check the rows that came from a snapshot, in a thread of its own."""
        vectors, crcs = np.asarray(self._matrix), self._crcs
        for start in range(0, rows, CHECKED_ROWS):
            if self._closing.wait(CHECK_PAUSE):
                return
            for row in range(start, min(start + CHECKED_ROWS, rows)):
                if self._ids[row] is not None and zlib.crc32(vectors[row]) != crcs[row]:
                    self._damage = f"row {row}"
                    return

    def token(self) -> Mapping[str, Any] | None:
        """The resume token up to which the store is complete; None if no commit has had one."""
        return self._table.token

    # Writing

    def has(self, key: bytes, vector: Floats | None, source: bytes) -> bool:
        """Whether the document is stored with this vector, or for None is not stored."""
        row = self._row_of.get(key)
        if row is None or vector is None:
            return row is None and vector is None
        known = np.array_equal(self._matrix[row], vector.astype("<f4"), equal_nan=True)
        return known and self._table.source(row) == source

    def put(self, key: bytes, vector: Floats, fields: Fields, source: bytes) -> None:
        """Store a document with its vector and filter values under its encoded _id.

        The caller keeps zero vectors away from a cosine store: they have no direction.
        """
        data = vector.astype("<f4").tobytes()
        encoded = encode(fields)
        row = self._row_of.get(key)
        self._unsaved += 1
        if row is not None and self._matrix[row].tobytes() == data:
            self._table.update(row, encoded, source)
            with self._lock:
                self._set_number(row, self._number(encoded))
            return
        self.remove(key)
        row, crc = len(self._ids), zlib.crc32(data)
        self._table.insert(row, key, encoded, crc, source)
        with self._lock:
            self._reserve(row + 1)
            os.pwrite(self._file, data, row * self._row_bytes)
            self._ids.append(None)
            self._lengths[row], self._crcs[row] = np.linalg.norm(vector), crc
            self._register(row, key, self._number(encoded))

    def remove(self, key: bytes) -> None:
        """Forget a document. Nothing happens if it is not known."""
        row = self._row_of.get(key)
        if row is None:
            return
        with self._lock:
            self._forget(row)
        self._unsaved += 1
        self._table.delete(row)

    def commit(self, token: Mapping[str, Any] | None) -> None:
        """Make all changes durable, together with the token that covers them.

        The token is None while the first scan of the collection is under way.
        """
        if self._damage is not None:
            raise DamagedStore(self._damage)
        os.fdatasync(self._file)
        rows = len(self._ids)
        self._table.commit(rows, token)
        if rows > nearest.SCAN_ROWS:
            sketch = self._sketch_of(rows)
            if rows - self._sketch_saved > SAVED_SHARE * rows:
                sketch.save(self._sketch_file, rows)
                self._sketch_saved = rows
            if self._unsaved > SAVED_SHARE * rows:
                self._save_rows(rows)

    def _save_rows(self, rows: int) -> None:
        stamp = self._table.stamp + 1
        parts = (self._numbers[:rows], self._crcs[:rows], self._lengths[:rows])
        Snapshot(self._ids, *parts, list(self._numbers_of)).save(self.directory, stamp)
        self._table.begin_anew(stamp)
        snapshot.keep_only(self.directory, stamp)
        self._unsaved = 0

    def close(self) -> None:
        """Close the files. Changes that were not committed are lost."""
        self._closing.set()
        with self._lock:
            if self._file >= 0:
                self._table.close()
                os.close(self._file)
                self._file = -1

    def _register(self, row: int, key: bytes, number: int) -> None:
        if (old := self._ids[row]) is not None:
            del self._row_of[old]
        self._ids[row] = key
        self._row_of[key] = row
        self._set_number(row, number)
        self._alive[row] = True

    def _forget(self, row: int) -> None:
        if (key := self._ids[row]) is not None:
            del self._row_of[key]
        self._ids[row] = None
        self._alive[row] = False
        self._numbers[row] = 0

    def _number(self, encoded: bytes) -> int:
        """The number of encoded filter values. Documents of one thing share one."""
        number = self._numbers_of.get(encoded)
        if number is None:
            number = self._numbers_of[encoded] = len(self._codes)
            self._codes.append(self._encoded(decode_document(encoded)))
        return number

    def _encoded(self, fields: Fields) -> list[int]:
        """What stands for the values in each column."""
        return [column.code(fields.get(path)) for path, column in self._columns.items()]

    def _set_number(self, row: int, number: int) -> None:
        self._numbers[row] = number
        for column, code in zip(self._columns.values(), self._codes[number], strict=True):
            column.set(row, code)

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
        self._numbers = np.concatenate([self._numbers, np.zeros(spare, np.int32)])
        self._crcs = np.concatenate([self._crcs, np.zeros(spare, np.uint32)])

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
                self._sketch = nearest.Sketch.of(
                    self._matrix, self._lengths, rows, self.shape.similarity
                )
            elif rows > self._sketch.rows:
                self._sketch.extend(self._matrix, self._lengths, rows)
            return self._sketch

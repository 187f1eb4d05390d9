"""Finds the nearest rows of a float32 matrix, exactly or by a shortlist from sign bits.

A sketch keeps one bit for each dimension: the sign of the row's difference from the mean row. The
share of bits in which a row differs from the query estimates their angle, and with the length of
the row that estimate ranks rows by any of the three similarities. The shortlist is then ordered
by the exact similarity, so scores are always exact.

Products are computed by np.vecdot instead of `@`: it is as fast at these shapes and does not use
BLAS threads, which on a busy machine wait for each other far longer than they work.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# Rows that are computed at once, which bounds the memory of a search.
CHUNK = 8192
# Rows up to which a full scan costs no more than a shortlist.
SCAN_ROWS = 4_096
# Rows that match a filter up to which a scan of those costs no more than a shortlist.
GATHER_ROWS = 4_096
# The fewest rows in a shortlist.
SHORTLIST = 800
# Rows from which a shortlist is made in two steps: a third of the bits choose some rows, and all
# bits choose among those. With fewer rows the second step costs more than it saves.
COARSE_ROWS = 80_000
# The rows that the first step chooses for each one of the shortlist.
_COARSE_FACTOR = 16
# Rows from which the mean row is computed.
_CENTRE_SAMPLE = 4_096


def exact_scores(rows: Floats, query: Doubles, similarity: str) -> Doubles:
    """The documented scores, in double precision.

    They are 1/(1+d^2) for the distance d, or (1+x)/2 for the cosine or dot product x.
    """
    wide = rows.astype(np.float64)
    if similarity == "euclidean":
        difference = wide - query
        squared = np.einsum("ij,ij->i", difference, difference)
        return np.asarray(1.0 / (1.0 + squared))
    product = np.vecdot(wide, query)
    if similarity == "cosine":
        product = product / (np.linalg.norm(wide, axis=1) * np.linalg.norm(query))
    return np.asarray((1.0 + product) / 2.0)


def top(closeness: Floats, count: int) -> Rows:
    """The positions of the `count` largest values, in no particular order."""
    if count >= len(closeness):
        return np.arange(len(closeness))
    return np.argpartition(closeness, len(closeness) - count)[len(closeness) - count :]


def rank(
    matrix: Floats, rows: Rows, query: Doubles, similarity: str, limit: int
) -> tuple[Rows, Doubles]:
    """The best `limit` of `rows` with their scores, best first. Equal scores are in row order."""
    scores = np.empty(len(rows))
    for start in range(0, len(rows), 1024):
        part = slice(start, start + 1024)
        scores[part] = exact_scores(matrix[rows[part]], query, similarity)
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]


def scan(
    matrix: Floats, lengths: Floats, mask: Mask, query: Doubles, similarity: str, count: int
) -> Rows:
    """The `count` rows under the mask that are closest in single precision."""
    rows = np.flatnonzero(mask)
    if 2 * len(rows) < len(mask):
        return sift(matrix, lengths, rows, query, similarity, count)
    narrow = query.astype(np.float32)
    closeness = np.empty(len(mask), np.float32)
    for start in range(0, len(mask), CHUNK):
        part = slice(start, min(start + CHUNK, len(mask)))
        closeness[part] = _closeness(matrix[part], lengths[part], narrow, similarity)
    closeness[~mask] = -np.inf
    return top(closeness, min(count, len(rows)))


def sift(
    matrix: Floats, lengths: Floats, rows: Rows, query: Doubles, similarity: str, count: int
) -> Rows:
    """The `count` of `rows` that are closest in single precision."""
    if len(rows) <= count:
        return rows
    narrow = query.astype(np.float32)
    closeness = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        closeness[start : start + CHUNK] = _closeness(
            matrix[part], lengths[part], narrow, similarity
        )
    return rows[top(closeness, count)]


def _closeness(rows: Floats, lengths: Floats, query: Floats, similarity: str) -> Floats:
    product = np.vecdot(rows, query)
    if similarity == "euclidean":
        return np.asarray(2.0 * product - lengths * lengths)
    return np.asarray(product / lengths) if similarity == "cosine" else product


def _normal(rows: Floats, lengths: Floats, similarity: str) -> Floats:
    return rows / lengths[:, None] if similarity == "cosine" else rows


class Sketch:
    """The sign bits of all rows, and each row's distance from the centre with a bias.

    The centre is the mean of the rows that the sketch was made with. One thread may add rows
    while others search.
    """

    def __init__(self, centre: Floats, similarity: str, made_with: int) -> None:
        """A sketch of no rows yet. `made_with` is the number of rows that gave the centre."""
        dimensions = len(centre)
        self._centre = centre
        self._similarity = similarity
        self._made_with = made_with
        self._words = math.ceil(dimensions / 64)
        self._bits = np.empty((self._words, 0), np.uint64)
        self._reach = np.empty(0, np.float32)
        self._bias = np.empty(0, np.float32)
        self.rows = 0

    @classmethod
    def of(cls, matrix: Floats, lengths: Floats, rows: int, similarity: str) -> Sketch:
        """The sketch of the first rows."""
        step = max(1, rows // _CENTRE_SAMPLE)
        sample = _normal(matrix[0:rows:step], lengths[0:rows:step], similarity)
        centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        sketch = cls(centre, similarity, rows)
        sketch.extend(matrix, lengths, rows)
        return sketch

    def save(self, path: Path, rows: int) -> None:
        """Keep what is known of the first rows in a file."""
        fresh = path.with_suffix(".new.npz")
        np.savez(
            fresh,
            centre=self._centre,
            made_with=np.array(self._made_with),
            bits=self._bits[:, :rows],
            reach=self._reach[:rows],
            bias=self._bias[:rows],
        )
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path, similarity: str, rows: int) -> Sketch | None:
        """The sketch of a file; None if there is none that is sound and of no more rows."""
        try:
            with np.load(path) as found:
                sketch = cls(found["centre"], similarity, int(found["made_with"]))
                sketch._bits, sketch._reach = found["bits"], found["reach"]
                sketch._bias = found["bias"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        sketch.rows = len(sketch._reach)
        return sketch if sketch.rows <= rows else None

    def outgrown(self, rows: int) -> bool:
        """Whether there are so many new rows that the centre may have moved."""
        return rows >= 2 * self._made_with

    def extend(self, matrix: Floats, lengths: Floats, rows: int) -> None:
        """Add the rows that are new."""
        self._reserve(rows)
        for start in range(self.rows, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            self._take(part, _normal(matrix[part], lengths[part], self._similarity))
        self.rows = max(rows, self.rows)

    def _reserve(self, rows: int) -> None:
        """Make room by new arrays, so that a search under way keeps using the old ones."""
        if rows <= len(self._reach):
            return
        size, kept = max(rows + rows // 2, 1024), self.rows
        bits, reach, bias = self._bits, self._reach, self._bias
        self._bits = np.empty((self._words, size), np.uint64)
        self._reach = np.empty(size, np.float32)
        self._bias = np.empty(size, np.float32)
        self._bits[:, :kept] = bits[:, :kept]
        self._reach[:kept], self._bias[:kept] = reach[:kept], bias[:kept]

    def _take(self, part: slice, rows: Floats) -> None:
        difference = rows - self._centre
        self._bits[:, part] = self._pack(difference)
        reach = np.linalg.norm(difference, axis=1)
        self._reach[part] = reach
        dot = self._similarity == "dotProduct"
        self._bias[part] = np.vecdot(rows, self._centre) if dot else -reach * reach / 2

    def _pack(self, difference: Floats) -> npt.NDArray[np.uint64]:
        """The sign bits of rows in machine words, one column for each row: (words, rows)."""
        packed = np.packbits(difference > 0, axis=1)
        whole = np.zeros((len(difference), self._words * 8), np.uint8)
        whole[:, : packed.shape[1]] = packed
        return np.ascontiguousarray(whole.view(np.uint64).T)

    def shortlist(self, mask: Mask, query: Doubles, count: int) -> Rows:
        """The `count` rows under the mask that seem closest. The mask covers rows in the sketch."""
        wanted = query / np.linalg.norm(query) if self._similarity == "cosine" else query
        difference = (wanted - self._centre).astype(np.float32)
        rows = np.flatnonzero(mask)
        few = 4 * len(rows) < len(mask)
        chosen, size = (rows, len(rows)) if few else (slice(0, len(mask)), len(mask))
        coarse = _COARSE_FACTOR * count
        two_steps = size >= max(COARSE_ROWS, 4 * coarse)
        words = max(1, self._words // 3) if two_steps else self._words
        estimate = self._estimate(difference, chosen, words)
        if not few:
            estimate[~mask] = -np.inf
        best = top(estimate, min(coarse if two_steps else count, len(rows)))
        some = rows[best] if few else best
        if not two_steps:
            return some
        return some[top(self._estimate(difference, some, self._words), count)]

    def _estimate(self, difference: Floats, rows: Rows | slice, words: int) -> Floats:
        """How close the rows seem to a query by their first words of bits.

        `difference` is the query's from the centre.
        """
        query = self._pack(difference[None, :])[:words, 0]
        reach = self._reach[rows]
        differing = np.zeros(len(reach), np.uint16)
        for bits, bit in zip(self._bits[:words], query, strict=True):
            differing += np.bitwise_count(bits[rows] ^ bit)
        dimensions = min(64 * words, len(difference))
        angles = np.arange(dimensions + 1) * (np.pi / dimensions)
        # No check of the bounds: no number of bits is beyond the table.
        closeness = np.take(np.cos(angles).astype(np.float32), differing, mode="clip")
        closeness *= reach
        closeness *= np.float32(np.linalg.norm(difference))
        closeness += self._bias[rows]
        return closeness

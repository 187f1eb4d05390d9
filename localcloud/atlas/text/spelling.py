"""Terms that are some edits away from another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BINS = 32


class Vocabulary:
    """The terms of a field, with the numbers of documents that have them.

    An edit changes the length by one at most, and the counts of a term's letters by two:
    what is further away in those is not looked at.
    """

    def __init__(self, known: Sequence[tuple[str, int]]) -> None:
        self._terms = [term for term, _ in known]
        self._documents = [documents for _, documents in known]
        self._lengths = np.array([len(term) for term in self._terms], np.int32)
        letters = np.frombuffer("".join(self._terms).encode("utf-32-le"), np.uint32) % _BINS
        rows = np.repeat(np.arange(len(known)), self._lengths)
        counts = np.bincount(rows * _BINS + letters, minlength=len(known) * _BINS)
        self._counts = counts.reshape(-1, _BINS).astype(np.int16)

    def alike(self, term: str, edits: int, prefix: int, most: int) -> list[tuple[str, float]]:
        """The closest terms that share so many first letters, nearest first and then the most
        common, each with how close it is: 1 is the term itself."""
        letters = np.frombuffer(term.encode("utf-32-le"), np.uint32) % _BINS
        counts = np.bincount(letters, minlength=_BINS).astype(np.int16)
        near = np.abs(self._lengths - len(term)) <= edits
        near[near] = np.abs(self._counts[near] - counts).sum(axis=1) <= 2 * edits
        found = []
        for row in np.flatnonzero(near):
            other = self._terms[row]
            if other.startswith(term[:prefix]) and (away := distance(term, other)) <= edits:
                found.append((away, -self._documents[row], other))
        found.sort()
        close = [(other, 1 - away / max(1, min(len(term), len(other)))) for away, _, other in found]
        return [(other, closeness) for other, closeness in close[:most] if closeness > 0]


def distance(one: str, other: str) -> int:
    """Inserted, deleted, replaced and swapped letters (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]

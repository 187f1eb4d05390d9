"""Terms that are some edits away from another."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise


def alike(
    term: str, known: Iterable[tuple[str, int]], edits: int, most: int
) -> list[tuple[str, float]]:
    """The closest of the known terms (with the numbers of documents that have them), nearest
    first and then the most common, each with how close it is: 1 is the term itself."""
    pieces = _pieces(term, edits)
    found = []
    for other, documents in known:
        near = abs(len(other) - len(term)) <= edits and any(piece in other for piece in pieces)
        if near and (away := distance(term, other)) <= edits:
            found.append((away, -documents, other))
    found.sort()
    size = len(term)
    ranked = [(other, 1 - away / max(1, min(size, len(other)))) for away, _, other in found]
    return [(other, closeness) for other, closeness in ranked[:most] if closeness > 0]


def _pieces(term: str, edits: int) -> list[str]:
    """Parts of which at least one survives so many edits: each edit spoils two at most, when
    it swaps the letters on both sides of a cut."""
    count = 2 * edits + 1
    cuts = [len(term) * n // count for n in range(count + 1)]
    return [term[start:end] for start, end in pairwise(cuts)]


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

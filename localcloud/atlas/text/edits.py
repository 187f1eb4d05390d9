"""How many edits make one word of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def nearest(word: str, others: Sequence[str], edits: int) -> list[tuple[int, str]]:
    """Those of the other words that at most so many edits make of this one, each behind that
    number, nearest first.

    An edit inserts, deletes or replaces a character, or swaps two neighbours, as Lucene counts them
    (optimal string alignment).
    """
    near = [other for other in others if abs(len(other) - len(word)) <= edits]
    counts = zip(_distances(word, near), near, strict=True) if near else ()
    return sorted((count, other) for count, other in counts if count <= edits)


def _distances(word: str, others: Sequence[str]) -> list[int]:
    """The numbers of edits, by the usual table, for all others at once."""
    longest = max(len(other) for other in others)
    letters = np.array(others, f"<U{longest}").view(np.uint32).reshape(len(others), longest)
    wanted = [ord(letter) for letter in word]
    before = np.zeros((len(others), longest + 1), np.int32)
    row = np.broadcast_to(np.arange(longest + 1, dtype=np.int32), before.shape).copy()
    for number, letter in enumerate(wanted, 1):
        earlier, before, row = before, row, np.empty_like(row)
        row[:, 0] = number
        for n in range(1, longest + 1):
            replaced = before[:, n - 1] + (letters[:, n - 1] != letter)
            row[:, n] = np.minimum(replaced, np.minimum(before[:, n], row[:, n - 1]) + 1)
            if number > 1 and n > 1:
                swap = (letters[:, n - 1] == wanted[number - 2]) & (letters[:, n - 2] == letter)
                swapped = np.where(swap, earlier[:, n - 2] + 1, row[:, n])
                row[:, n] = np.minimum(row[:, n], swapped)
    ends = [len(other) for other in others]
    return [int(count) for count in row[np.arange(len(others)), ends]]

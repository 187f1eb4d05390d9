"""Timed words into sentence-sized segments; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sentencex import segment

# A segment that a reader can follow: no longer than this, and not across a pause like this.
MAX_SECONDS = 20.0
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Word:
    """A word with the blank and the marks around it, as spoken from start to end in seconds."""

    start: float
    end: float
    text: str


def sentences(words: Sequence[Word], language: str) -> Iterator[list[Word]]:
    """The words in groups, each a sentence or less: cut at long pauses and when too long."""
    ends = _sentence_ends(words, language)
    group: list[Word] = []
    for number, word in enumerate(words):
        if group and word.start - group[-1].end > PAUSE_SECONDS:
            yield from _shorten(group)
            group = []
        group.append(word)
        if number in ends:
            yield from _shorten(group)
            group = []
    if group:
        yield from _shorten(group)


def _sentence_ends(words: Sequence[Word], language: str) -> set[int]:
    """Indices of the words that close a sentence."""
    limits = list(accumulate(len(word.text) for word in words))
    ends = set(accumulate(len(part) for part in segment(language, "".join(w.text for w in words))))
    # A sentence's end may lie in the blank before the next word.
    blank = [len(word.text) - len(word.text.lstrip()) for word in words]
    return {
        number
        for number, limit in enumerate(limits)
        if limit in ends or (number + 1 < len(words) and limit + blank[number + 1] in ends)
    }


def _shorten(group: list[Word]) -> Iterator[list[Word]]:
    """Halve what is too long, at the longest pause near its middle."""
    if len(group) < 2 or group[-1].end - group[0].start <= MAX_SECONDS:
        yield group
        return
    quarter = len(group) // 4
    middle = range(max(1, quarter), max(2, len(group) - quarter))
    cut = max(middle, key=lambda number: group[number].start - group[number - 1].end)
    yield from _shorten(group[:cut])
    yield from _shorten(group[cut:])

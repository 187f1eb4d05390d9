"""Groups timed words into segments of about one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sentencex import segment

# Seconds of the longest segment.
MAX_SECONDS = 20.0
# Seconds of a pause that ends a segment.
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Word:
    """A word with the blank and the marks around it, as spoken from start to end in seconds."""

    start: float
    end: float
    text: str


def sentences(words: Sequence[Word], language: str) -> Iterator[list[Word]]:
    """Groups of words, each a sentence or a part of one that is split at pauses."""
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
    """The indices of the words that end a sentence."""
    limits = list(accumulate(len(word.text) for word in words))
    ends = set(accumulate(len(part) for part in segment(language, "".join(w.text for w in words))))
    # The end of a sentence may be after the space before the next word.
    blank = [len(word.text) - len(word.text.lstrip()) for word in words]
    return {
        number
        for number, limit in enumerate(limits)
        if limit in ends or (number + 1 < len(words) and limit + blank[number + 1] in ends)
    }


def _shorten(group: list[Word]) -> Iterator[list[Word]]:
    """Split a group that is too long at the longest pause near its middle."""
    if len(group) < 2 or group[-1].end - group[0].start <= MAX_SECONDS:
        yield group
        return
    quarter = len(group) // 4
    middle = range(max(1, quarter), max(2, len(group) - quarter))
    cut = max(middle, key=lambda number: group[number].start - group[number - 1].end)
    yield from _shorten(group[:cut])
    yield from _shorten(group[cut:])

"""Where the sentences of a text begin and end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sentencex import segment


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text; the one at `end` is not among them."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """These characters."""
        return text[self.start : self.end]


def spans(text: str, language: str = "en", breaks: Sequence[int] = ()) -> list[Span]:
    """The sentences of a passage, without the space between them; none of an empty one. At `breaks`
    another one begins in any case."""
    bounds = sorted({*starts(text, 0, len(text), language), *breaks, len(text)})
    bounds[0] = len(text) - len(text.lstrip())
    return [
        Span(start, start + len(text[start:after].rstrip())) for start, after in pairwise(bounds)
    ]


def starts(text: str, begin: int, end: int, language: str = "en") -> Iterator[int]:
    """Where the sentences between two places begin. An unknown language is read as English."""
    for sentence in filter(None, map(str.strip, segment(language, text[begin:end]))):
        start = text.find(sentence, begin, end)
        if start >= 0:  # else it was rewritten, and stays with the one before
            begin = start + len(sentence)
            yield start

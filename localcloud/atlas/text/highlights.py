"""{$meta: "searchHighlights"}: the passages of a document's texts that contain hits.

A passage is a sentence. Its score is that of Lucene's PassageScorer: BM25, with the text as a
collection of passages of about 87 characters.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from localcloud.atlas.text.analyzers import Analyzed
from localcloud.atlas.text.matching import Words
from localcloud.atlas.vector.columns import values_at

# Punctuation that may end a sentence, with the closing marks and the space after it.
_STOP = re.compile("[.!?\u2026\u3002\uff01\uff1f\\n\u2029]+[\"'\u201d\u2019\u00bb)\\]]*\\s*")
# Punctuation that always ends one. Other marks need a space and no lower-case letter after them.
_ALWAYS = frozenset("\u3002\uff01\uff1f\n\u2029")
# The constants of BM25; _PIVOT is the assumed length of a passage in characters.
_K1, _B, _PIVOT = 1.2, 0.75, 87.0
# Where the words and sentences of so many texts are is kept, about 5 kB for each. A text with more
# characters than the second number is read anew each time.
KEPT_TEXTS, LONGEST_KEPT = 4_000, 4_000

Made = TypeVar("Made")


@dataclass(frozen=True)
class Wanted:
    """The words and phrases to highlight, and the paths to search, each with its analyzer."""

    paths: Sequence[tuple[str, str]]
    words: set[str]
    phrases: Sequence[Words]
    max_chars: int
    max_passages: int


class _Hit(NamedTuple):
    start: int
    end: int
    term: str


class _Passage(NamedTuple):
    """A sentence of `text`, from `start` to `end`."""

    score: float
    text: str
    start: int
    end: int
    hits: list[_Hit]


def highlights(document: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    """The best passages of a document, in the order of the paths and then of the text."""
    found: list[dict[str, Any]] = []
    for path, analyzer in wanted.paths:
        left = wanted.max_chars
        passages: list[_Passage] = []
        for text in values_at(document, path) or ():
            if isinstance(text, str) and left > 0:
                passages += _passages(text[:left], analyzer, wanted)
                left -= len(text)
        best = sorted(range(len(passages)), key=lambda n: -passages[n].score)
        for n in sorted(best[: wanted.max_passages]):
            passage = passages[n]
            found.append({"path": path, "score": passage.score, "texts": _texts(passage)})
    return found


def _passages(text: str, analyzer: str, wanted: Wanted) -> list[_Passage]:
    hits = _hits(text, analyzer, wanted)
    if not hits:
        return []
    in_text = Counter(hit.term for hit in hits)
    weights = {term: _weight(len(text), count) for term, count in in_text.items()}
    return [
        _Passage(_score(inside, start, end, weights), text, start, end, inside)
        for start, end, inside in _grouped(hits, _sentence_ends(text))
    ]


def _kept(make: Callable[..., Made]) -> Callable[..., Made]:
    """The function, which keeps what it has made of short texts: a search often finds those that
    another one has found."""
    kept = lru_cache(maxsize=KEPT_TEXTS)(make)

    def of(text: str, *others: str) -> Made:
        return (kept if len(text) <= LONGEST_KEPT else make)(text, *others)

    return of


@_kept
def _analyzed(text: str, analyzer: str) -> Analyzed:
    return Analyzed(analyzer, text)


@_kept
def _sentence_ends(text: str) -> Sequence[int]:
    ends = []
    for stop in _STOP.finditer(text):
        marks, end = stop.group(), stop.end()
        spaced = marks[-1].isspace() and not text[end : end + 1].islower()
        if spaced or not _ALWAYS.isdisjoint(marks):
            ends.append(end)
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    return ends


def _hits(text: str, analyzer: str, wanted: Wanted) -> list[_Hit]:
    analyzed = _analyzed(text, analyzer)
    terms = analyzed.terms
    chosen = {n for n, term in enumerate(terms) if term in wanted.words}
    for words, slop in wanted.phrases:
        names = {term for _, term in words}
        where: dict[str, list[int]] = defaultdict(list)
        for position, term in enumerate(terms):
            if term in names and term is not None:
                where[term].append(position)
        chosen |= _phrase(where, words, slop)
    return [_Hit(*analyzed.span(n), terms[n] or "") for n in sorted(chosen)]


def _phrase(
    where: Mapping[str, Sequence[int]], words: Sequence[tuple[int, str]], slop: int
) -> set[int]:
    """The positions of the phrase's words at every place where the phrase occurs."""
    found: set[int] = set()
    for begin in where.get(words[0][1], ()):
        places = [_nearest(where.get(word, (-1,)), begin + distance) for distance, word in words]
        off = sum(
            abs(place - begin - distance)
            for place, (distance, _) in zip(places, words, strict=True)
        )
        if min(places) >= 0 and off <= slop and len(set(places)) == len(places):
            found.update(places)
    return found


def _nearest(places: Sequence[int], to: int) -> int:
    return min(places, key=lambda place: abs(place - to))


def _grouped(hits: Sequence[_Hit], ends: Sequence[int]) -> list[tuple[int, int, list[_Hit]]]:
    """The start, end and hits of each sentence with a hit.

    Two sentences become one where a hit spans their boundary.
    """
    groups: list[tuple[int, int, list[_Hit]]] = []
    for hit in hits:
        last = ends[min(bisect_right(ends, hit.end - 1), len(ends) - 1)]
        if groups and hit.start < groups[-1][1]:
            start, end, inside = groups[-1]
            groups[-1] = (start, max(end, last), [*inside, hit])
        else:
            first = bisect_right(ends, hit.start)
            groups.append((ends[first - 1] if first else 0, last, [hit]))
    return groups


def _texts(passage: _Passage) -> list[dict[str, str]]:
    """The passage split into hits and the text between them. Adjacent hits are merged."""
    _, text, start, end, hits = passage
    pieces: list[tuple[int, int]] = []
    for hit in hits:
        if pieces and hit.start <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(hit.end, pieces[-1][1]))
        else:
            pieces.append((hit.start, hit.end))
    found, done = [], start
    for begin, stop in pieces:
        if begin > done:
            found.append({"value": text[done:begin], "type": "text"})
        found.append({"value": text[begin:stop], "type": "hit"})
        done = stop
    if done < end:
        found.append({"value": text[done:end], "type": "text"})
    return found


def _weight(length: int, count: int) -> float:
    passages = 1 + length / _PIVOT
    return (_K1 + 1) * math.log(1 + (passages + 0.5) / (count + 0.5))


def _score(hits: Sequence[_Hit], start: int, end: int, weights: Mapping[str, float]) -> float:
    norm = _K1 * (1 - _B + _B * (end - start) / _PIVOT)
    inside = Counter(hit.term for hit in hits)
    total = sum(count / (count + norm) * weights[term] for term, count in inside.items())
    return total * (1 + 1 / math.log(_PIVOT + start))

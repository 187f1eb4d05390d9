"""{$meta: "searchHighlights"}: the passages of a text that hits are in, best first chosen.

Passages are sentences, and scored as Lucene's PassageScorer does, which takes a text for a
collection of passages of about 87 characters.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.atlas.analyzers import spans
from localcloud.atlas.columns import values_at
from localcloud.atlas.matching import Words

_SENTENCE_END = re.compile(
    "[.!?\u2026]+[\"'\u201d\u2019\u00bb)\\]]*\\s+(?![a-z])|[\u3002\uff01\uff1f]+|[\\n\u2029]\\s*"
)
_K1, _B, _PIVOT = 1.2, 0.75, 87.0


# A score, the place in the order of the text, and the pieces.
_Passage = tuple[float, int, list[dict[str, str]]]


@dataclass(frozen=True)
class Wanted:
    """What is a hit, and in which paths, with their analyzers, to look for it."""

    paths: Sequence[tuple[str, str]]
    words: set[str]
    phrases: Sequence[Words]
    max_chars: int
    max_passages: int


@dataclass(frozen=True)
class _Hit:
    start: int
    end: int
    term: str


def highlights(document: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    """The passages of a document, by path and then in the order of the text."""
    found: list[dict[str, Any]] = []
    for path, analyzer in wanted.paths:
        left = wanted.max_chars
        best: list[_Passage] = []
        for text in values_at(document, path) or ():
            if isinstance(text, str) and left > 0:
                best += _passages(text[:left], analyzer, wanted, len(best))
                left -= len(text)
        best = sorted(sorted(best, key=lambda p: -p[0])[: wanted.max_passages], key=lambda p: p[1])
        found += [{"path": path, "score": score, "texts": texts} for score, _, texts in best]
    return found


def _passages(text: str, analyzer: str, wanted: Wanted, order: int) -> list[_Passage]:
    hits = _hits(text, analyzer, wanted)
    if not hits:
        return []
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    in_text = Counter(hit.term for hit in hits)
    weights = {term: _weight(len(text), count) for term, count in in_text.items()}
    found: list[_Passage] = []
    for start, end, inside in _grouped(hits, ends):
        score = _score(inside, start, end, weights)
        found.append((score, order + len(found), _texts(text, start, end, inside)))
    return found


def _hits(text: str, analyzer: str, wanted: Wanted) -> list[_Hit]:
    every = list(spans(analyzer, text))
    chosen = {n for n, (_, _, _, term) in enumerate(every) if term in wanted.words}
    if wanted.phrases:
        where: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for n, (position, _, _, term) in enumerate(every):
            where[term].append((position, n))
        for terms, slop in wanted.phrases:
            chosen |= _phrase(where, terms, slop)
    return [_Hit(*every[n][1:]) for n in sorted(chosen)]


def _phrase(
    where: Mapping[str, Sequence[tuple[int, int]]], terms: Sequence[tuple[int, str]], slop: int
) -> set[int]:
    """The terms of every place where the phrase stands, as numbers."""
    found: set[int] = set()
    for begin, _ in where.get(terms[0][1], ()):
        off, numbers = 0, []
        for distance, term in terms:
            places = [(abs(p - begin - distance), n) for p, n in where.get(term, ())]
            if not places:
                return set()
            nearest = min(places)
            off += nearest[0]
            numbers.append(nearest[1])
        if off <= slop and len(set(numbers)) == len(numbers):
            found.update(numbers)
    return found


def _grouped(hits: Sequence[_Hit], ends: Sequence[int]) -> list[tuple[int, int, list[_Hit]]]:
    """The sentences with hits; a hit that runs over an end joins two."""
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


def _texts(text: str, start: int, end: int, hits: Sequence[_Hit]) -> list[dict[str, str]]:
    """The passage cut into hits and what is between them. Hits that touch are one."""
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

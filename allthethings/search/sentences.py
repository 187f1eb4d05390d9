"""A passage as a query reads it: the words of the query in it, and the sentence that answers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from math import log

from allthethings.assets.places import Place, breaks, shortened
from allthethings.assets.sentences import Span, spans
from allthethings.search.words import DEFAULT, Forms, Word, spellings, stem, stop_words, words

# Queries whose words are remembered: each passage of a page asks for them.
MAX_QUERIES = 100


@dataclass(frozen=True)
class Asked:
    """What a query looks for in texts of one language: stems, and phrases as rows of stems. Words
    in `ignored` are none of their forms: the stop words that it does not look for."""

    language: str
    stems: frozenset[str]
    phrases: tuple[tuple[str, ...], ...] = ()
    ignored: frozenset[str] = frozenset()

    @cached_property
    def forms(self) -> Forms:
        """Finds the stems."""
        return Forms(self.stems, self.language, self.ignored)


@lru_cache(maxsize=MAX_QUERIES)
def asked(text: str, phrases: tuple[str, ...] = (), language: str | None = None) -> Asked:
    """What a query looks for. Its stop words count if it has no others."""
    code = language or DEFAULT
    spelled = spellings(text)
    wanted = [word for word in spelled if word not in stop_words(code)] or spelled
    rows = (tuple(word.stem for word in words(phrase, code)) for phrase in phrases)
    stems = frozenset(stem(word, code) for word in wanted)
    return Asked(code, stems, tuple(filter(None, rows)), stop_words(code) - set(wanted))


@dataclass(frozen=True)
class Reading:
    """A passage with what was asked. `also` are words in it that the word index found; `places`
    are where its parts stand."""

    text: str
    asked: Asked
    also: Iterable[str] = ()
    places: Sequence[Place] = ()

    @cached_property
    def sentences(self) -> list[Span]:
        """The sentences, each within its section; of a recording parts of those that last too
        long."""
        whole = spans(self.text, self.asked.language, breaks(self.places))
        return [part for each in whole for part in shortened(self.text, each, self.places)]

    @cached_property
    def scores(self) -> list[float]:
        """For each sentence the share of the query's words that it holds, 0 to 1."""
        return shares(self._held(), self.asked.stems)

    @property
    def best(self) -> int | None:
        """The number of the sentence that answers as far as words can tell; None if no sentence
        holds a word of the query."""
        top = max(self.scores, default=0.0)
        return self.scores.index(top) if top else None

    @cached_property
    def marks(self) -> list[Span]:
        """The words and phrases of the query, in order. Words that follow one another are one."""
        code, ignored = self.asked.language, self.asked.ignored
        also = {word for each in self.also for word in spellings(each)} - ignored
        stems = frozenset(stem(word, code) for word in also) - self.asked.stems
        found = self._found + (Forms(stems, code, ignored).find(self.text) if stems else [])
        marked = [Span(word.start, word.end) for word in found] + self._phrases()
        return list(_joined(self.text, sorted(marked, key=lambda span: span.start)))

    @property
    def whole(self) -> Span:
        """All of the text."""
        return Span(0, len(self.text))

    def parts(self, within: Span | None = None) -> list[tuple[str, bool]]:
        """The text, or the characters within, in parts, each with whether it is marked."""
        within = within or self.whole
        edges = [within.start]
        for mark in self.marks:
            edges += [min(max(edge, within.start), within.end) for edge in (mark.start, mark.end)]
        edges.append(within.end)
        return [
            (self.text[start:end], number % 2 == 1)
            for number, (start, end) in enumerate(pairwise(edges))
            if start < end
        ]

    @cached_property
    def _found(self) -> list[Word]:
        return self.asked.forms.find(self.text)

    def _held(self) -> list[set[str]]:
        """The stems of the query in each sentence."""
        held: list[set[str]] = [set() for _ in self.sentences]
        number = 0
        for word in self._found:
            while word.start >= self.sentences[number].end:
                number += 1
            held[number].add(word.stem)
        return held

    def _phrases(self) -> list[Span]:
        if not self.asked.phrases:
            return []
        every = words(self.text, self.asked.language)
        return [span for phrase in self.asked.phrases for span in places_of(phrase, every)]


def places_of(phrase: Sequence[str], every: Sequence[Word]) -> Iterator[Span]:
    """Where a row of stems stands among the words of a text. `str.find` compares the rows: word by
    word, a text of one word again and again takes 20 times as long."""
    stems = [word.stem for word in every]
    text, wanted = ("\n".join(["", *row, ""]) for row in (stems, phrase))
    begins = list(accumulate((len(key) + 1 for key in stems), initial=0))
    at = text.find(wanted)
    while at >= 0:
        first = bisect_left(begins, at)
        yield Span(every[first].start, every[first + len(phrase) - 1].end)
        at = text.find(wanted, at + 1)


def shares(held: Sequence[Collection[str]], stems: Collection[str]) -> list[float]:
    """For each of some texts the share of the stems that it holds, 0 to 1.

    A stem counts by its rarity among these texts: BM25's inverse document frequency. One that all
    of them hold tells none from the others.
    """
    holding = Counter(key for keys in held for key in keys)
    number = len(held)
    weights = {key: log(1 + (number - holding[key] + 0.5) / (holding[key] + 0.5)) for key in stems}
    total = sum(weights.values()) or 1.0
    return [sum(weights[key] for key in keys) / total for keys in held]


def _joined(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Spans in order of their starts, as one where nothing but space is between them."""
    last: Span | None = None
    for span in found:
        if last is None:
            last = span
        elif not text[last.end : span.start].strip():
            last = Span(last.start, max(last.end, span.end))
        else:
            yield last
            last = span
    if last is not None:
        yield last

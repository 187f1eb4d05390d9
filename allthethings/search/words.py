"""The words of texts, whatever their endings, and which of them say nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import Stemmer
import stopwords

from allthethings.assets.texts import ALONE

# The language of the word index, and of texts whose language nobody could tell.
DEFAULT = "en"
# Marks that belong to the letter before them, which `\w` leaves out: accents, vowels.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u109f"
_WORD = re.compile(rf"[{ALONE}]|(?:(?![{ALONE}])[\w{_MARKS}])+")
# In a text without any of these a word is a run of `\w`, which is found in a quarter of the time.
_SPECIAL = re.compile(f"[{ALONE}{_MARKS}]")
_PLAIN_WORD = re.compile(r"\w+")
# What the English list lacks, and what an apostrophe leaves of a word.
_ENGLISH = frozenset(
    [
        *("s", "t", "d", "m", "ll", "re", "ve", "aren", "couldn", "didn", "doesn", "don", "hadn"),
        *("hasn", "isn", "mustn", "shan", "shouldn", "wasn", "weren", "wouldn"),
        *("can", "may", "might", "must", "shall", "will", "many"),
    ]
)
# Stems that are remembered, about 200 bytes each.
MAX_STEMS = 50_000
# Spellings that the forms of one query remember, about 100 bytes each, and those of one text more.
MAX_SEEN = 5_000


@dataclass(frozen=True, slots=True)
class Word:
    """Characters `start` to `end` of a text, and the stem that the forms of a word share."""

    start: int
    end: int
    stem: str


def words(text: str, language: str) -> list[Word]:
    """The words of a text."""
    return [
        Word(found.start(), found.end(), stem(found[0].lower(), language))
        for found in _WORD.finditer(text)
    ]


class Forms:
    """The forms of some stems of a language, but for the words in `ignored`: 'will' is no form of
    'willing'. It remembers those that it has seen, for the many passages of a page. One serves any
    number of threads."""

    def __init__(
        self, stems: frozenset[str], language: str, ignored: frozenset[str] = frozenset()
    ) -> None:
        self._stems = stems
        self._language = language
        self._ignored = ignored
        self._seen: set[str] = set()
        self._forms: dict[str, str] = {}

    def find(self, text: str) -> list[Word]:
        """The words of a text that have one of the stems, in order."""
        lower = text.lower()
        if len(lower) != len(text) or _SPECIAL.search(lower):
            return [
                word
                for word in words(text, self._language)
                if word.stem in self._stems
                if text[word.start : word.end].lower() not in self._ignored
            ]
        spelled = set(_PLAIN_WORD.findall(lower))
        self._learn(spelled - self._seen)
        found = [
            Word(start, start + len(spelling), self._forms[spelling])
            for spelling in spelled & self._forms.keys()
            for start in _starts(spelling, lower)
        ]
        return sorted(found, key=lambda word: word.start)

    def _learn(self, spelled: set[str]) -> None:
        for spelling in spelled:
            key = stem(spelling, self._language)
            if key in self._stems and spelling not in self._ignored:
                self._forms[spelling] = key
        if len(self._seen) > MAX_SEEN:
            self._seen = set()
        self._seen |= spelled


def _starts(spelling: str, text: str) -> Iterator[int]:
    """Where this word begins in a text."""
    start = text.find(spelling)
    while start >= 0:
        end = start + len(spelling)
        around = text[start - 1 : start] + text[end : end + 1]
        if not _PLAIN_WORD.search(around):
            yield start
        start = text.find(spelling, end)


def spellings(text: str) -> list[str]:
    """The words of a text as they stand there, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


@lru_cache(maxsize=MAX_STEMS)
def stem(spelling: str, language: str) -> str:
    """What the forms of a word in lower case share; the word itself where nobody knows."""
    stemmer = _stemmer(language)
    if stemmer is None:
        return spelling
    with _stemming:
        return str(stemmer.stemWord(spelling))


# A stemmer serves one thread at a time.
_stemming = threading.Lock()


@cache
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    try:
        return Stemmer.Stemmer(language, 0)
    except KeyError:  # as for Japanese
        return None


@cache
def stop_words(language: str) -> frozenset[str]:
    """The words of a language that say nothing alone, in lower case; none where nobody knows."""
    listed = {word.lower() for word in stopwords.safe_get_stopwords(language)}
    return frozenset(listed) | (_ENGLISH if language == DEFAULT else frozenset())

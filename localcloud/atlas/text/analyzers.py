"""Lucene's analyzers, built from tantivy's tokenizers and filters.

They split and fold text as Lucene's do, with one difference: `lucene.english` uses the newer of
Porter's two stemmers, which turns "generously" into "generous" instead of "gener".
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

DEFAULT_ANALYZER = "lucene.standard"

# The word boundaries of https://www.unicode.org/reports/tr29/#Word_Boundaries as Lucene's
# StandardTokenizer applies them: each ideograph and each hiragana is a word, and a run of a
# script without spaces (such as Thai) is one word.
_EXTEND = r"[\p{wb=Extend}\p{wb=Format}\p{wb=ZWJ}]*"
_LETTER = rf"[\p{{wb=ALetter}}\p{{wb=Hebrew_Letter}}]{_EXTEND}"
_DIGIT = rf"\p{{wb=Numeric}}{_EXTEND}"
_KATAKANA = rf"\p{{wb=Katakana}}{_EXTEND}"
_JOIN = r"\p{wb=ExtendNumLet}"
_MID_LETTER = r"[\p{wb=MidLetter}\p{wb=MidNumLet}\p{wb=Single_Quote}]"
_MID_NUMBER = r"[\p{wb=MidNum}\p{wb=MidNumLet}\p{wb=Single_Quote}]"


def _words(letter: str, digit: str, katakana: str, mids: tuple[str, str], join: str) -> str:
    run = (
        rf"(?:(?:{letter})+(?:{mids[0]}(?:{letter})+)*"
        rf"|(?:{digit})+(?:{mids[1]}(?:{digit})+)*{katakana})+"
    )
    return rf"{join}*{run}(?:{join}+{run})*{join}*"


_WORDS = _words(_LETTER, _DIGIT, rf"|(?:{_KATAKANA})+", (_MID_LETTER, _MID_NUMBER), _JOIN)
_STANDARD = (
    rf"{_WORDS}|[\p{{Han}}\p{{Hiragana}}]{_EXTEND}|[\p{{Thai}}\p{{Lao}}\p{{Myanmar}}\p{{Khmer}}]+"
)

# The same boundaries for text of Latin letters and common punctuation, as patterns for Python's
# `re`, which is several times faster than tantivy's engine. _SIMPLE_WORDS is faster still; it is
# right for texts in which _NOT_SIMPLE finds nothing.
_LATIN = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_JOINS_LETTERS, _JOINS_DIGITS = ":.\u00b7'\u2018\u2019", ",;.'\u2018\u2019"
_PLAIN_TEXT = re.compile(
    "[\0-\u00ac\u00ae-\u024f\u2010-\u2017\u2018\u2019\u201c\u201d\u2022\u2026]*"
)
_PLAIN_WORDS = re.compile(
    f"({_words(f'[{_LATIN}]', '[0-9]', '', (f'[{_JOINS_LETTERS}]', f'[{_JOINS_DIGITS}]'), '_')})"
)
_JOINED = f"[{_LATIN}0-9_]+"
_SIMPLE_WORDS = re.compile(f"({_JOINED}(?:[{_JOINS_LETTERS},;]{_JOINED})*)")
_NOT_SIMPLE = re.compile(
    f"_|[{_JOINS_LETTERS},;](?<=[{_LATIN}0-9].)(?=[{_LATIN}0-9])"
    f"(?!(?<=[{_LATIN}][{_JOINS_LETTERS}])[{_LATIN}])(?!(?<=[0-9][{_JOINS_DIGITS}])[0-9])"
)

# Lucene's English stop words.
_STOP = (
    *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is"),
    *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
    *("these", "they", "this", "to", "was", "will", "with"),
)
# Lucene removes a possessive ending before it looks for stop words.
_ENGLISH_STOP = [*_STOP, *(f"{word}'s" for word in _STOP)]


def _standard() -> TextAnalyzerBuilder:
    return TextAnalyzerBuilder(Tokenizer.regex(_STANDARD)).filter(Filter.lowercase())


def _english() -> TextAnalyzerBuilder:
    stopped = _standard().filter(Filter.custom_stopword(_ENGLISH_STOP))
    return stopped.filter(Filter.stemmer("english"))


def _simple() -> TextAnalyzerBuilder:
    return TextAnalyzerBuilder(Tokenizer.regex(r"\p{L}+")).filter(Filter.lowercase())


ANALYZERS: dict[str, Callable[[], TextAnalyzerBuilder]] = {
    "lucene.standard": _standard,
    "lucene.english": _english,
    "lucene.simple": _simple,
    "lucene.whitespace": lambda: TextAnalyzerBuilder(Tokenizer.regex(r"\S+")),
    "lucene.keyword": lambda: TextAnalyzerBuilder(Tokenizer.raw()),
}
# Splits and folds text for the type `autocomplete`.
COMPLETION = "completion"
# Every analyzer of the index, by the name under which tantivy knows it.
BUILDERS: dict[str, Callable[[], TextAnalyzerBuilder]] = {
    **ANALYZERS,
    COMPLETION: lambda: _standard().filter(Filter.ascii_fold()),
}
# Words whose terms are kept in memory, for each analyzer.
_CACHED_WORDS = 100_000
# The analyzers that split text at Unicode's word boundaries.
_BY_UNICODE_WORDS = ("lucene.standard", "lucene.english")


@lru_cache
def analyzer(name: str) -> TextAnalyzer:
    """The tantivy analyzer with that name."""
    return BUILDERS[name]().build()


def prepare(name: str, text: str) -> str:
    """The text for the analyzer, of the same length: the stemmer knows only one apostrophe."""
    if name != "lucene.english":
        return text
    return text.replace("\u2019", "'").replace("\uff07", "'")


def normalize(name: str, text: str) -> str:
    """The text as the analyzer folds it, not split: for patterns that terms have to fit."""
    return text if name in ("lucene.keyword", "lucene.whitespace") else text.lower()


def terms(name: str, text: str) -> list[tuple[int, str]]:
    """The terms of a text with their positions. A stop word leaves a gap."""
    tokens = analyzer(name).pre_tokenize(prepare(name, text)).tokens
    return [(token.position, token.text) for token in tokens]


class _Terms(dict[str, str | None]):
    """A cache of the term that an analyzer makes of each word; None for a stop word."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._analyzer = analyzer(name)

    def __missing__(self, word: str) -> str | None:
        if len(self) >= _CACHED_WORDS:
            self.clear()
        found = self._analyzer.analyze(word)
        self[word] = found[0] if found else None
        return self[word]


_terms_of = lru_cache(_Terms)


class Analyzed:
    """The terms of a text by position, None for a stop word, and where each one is."""

    def __init__(self, name: str, text: str) -> None:
        ready = prepare(name, text)
        self.terms: list[str | None]
        self._ends: array[int] | None = None
        self._spans: dict[int, tuple[int, int]] = {}
        if name in _BY_UNICODE_WORDS and _is_plain(ready):
            simple = _NOT_SIMPLE.search(ready) is None
            parts = (_SIMPLE_WORDS if simple else _PLAIN_WORDS).split(ready)
            # Separators and words alternate; the first part is a separator.
            self.terms = list(map(_terms_of(name).__getitem__, parts[1::2]))
            self._ends = array("I", accumulate(map(len, parts)))
            return
        tokens = analyzer(name).pre_tokenize(ready).tokens
        self.terms = [None] * (tokens[-1].position + 1 if tokens else 0)
        for token in tokens:
            self.terms[token.position] = token.text
            self._spans[token.position] = (token.char_offset_from, token.char_offset_to)

    def span(self, position: int) -> tuple[int, int]:
        """The start and the end of the term at a position, in characters."""
        if self._ends is None:
            return self._spans[position]
        return self._ends[2 * position], self._ends[2 * position + 1]


def _is_plain(text: str) -> bool:
    return text.isascii() or _PLAIN_TEXT.fullmatch(text) is not None

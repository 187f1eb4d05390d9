"""The word that was meant, for a word of a query that no text holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher

from allthethings.search.syntax import TERM, is_filter
from allthethings.search.words import DEFAULT, spellings, stem, stop_words
from allthethings.store.passage_index import PassageIndex

# Words of a longer query are not checked: it is a text, and says enough without one of them.
MAX_WORDS = 20
# Words of one query that are looked up.
MOST = 3
# Four letters or more, as a shorter word is near to many others; but no part of a code, of a
# contraction, of a host or of a mail address.
_WORD = re.compile("(?<![\\w'\u2019@.])[^\\W\\d_]{4,}(?![\\w'\u2019@]|\\.\\w)")


def corrections(index: PassageIndex, words: Iterable[str]) -> dict[str, str]:
    """Those of the words that no text and no title holds, each with the nearest one that is held,
    if there is one. Raises ServiceUnavailable."""
    near = ((word, _nearest(word, index.near_words(word))) for word in words)
    return {word: other for word, other in near if other}


def unfound(text: str, found: Iterable[str], known: Callable[[str], bool]) -> list[str]:
    """The words of a query that are not among those that were `found` for it, in any form, nor
    `known` to be words; MOST at most."""
    if len(text.split()) > MAX_WORDS:
        return []
    stems = {_stem(each) for each in spellings(" ".join(found))}
    words = dict.fromkeys(_WORD.findall(text))
    return [
        word
        for word in words
        if word.lower() not in stop_words(DEFAULT)
        and _stem(word.lower()) not in stems
        and not known(word)
    ][:MOST]


def corrected(text: str, words: Mapping[str, str]) -> str:
    """The text of a query with other words in the places of these. Filters and excluded words
    stay."""

    def other(term: re.Match[str]) -> str:
        if term["minus"] or is_filter(term):
            return term[0]
        return re.sub(r"\w+", lambda found: words.get(found[0], found[0]), term[0])

    return TERM.sub(other, text)


def _nearest(word: str, passages: Iterable[Sequence[str]]) -> str | None:
    """The most similar of the words that were found in some passages, of equals the more frequent
    one; None if the word itself is among them, in any form."""
    counts = Counter(each for found in passages for each in spellings(" ".join(found)))
    lower = word.lower()
    if not counts or any(_stem(each) == _stem(lower) for each in counts):
        return None
    best = max(
        counts, key=lambda each: (SequenceMatcher(None, lower, each).ratio(), counts[each], each)
    )
    return best.capitalize() if word[0].isupper() else best


def _stem(word: str) -> str:
    """What the word index has of a word."""
    return stem(word, DEFAULT)

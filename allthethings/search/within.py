"""Finds the places in the text of one thing that a query is about, by its words alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from allthethings.search.sentences import Asked, places_of, shares
from allthethings.search.words import words

# The share of the query's words, counted by rarity, that a text has to hold of what the best one
# holds. Of a question, the texts count that hold its telling words.
NEAR_THE_BEST = 0.5


def matching(asked: Asked, texts: Sequence[str]) -> list[int]:
    """The numbers of the texts that match, in order. Each holds all exact phrases of the query, and
    about as many of its words as the best one does."""
    held = [frozenset(word.stem for word in asked.forms.find(text)) for text in texts]
    scores = shares(held, asked.stems)
    # Those words of the phrases that are looked for anyway: few texts hold them all.
    telling = asked.stems.intersection(chain.from_iterable(asked.phrases))
    holding = [
        number
        for number, score in enumerate(scores)
        if score and telling <= held[number] and _holds_phrases(asked, texts[number])
    ]
    least = NEAR_THE_BEST * max((scores[number] for number in holding), default=0.0)
    return [number for number in holding if scores[number] >= least]


def _holds_phrases(asked: Asked, text: str) -> bool:
    if not asked.phrases:
        return True
    every = words(text, asked.language)
    return all(any(places_of(phrase, every)) for phrase in asked.phrases)

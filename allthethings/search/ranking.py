"""One order from two searches: the passages nearest in meaning, and those that hold the words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from allthethings.assets import locators, places
from allthethings.search.results import Hit
from allthethings.search.words import DEFAULT, stop_words
from allthethings.store.documents import Document

# The weight of the cosine in a passage's score; the words have the rest. Chosen by `make eval`.
WEIGHT_OF_MEANING = 0.6
# What a word counts that a passage holds with another ending, as 'exploration' for 'explorer'; in
# its own form it counts 1. Chosen by `make eval`.
OTHER_FORM = 0.15
# The share of the query's words, without its stop words, that a passage has to hold to match by
# words; and the fewest, if it has so many.
WORDS_MATCH, FEWEST = 0.5, 2
# The most words of a query that count in that share: a passage has no room for more.
ENOUGH_WORDS = 20
# Hits of the word index whose words are remembered, about 200 bytes each.
MAX_KEPT = 5_000

# Lucene's English stop words, which its index leaves out.
# fmt: off
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
})
# fmt: on
_WORD = re.compile(r"\w+")


def similarity(score: float) -> float:
    """The cosine of two unit vectors from their vectorSearchScore, 1/(1 + squared distance)."""
    return 1.0 - (1.0 / score - 1.0) / 2.0


def top_of(matching: Sequence[Document]) -> float:
    """The best score of passages by words; 0 where there are none."""
    return max((row["score"] for row in matching), default=0.0)


def fuse(
    text: str, near: Sequence[Document], matching: Sequence[Document], top: float | None = None
) -> list[Hit]:
    """The passages of both sides, best first. `top` is the best score by words, if a passage that
    is not among these has it.

    The weighted sum of the cosine and of the BM25 score over the best one's. The latter counts
    by the share of the query's words that the passage holds, or the best of poor matches by words
    would stand before a good one by meaning; a word in its own form counts more, which the index
    does not know. A passage that is not among the nearest is as far as the farthest of them, if
    there are more.
    """
    near_by_id = {row["_id"]: row for row in near}
    cosines = {key: similarity(row["score"]) for key, row in near_by_id.items()}
    matching_by_id = {row["_id"]: row for row in matching}
    farthest = min(cosines.values(), default=0.0)
    top = (top_of(matching) if top is None else top) or 1.0
    wanted = frozenset(_words(text))
    hits = []
    for key, row in (near_by_id | matching_by_id).items():
        found = matching_by_id.get(key, {"score": 0.0, "words": ()})
        words = tuple(found["words"])
        exact, others = _held(wanted, words)
        enough = min(len(wanted), ENOUGH_WORDS) or 1
        share = min(1.0, (exact + OTHER_FORM * others) / enough)
        meaning, worded = max(0.0, cosines.get(key, farthest)), share * found["score"] / top
        score = WEIGHT_OF_MEANING * meaning + (1 - WEIGHT_OF_MEANING) * worded
        hits.append(
            Hit(
                asset_id=str(row["asset_id"]),
                position=row["position"],
                text=row["text"],
                locator=locators.read(row["locator"]),
                score=score,
                similarity=cosines.get(key),
                words=words,
                by_words=_match(wanted, words),
                places=places.read(row.get("places", ())),
                revision=row.get("revision"),
                **_about(row),
            )
        )
    return sorted(hits, key=lambda hit: (-hit.score, hit.asset_id, hit.position))


def _match(wanted: frozenset[str], words: Iterable[str]) -> bool:
    """Whether a passage with these words matches a query. Its stop words count if it has no
    others: what a passage shares with most questions, such as 'how' and 'each', says nothing."""
    telling = wanted - stop_words(DEFAULT) or wanted
    needed = max(WORDS_MATCH * min(len(telling), ENOUGH_WORDS), min(len(telling), FEWEST))
    return 0 < needed <= sum(_held(telling, words))


def _about(row: Document) -> dict[str, Any]:
    """What a passage says of its asset; those of older versions lack it."""
    site = next(iter(row.get("site", ())), "")
    return {"kind": row.get("kind", ""), "site": site, "added": row.get("added")}


def _held(wanted: frozenset[str], words: Iterable[str]) -> tuple[int, int]:
    """How many of the query's words are among those that matched: as they are, and with other
    endings."""
    found = {part for word in words for part in _words_of_hit(word)}
    by_start: dict[str, list[str]] = {}
    for word in found:
        by_start.setdefault(word[:3], []).append(word)
    rest = [word for word in wanted if word not in found]
    others = sum(any(_alike(word, other) for other in by_start.get(word[:3], ())) for word in rest)
    return len(wanted) - len(rest), others


def _alike(word: str, other: str) -> bool:
    """Whether two words of the same start may be one to the index."""
    start = max(3, min(len(word), len(other)) - 2)
    return word[:start] == other[:start]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


# Most passages of a page hold the same words.
_words_of_hit = lru_cache(maxsize=MAX_KEPT)(_words)

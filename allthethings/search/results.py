"""What a search finds: passages, the assets that they belong to, and how they matched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from allthethings.assets.asset import Asset
from allthethings.assets.locators import Locator

# Cosine from which on a passage answers the query. On XQuAD's articles 77% of the answers are
# that near to their question, and 2% of the nearest passages of other articles.
STRONG = 0.5
# Cosine below which a passage is about something else: 99% of all other passages are below it on
# XQuAD's articles, and 2% of the answers.
WEAK = 0.3


@dataclass(frozen=True)
class Hit:
    """A passage that was found. `score` is 0..1 among the candidates of its query; `similarity`
    is the cosine to the query, None where the meaning was not asked for or others were nearer;
    `words` are those of its words, and its title's, that the query holds too, as they stand."""

    asset_id: str
    position: int
    text: str
    locator: Locator
    score: float
    similarity: float | None
    words: tuple[str, ...] = ()
    by_words: bool = False

    @property
    def by_meaning(self) -> bool:
        return self.similarity is not None and self.similarity >= WEAK

    @cached_property
    def parts(self) -> list[tuple[str, bool]]:
        """The text in parts, each with whether it is a matching word; joined they are the text."""
        if not self.words:
            return [(self.text, False)]
        either = "|".join(map(re.escape, sorted(self.words, key=len, reverse=True)))
        parts = re.split(rf"(?<!\w)({either})(?!\w)", self.text)
        return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]


@dataclass(frozen=True)
class Result:
    """A thing and its best passages, best first."""

    asset: Asset
    passages: Sequence[Hit]

    @property
    def score(self) -> float:
        return self.passages[0].score

    @property
    def similarity(self) -> float | None:
        """The nearest passage's."""
        return max((hit.similarity for hit in self.passages if hit.similarity), default=None)

    @property
    def matched(self) -> str:
        """What matched: `meaning`, `words`, `both` or, where nothing is close, `nothing`."""
        meaning = any(hit.by_meaning for hit in self.passages)
        words = any(hit.by_words for hit in self.passages)
        if meaning and words:
            return "both"
        return "meaning" if meaning else "words" if words else "nothing"

    @property
    def strength(self) -> str:
        """`strong`, `weak`, or `none` where nothing matched."""
        if self.matched == "nothing":
            return "none"
        strong = (self.similarity or 0.0) >= STRONG or self.matched == "words"
        return "strong" if strong else "weak"


class Away(StrEnum):
    """A part of the search by meaning: the model that embeds the query, or the vector search."""

    MODEL = "model"
    VECTOR_SEARCH = "vector_search"


@dataclass(frozen=True)
class Found:
    """One page of results, and whether there are more. `about` is the thing whose like was looked
    for; `away` is the part of the search by meaning that did not answer."""

    results: Sequence[Result]
    more: bool = False
    about: Asset | None = None
    away: Away | None = None

    @property
    def words_alone(self) -> bool:
        """Whether the results match by words alone, because the search by meaning was away."""
        return self.away is not None

    @property
    def close(self) -> bool:
        """Whether anything matched at all."""
        return any(result.strength != "none" for result in self.results)

"""What a search finds: passages, the assets that they belong to, and how they matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from allthethings.assets.asset import Asset
from allthethings.assets.locators import Locator
from allthethings.assets.places import Place

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
    `words` are those of its words, and its title's, that the query holds too, as they stand;
    `places` are where the parts of its text stand; `revision` is that of its asset's text. `kind`,
    `site` (the host) and `added` are its asset's; passages of older versions may lack them."""

    asset_id: str
    position: int
    text: str
    locator: Locator
    score: float
    similarity: float | None
    words: tuple[str, ...] = ()
    by_words: bool = False
    places: tuple[Place, ...] = ()
    revision: int | None = None
    kind: str = ""
    site: str = ""
    added: datetime | None = None

    @property
    def by_meaning(self) -> bool:
        return self.similarity is not None and self.similarity >= WEAK


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
    """A part of the search: the model that embeds the query and the vector search, which find by
    meaning, and the search for words."""

    MODEL = "model"
    VECTOR_SEARCH = "vector_search"
    WORD_SEARCH = "word_search"


@dataclass(frozen=True)
class Facets:
    """How many of the best `things` that matched are of each kind, from each site, and added in
    each year, most first."""

    things: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    sites: Mapping[str, int] = field(default_factory=dict)
    years: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """One page of results, and whether there are more. `about` is the thing whose like was looked
    for; `away` is the part of the search that did not answer; `corrections` are words of the query
    that nothing holds, each with the nearest one that is held; `reranked` tells whether a
    cross-encoder looked at the best passages too, None where none is set."""

    results: Sequence[Result]
    more: bool = False
    about: Asset | None = None
    away: Away | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)
    facets: Facets = field(default_factory=Facets)
    reranked: bool | None = None

    @property
    def words_alone(self) -> bool:
        """Whether the results match by words alone, because the search by meaning was away."""
        return self.away in (Away.MODEL, Away.VECTOR_SEARCH)

    @property
    def meaning_alone(self) -> bool:
        """Whether the results match by meaning alone, because the search for words was away."""
        return self.away is Away.WORD_SEARCH

    @property
    def close(self) -> bool:
        """Whether anything matched at all."""
        return any(result.strength != "none" for result in self.results)

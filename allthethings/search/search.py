"""From a query to things, each with its best passages: by meaning and by words.

Both sides give their best passages; a passage's score is the weighted sum of the two, each
brought to 0..1. Each side alone is searched when the other is away.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, IndexingError, NoSuchAsset
from allthethings.mongo import Database
from allthethings.search.query_vectors import MAX_LETTERS, MAX_WORDS, QueryVectors, mean
from allthethings.search.syntax import Query
from allthethings.store.documents import Document
from allthethings.store.passage_index import MOST, Scope

log = logging.getLogger(__name__)

CANDIDATES = 50
"""Passages that each side gives; more are asked for when they belong to too few things."""
SHOWN_PASSAGES = 5
SHOWN_THINGS = 10
DEEPEST = 100
"""Pages of results."""

WEIGHT_OF_MEANING = 0.6
OTHER_FORM = 0.15
"""What a word counts that a passage holds with another ending: 'explorer' in one on exploration.
This and the weight were chosen by `make eval`."""
STRONG = 0.5
"""Similarity, a cosine, from which on a passage speaks of what the query asks for. On XQuAD's
articles 77% of the answers are that near, and of what is nearest elsewhere 2%."""
WEAK = 0.3
"""Similarity below which it is about something else, as 99% of all other passages are there, and
2% of the answers."""
WORDS_MATCH = 0.5
"""The share of the query's words that a passage has to hold to be a match by words."""
ENOUGH_WORDS = 20
"""Of a long query: a passage has no room for more."""

# fmt: off
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
})
# fmt: on
"""Lucene's English ones, which its index leaves out."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Hit:
    """A passage that was found. `score` is 0..1 among the candidates of its query; `similarity`
    is the cosine to the query, None where the meaning was not asked for or others were nearer;
    `words` are those of its words, and its title's, that the query holds too, as they stand."""

    asset_id: str
    position: int
    text: str
    locator: Mapping[str, Any]
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


@dataclass(frozen=True)
class Found:
    """One page of results, and whether there are more. `about` is the thing whose like was looked
    for; `words_alone` says that the meaning could not be asked for."""

    results: Sequence[Result]
    more: bool = False
    about: Asset | None = None
    words_alone: bool = False

    @property
    def close(self) -> bool:
        """Whether anything matched at all."""
        return any(result.strength != "none" for result in self.results)


Candidates = Callable[[int], tuple[list[Hit], bool]]
"""For a number of passages that each side may give: the hits, and whether these were all."""


class Search:
    """Finds searchable things. One serves any number of threads."""

    def __init__(self, database: Database, vectors: QueryVectors) -> None:
        self._assets = database.assets
        self._passages = database.passages
        self._index = database.passage_index
        self._vectors = vectors
        # The words are looked up while the query's vector is made.
        self._beside = ThreadPoolExecutor(max_workers=16, thread_name_prefix="words")

    def search(self, query: Query, page: int = 1) -> Found:
        """The things for a query. Raises BadInput, ServiceUnavailable."""
        if not query.text:
            raise BadInput("Say also what to look for: a word or a question.")
        if len(query.text.split()) > MAX_WORDS:
            raise BadInput(f"A query may have {MAX_WORDS:,} words at the most.")
        if len(query.text) > MAX_LETTERS:
            raise BadInput(f"A query may have {MAX_LETTERS:,} letters at the most.")
        if asset := self._named(query.text):
            return self._like(asset, None, query, page)
        scope, alone = self._scope(query), False

        def candidates(limit: int) -> tuple[list[Hit], bool]:
            nonlocal alone
            words = self._beside.submit(
                self._index.matching, query.text, query.phrases, scope, limit
            )
            try:
                near = self._index.nearest(self._vectors.of(query.text), scope, limit)
            except IndexingError as error:  # away, or it refuses, or answers nonsense
                log.warning("searched by words alone: %s", error)
                near, alone = [], True
            matching = words.result()
            return fuse(query.text, near, matching), limit not in (len(near), len(matching))

        results, more = self._page(candidates, page)
        return Found(results, more, words_alone=alone)

    def like(self, asset_id: str, position: int | None, query: Query, page: int = 1) -> Found:
        """Other things like this one, or like that passage of it; the query's filters hold.
        Raises NoSuchAsset, ServiceUnavailable."""
        asset = self._assets.state(asset_id)
        if asset is None:
            raise NoSuchAsset
        return self._like(asset, position, query, page)

    def _like(self, asset: Asset, position: int | None, query: Query, page: int) -> Found:
        vectors = self._passages.vectors(asset.id, position)
        scope = self._scope(query, never=frozenset({asset.id}))

        def candidates(limit: int) -> tuple[list[Hit], bool]:
            near = self._index.nearest(mean(vectors), scope, limit) if vectors else []
            return fuse("", near, []), len(near) < limit

        results, more = self._page(candidates, page)
        return Found(results, more, about=asset)

    def _named(self, text: str) -> Asset | None:
        """The thing whose URL the text is, if it is one."""
        if not text.startswith(("http://", "https://")) or " " in text:
            return None
        try:
            return self._assets.find_url(url_key(clean_url(text)))
        except BadInput:
            return None

    def _scope(self, query: Query, never: frozenset[str] = frozenset()) -> Scope:
        only: frozenset[str] | None = None
        for phrase in query.phrases:
            holding = self._index.things_with(phrase, query.filters)
            only = holding if only is None else only & holding
        for phrase in query.without:
            never |= self._index.things_with(phrase, query.filters)
        return Scope(query.filters, only, never)

    def _page(self, candidates: Candidates, page: int) -> tuple[list[Result], bool]:
        """The things of a page, and whether there are more behind it.

        More candidates may stand in another order, so they are put behind those that were
        there: each page is a part of the same row of things.
        """
        wanted, limit = page * SHOWN_THINGS, CANDIDATES
        row: dict[str, Result] = {}
        while True:
            hits, all_seen = candidates(limit)
            new = [hit for hit in hits if hit.asset_id not in row]
            for result in islice(self._results(new), wanted + 1 - len(row)):
                row[result.asset.id] = result
            if len(row) > wanted or all_seen or limit >= MOST:
                return list(row.values())[wanted - SHOWN_THINGS : wanted], len(row) > wanted
            limit = min(MOST, 4 * limit)  # many passages of few things stood in front

    def _results(self, hits: Iterable[Hit]) -> Iterator[Result]:
        """The searchable things of the hits, in the order of their best ones."""
        by_asset: dict[str, list[Hit]] = {}
        for hit in hits:
            by_asset.setdefault(hit.asset_id, []).append(hit)
        waiting = iter(by_asset)
        while some := list(islice(waiting, SHOWN_THINGS + 1)):
            assets = self._assets.many(some)
            for asset_id in some:
                asset = assets.get(asset_id)
                if asset is not None and asset.status is AssetStatus.SEARCHABLE:
                    yield Result(asset, by_asset[asset_id][:SHOWN_PASSAGES])


def similarity(score: float) -> float:
    """The cosine of two unit vectors from their vectorSearchScore, 1/(1 + squared distance)."""
    return 1.0 - (1.0 / score - 1.0) / 2.0


def fuse(text: str, near: Sequence[Document], matching: Sequence[Document]) -> list[Hit]:
    """The passages of both sides, best first.

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
    top = max((row["score"] for row in matching), default=0.0) or 1.0
    wanted = frozenset(_words(text))
    hits = []
    for key, row in (near_by_id | matching_by_id).items():
        found = matching_by_id.get(key, {"score": 0.0, "words": ()})
        words = tuple(found["words"])
        exact, others = _held(wanted, words)
        enough = min(len(wanted), ENOUGH_WORDS) or 1
        share = min(1.0, (exact + OTHER_FORM * others) / enough)
        meaning = max(0.0, cosines.get(key, farthest))
        worded = share * found["score"] / top
        score = WEIGHT_OF_MEANING * meaning + (1 - WEIGHT_OF_MEANING) * worded
        hits.append(
            Hit(
                asset_id=str(row["asset_id"]),
                position=row["position"],
                text=row["text"],
                locator=row["locator"],
                score=score,
                similarity=cosines.get(key),
                words=words,
                by_words=exact + others >= WORDS_MATCH * enough,
            )
        )
    return sorted(hits, key=lambda hit: (-hit.score, hit.asset_id, hit.position))


def _held(wanted: frozenset[str], words: Iterable[str]) -> tuple[int, int]:
    """How many of the query's words are among those that matched: as they are, and with other
    endings."""
    found = {part for word in words for part in _words(word)}
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


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]

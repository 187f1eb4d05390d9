"""From a query to assets, each with its best passages: by meaning and by words.

Both sides give their best passages, and `ranking` makes one order of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, IndexingError, NoSuchAsset, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.search.query_vectors import MAX_CHARACTERS, MAX_WORDS, QueryVectors, mean
from allthethings.search.ranking import fuse
from allthethings.search.results import Away, Found, Hit, Result
from allthethings.search.syntax import Query
from allthethings.store.conditions import Scope
from allthethings.store.documents import Document
from allthethings.store.passage_index import MAX_CANDIDATES

log = logging.getLogger(__name__)

# Passages that each side gives at first; more are asked for when they belong to too few assets.
CANDIDATES = 50
# Passages shown of each asset, assets on each page, and the last page of results.
SHOWN_PASSAGES = 5
RESULTS_PER_PAGE = 10
LAST_PAGE = 100


# For a number of passages that each side may give: the hits, and whether these were all.
Candidates = Callable[[int], tuple[list[Hit], bool]]


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
            raise BadInput("Add what to look for: a word or a question.")
        if len(query.text.split()) > MAX_WORDS:
            raise BadInput(f"A query may have at most {MAX_WORDS:,} words.")
        if len(query.text) > MAX_CHARACTERS:
            raise BadInput(f"A query may have {MAX_CHARACTERS:,} characters at most.")
        if asset := self._named(query.text):
            return self._like(asset, None, query, page)
        scope, away = self._scope(query), None

        def candidates(limit: int) -> tuple[list[Hit], bool]:
            nonlocal away
            words = self._beside.submit(
                self._index.matching, query.text, query.phrases, scope, limit
            )
            near, away = self._nearest(query.text, scope, limit)
            matching = words.result()
            return fuse(query.text, near, matching), limit not in (len(near), len(matching))

        results, more = self._page(candidates, page)
        return Found(results, more, away=away)

    def _nearest(self, text: str, scope: Scope, limit: int) -> tuple[list[Document], Away | None]:
        """The nearest passages, or none and what was away."""
        try:
            vector = self._vectors.of(text)
        except IndexingError as error:  # away, or it refuses, or answers nonsense
            log.warning("searched by words alone, without the model: %s", error)
            return [], Away.MODEL
        try:
            return self._index.nearest(vector, scope, limit), None
        except ServiceUnavailable as error:
            log.warning("searched by words alone, without the vector search: %s", error)
            return [], Away.VECTOR_SEARCH

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
        wanted, limit = page * RESULTS_PER_PAGE, CANDIDATES
        row: dict[str, Result] = {}
        while True:
            hits, all_seen = candidates(limit)
            new = [hit for hit in hits if hit.asset_id not in row]
            for result in islice(self._results(new), wanted + 1 - len(row)):
                row[result.asset.id] = result
            if len(row) > wanted or all_seen or limit >= MAX_CANDIDATES:
                return list(row.values())[wanted - RESULTS_PER_PAGE : wanted], len(row) > wanted
            limit = min(MAX_CANDIDATES, 4 * limit)  # many passages of few things stood in front

    def _results(self, hits: Iterable[Hit]) -> Iterator[Result]:
        """The searchable things of the hits, in the order of their best ones."""
        by_asset: dict[str, list[Hit]] = {}
        for hit in hits:
            by_asset.setdefault(hit.asset_id, []).append(hit)
        waiting = iter(by_asset)
        while some := list(islice(waiting, RESULTS_PER_PAGE + 1)):
            assets = self._assets.many(some)
            for asset_id in some:
                asset = assets.get(asset_id)
                if asset is not None and asset.status is AssetStatus.SEARCHABLE:
                    yield Result(asset, by_asset[asset_id][:SHOWN_PASSAGES])

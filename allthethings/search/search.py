"""From a query to assets, each with its best passages: by meaning and by words.

Both sides give their best passages, and `ranking` makes one order of them. A cross-encoder may look
at the best ones again (`reranking`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.urls import clean_url
from allthethings.errors import BadInput, NoSuchAsset, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.search import facets
from allthethings.search.query_vectors import QueryVectors, check_length, mean
from allthethings.search.ranking import fuse
from allthethings.search.reranking import Reranker
from allthethings.search.results import Found, Hit, Result
from allthethings.search.sides import Sides
from allthethings.search.syntax import Query
from allthethings.store.conditions import Scope
from allthethings.store.passage_index import MAX_CANDIDATES

# Passages that each side gives at first. When they belong to too few assets, more are asked for, of
# other assets.
CANDIDATES = 50
# Passages shown of each asset, assets on each page, and the last page of results.
SHOWN_PASSAGES = 5
RESULTS_PER_PAGE = 10
LAST_PAGE = 100


# For a number of passages that each side may give, and the assets of which it gives none: the hits,
# and whether these were all.
Candidates = Callable[[int, frozenset[str]], tuple[list[Hit], bool]]


class _SecondLook:
    """The candidates of a query as the cross-encoder ranks them; `done` tells whether it did.

    Only the first ones are looked at again: more of them are put behind those.
    """

    def __init__(self, reranker: Reranker | None, query: str, candidates: Candidates) -> None:
        self._reranker = reranker
        self._query = query
        self._candidates = candidates
        self.done: bool | None = None

    def candidates(self, limit: int, never: frozenset[str]) -> tuple[list[Hit], bool]:
        """As those that were given."""
        hits, all_seen = self._candidates(limit, never)
        if self._reranker and self.done is None:
            ranked = self._reranker.rank(self._query, hits)
            self.done = ranked is not None
            hits = hits if ranked is None else ranked
        return hits, all_seen


class Search:
    """Finds searchable things. One serves any number of threads."""

    def __init__(
        self, database: Database, vectors: QueryVectors, reranker: Reranker | None = None
    ) -> None:
        self._assets = database.assets
        self._passages = database.passages
        self._revisions = database.revisions
        self._index = database.passage_index
        self._vectors = vectors
        self._reranker = reranker
        # The words are looked up while the query's vector is made.
        self._beside = ThreadPoolExecutor(max_workers=16, thread_name_prefix="words")

    def search(self, query: Query, page: int = 1) -> Found:
        """The things for a query. Raises BadInput, ServiceUnavailable."""
        if not query.text:
            raise BadInput("Add what to look for: a word or a question.")
        check_length(query.text)
        if asset := self._named(query.text):
            return self._like(asset, None, query, page)
        scope = self._scope(query)
        if scope.only == frozenset():  # nothing holds all the exact phrases
            return Found([])
        sides = Sides(self._index, self._vectors, self._beside, query, scope, check=page == 1)
        second = _SecondLook(self._reranker, query.text, sides.candidates)
        found = self._page(second.candidates, page)
        told = replace(found, away=sides.away, corrections=sides.corrections())
        return replace(told, reranked=second.done)

    def like(self, asset_id: str, position: int | None, query: Query, page: int = 1) -> Found:
        """Other things like this one, or like that passage of it; the query's filters hold.
        Raises NoSuchAsset, ServiceUnavailable."""
        asset = self._assets.state(asset_id)
        if asset is None:
            raise NoSuchAsset
        return self._like(asset, position, query, page)

    def _like(self, asset: Asset, position: int | None, query: Query, page: int) -> Found:
        vectors = self._passages.vectors(asset.id, position, asset.revision)
        scope = self._scope(query, never=frozenset({asset.id}))

        def candidates(limit: int, never: frozenset[str]) -> tuple[list[Hit], bool]:
            others = scope.without(never)
            near = self._index.nearest(mean(vectors), others, limit) if vectors else []
            return fuse("", near, []), len(near) < limit

        return replace(self._page(candidates, page), about=asset)

    def _named(self, text: str) -> Asset | None:
        """The thing whose URL the text is, if it is one."""
        if not text.startswith(("http://", "https://")) or " " in text:
            return None
        try:
            return self._assets.find_url(clean_url(text))
        except BadInput:
            return None

    def _scope(self, query: Query, never: frozenset[str] = frozenset()) -> Scope:
        only: frozenset[str] | None = None
        for phrase in query.phrases:
            holding = self._things_with(phrase, query)
            only = holding if only is None else only & holding
        for phrase in query.without:
            never |= self._things_with(phrase, query)
        return Scope(query.filters, only, never)

    def _things_with(self, phrase: str, query: Query) -> frozenset[str]:
        """The things that hold it. Raises ServiceUnavailable: no other side can tell."""
        try:
            holding = self._index.things_with(phrase, query.filters)
        except ServiceUnavailable as error:
            raise ServiceUnavailable(
                "The search for words",
                "it finds exact phrases and excluded words. Leave them out, or try again later.",
                error.code,
            ) from error
        return frozenset(holding) - self._held_by_another_text(holding)

    def _held_by_another_text(self, holding: Mapping[str, Collection[int | None]]) -> set[str]:
        """The things whose text is being replaced, and whose present one is not among those that
        hold it."""
        if not holding:
            return set()
        unclear = self._revisions.in_two_versions() & holding.keys()
        present = self._assets.many(unclear) if unclear else {}
        return {key for key, asset in present.items() if asset.revision not in holding[key]}

    def _page(self, candidates: Candidates, page: int) -> Found:
        """The things of a page, whether there are more behind it, and the facets.

        More candidates have other scores than those that were there, and are put behind them: each
        page is a part of the same row of things.
        """
        wanted, limit = page * RESULTS_PER_PAGE, CANDIDATES
        row: dict[str, Result] = {}
        hits: list[Hit] = []
        settled: frozenset[str] = frozenset()
        while True:
            some, all_seen = candidates(limit, settled)
            hits += some
            new = [hit for hit in some if hit.asset_id not in row]
            for result in islice(self._results(new), wanted + 1 - len(row)):
                row[result.asset.id] = result
            if len(row) > wanted or all_seen or limit >= MAX_CANDIDATES:
                results = list(row.values())[wanted - RESULTS_PER_PAGE : wanted]
                counts = facets.count(hits, self._assets.searchable)
                return Found(results, len(row) > wanted, facets=counts)
            settled = self._settled(hits)
            limit = min(MAX_CANDIDATES, 4 * limit)  # many passages of few things stood in front

    def _settled(self, hits: Iterable[Hit]) -> frozenset[str]:
        """The things of the hits that are in the row, or have no place in it: of a thing whose text
        is being replaced another passage may still be found."""
        return frozenset(hit.asset_id for hit in hits) - self._revisions.in_two_versions()

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
                if asset is None or asset.status is not AssetStatus.SEARCHABLE:
                    continue
                # While a text is replaced, the index holds passages of both.
                present = [hit for hit in by_asset[asset_id] if hit.revision == asset.revision]
                if present:
                    yield Result(asset, present[:SHOWN_PASSAGES])

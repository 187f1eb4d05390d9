"""The two sides of a search, by meaning and by words, each searched alone if the other is away."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.search import spelling
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.ranking import fuse, top_of
from allthethings.search.results import Away, Hit
from allthethings.search.syntax import Query
from allthethings.store.conditions import Scope
from allthethings.store.documents import Document
from allthethings.store.passage_index import PassageIndex

log = logging.getLogger(__name__)


class Sides:
    """Both sides of one query in one scope; `away` is the part that did not answer. With `check`,
    words that nothing holds are looked up too, while the query's vector is made.

    What did not answer once is not asked again for the same query: its hits would change the order
    of those that are there already.
    """

    def __init__(
        self,
        index: PassageIndex,
        vectors: QueryVectors,
        beside: Executor,
        query: Query,
        scope: Scope,
        *,
        check: bool,
    ) -> None:
        self._index = index
        self._vectors = vectors
        self._beside = beside
        self._query = query
        self._scope = scope
        self._check = check
        self._corrections: Future[dict[str, str]] | None = None
        # The best score of a passage by words, also of those that are left out now.
        self._top = 0.0
        self.away: Away | None = None

    def candidates(self, limit: int, never: frozenset[str]) -> tuple[list[Hit], bool]:
        """The best passages of things that are not in `never`, at most `limit` of each side, and
        whether these are all there are. Raises ServiceUnavailable if neither side answers."""
        scope = self._scope.without(never)
        words = None if self.away is Away.WORD_SEARCH else self._ask_words(scope, limit)
        near = self._near(scope, limit)
        matching = self._answered(words) if words else []
        self._top = max(self._top, top_of(matching))
        hits = fuse(self._query.text, near, matching, self._top)
        return hits, limit not in (len(near), len(matching))

    def _ask_words(self, scope: Scope, limit: int) -> Future[list[Document]]:
        """Look up the words while the query's vector is made."""
        return self._beside.submit(self._look_up, scope, limit)

    def _look_up(self, scope: Scope, limit: int) -> list[Document]:
        text = self._query.text
        rows = self._index.matching(text, self._query.phrases, scope, limit)
        found = {word for row in rows for word in row["words"]}
        known = self._vectors.knows
        if self._check and (words := spelling.unfound(text, found, known)):
            self._corrections = self._beside.submit(spelling.corrections, self._index, words)
        self._check = False
        return rows

    def corrections(self) -> dict[str, str]:
        """The words that nothing holds, each with the nearest word that is held, if there is
        one."""
        try:
            return self._corrections.result() if self._corrections else {}
        except ServiceUnavailable as error:
            log.warning("the words of a query were not checked: %s", error)
            return {}

    def _near(self, scope: Scope, limit: int) -> Sequence[Document]:
        if self.away in (Away.MODEL, Away.VECTOR_SEARCH):
            return []
        try:
            vector = self._vectors.of(self._query.text)
        except IndexingError as error:  # away, or it refuses, or answers nonsense
            return self._without(Away.MODEL, error)
        try:
            return self._index.nearest(vector, scope, limit)
        except ServiceUnavailable as error:
            return self._without(Away.VECTOR_SEARCH, error)

    def _answered(self, words: Future[list[Document]]) -> Sequence[Document]:
        try:
            return words.result()
        except ServiceUnavailable as error:
            return self._without(Away.WORD_SEARCH, error)

    def _without(self, part: Away, error: IndexingError) -> Sequence[Document]:
        """Go on without this part; raises the error if the other side is away too."""
        if self.away is not None:
            raise error
        log.warning("searched without the %s: %s", part.value.replace("_", " "), error)
        self.away = part
        return []

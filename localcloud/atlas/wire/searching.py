"""Runs the stages that search, each against its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.atlas.index.definitions import SEARCH, VECTOR_SEARCH
from localcloud.atlas.index.indexes import Indexes
from localcloud.atlas.text.stage import TextSearch
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.vector.fields import FieldStores
from localcloud.atlas.vector.query import VectorSearch
from localcloud.atlas.wire import rewriting
from localcloud.atlas.wire.hits import Found, Hit
from localcloud.atlas.wire.rewriting import Stage, name_of
from localcloud.atlas.wire.shortcut import plan
from localcloud.atlas.wire.upstream import Namespace

# The stages that find documents.
STAGES = ("$vectorSearch", "$search")


class Searches:
    """Runs search stages. Its methods may be called from any thread and raise CommandError."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    def find(self, namespace: Namespace, first: Stage, rest: Sequence[Stage]) -> Found:
        """The hits of a pipeline's first stage, one of STAGES, for the stages after it."""
        name = name_of(first)
        if name == "$vectorSearch":
            found = self._vectors(namespace, first[name], sources=plan(rest) is not None)
        else:
            found = self._texts(namespace, first[name], rest)
        rewriting.check_metas(rewriting.metas(list(rest)), found)
        return found

    def _vectors(self, namespace: Namespace, stage: object, *, sources: bool) -> Found:
        search = VectorSearch.parse(stage)
        provides = frozenset({"vectorSearchScore", "score"})
        store = self._indexes.serving(namespace, search.index, VECTOR_SEARCH, "$vectorSearch")
        if not isinstance(store, FieldStores):
            return Found([], provides)
        query = search.against(store.definition)
        vectors = store.store(search.path)
        if vectors is None:
            return Found([], provides)
        found = vectors.search(query)
        keys = [key for key, _ in found]
        packed = vectors.sources(keys) if sources else [None] * len(keys)
        hits = [
            Hit(key, {"vectorSearchScore": score, "score": score}, source)
            for (key, score), source in zip(found, packed, strict=True)
        ]
        return Found(hits, provides)

    def _texts(self, namespace: Namespace, stage: object, rest: Sequence[Stage]) -> Found:
        search = TextSearch.parse(stage, "$search")
        store = self._indexes.serving(namespace, search.index, SEARCH, "$search")
        if not isinstance(store, TextStore):
            return search.without_index()
        return search.run(
            store,
            rewriting.leading_limit(rest),
            highlighted="searchHighlights" in rewriting.metas(list(rest)),
            counted=rewriting.names_variable(list(rest)),
        )

    def meta(self, namespace: Namespace, stage: object) -> Mapping[str, Any]:
        """The one document that a $searchMeta returns."""
        search = TextSearch.parse(stage, "$searchMeta")
        store = self._indexes.serving(namespace, search.index, SEARCH, "$searchMeta")
        if not isinstance(store, TextStore):
            return search.without_index().search_meta or {}
        return search.meta(store)

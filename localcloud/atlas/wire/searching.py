"""Runs the stages that search, each against its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import OperationFailure

from localcloud.atlas.index.definitions import SEARCH, VECTOR_SEARCH
from localcloud.atlas.index.indexes import Indexes
from localcloud.atlas.index.stores import encode_id
from localcloud.atlas.text.stage import TextSearch
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.vector.fields import FieldStores
from localcloud.atlas.vector.query import VectorSearch
from localcloud.atlas.wire import fusion, rewriting
from localcloud.atlas.wire.errors import ServerError
from localcloud.atlas.wire.fusion import Fusion, Ranked, ranks
from localcloud.atlas.wire.hits import Found, Hit
from localcloud.atlas.wire.rewriting import Stage, name_of
from localcloud.atlas.wire.shortcut import plan
from localcloud.atlas.wire.upstream import Namespace, Upstream

# The stages that find documents.
STAGES = ("$vectorSearch", "$search", fusion.NAME)


class Searches:
    """Runs search stages. Its methods may be called from any thread and raise CommandError."""

    def __init__(self, indexes: Indexes, upstream: Upstream) -> None:
        self._indexes = indexes
        self._upstream = upstream

    def find(self, namespace: Namespace, first: Stage, rest: Sequence[Stage]) -> Found:
        """The hits of a pipeline's first stage, one of STAGES, for the stages after it."""
        name = name_of(first)
        match name:
            case "$vectorSearch":
                found = self._vectors(namespace, first[name], sources=plan(rest) is not None)
            case "$search":
                found = self._texts(namespace, first[name], rest)
            case _:
                found = self._fusion(namespace, Fusion.parse(first[name]))
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

    # The input pipelines of $rankFusion

    def _fusion(self, namespace: Namespace, stage: Fusion) -> Found:
        return stage.fuse(
            {name: self._ranked(namespace, stages) for name, stages in stage.pipelines.items()}
        )

    def _ranked(self, namespace: Namespace, stages: Sequence[Stage]) -> list[Ranked]:
        first, *rest = stages
        if name_of(first) not in STAGES:
            return self._ranked_by_server(namespace, None, stages)
        found = self.find(namespace, first, rest)
        # The added stage makes a pipeline without any $limit a known one.
        if rewriting.leading_limit([*rest, {"$limit": 1}]) is None:
            return self._ranked_by_server(namespace, found, rest)
        hits = list(found.hits)
        for stage in rest:
            count = int(next(iter(stage.values())))
            hits = hits[count:] if name_of(stage) == "$skip" else hits[:count]
        places = ranks([hit.meta["score"] for hit in hits])
        return [Ranked(hit, place) for hit, place in zip(hits, places, strict=True)]

    def _ranked_by_server(
        self, namespace: Namespace, found: Found | None, stages: Sequence[Stage]
    ) -> list[Ranked]:
        """Let the server run the stages, on the hits or (for None) on the whole collection."""
        shown: dict[str, Any] = {"_id": 1, "key": _sort_key(stages)}
        if found is not None:
            shown["score"] = {"$meta": "score"}
        whole = [*stages, {"$project": shown}]
        try:
            if found is None:
                rows = self._upstream.aggregate(namespace, whole)
            else:
                rewritten = rewriting.rewrite(namespace.collection, found, whole)
                rows = self._upstream.aggregate_database(namespace.db, rewritten)
        except OperationFailure as error:
            raise ServerError(error.details or {}) from error
        places = ranks([row["key"] if row["key"] else row.get("score") for row in rows])
        return [
            Ranked(Hit(encode_id(row["_id"]), {}), place)
            for row, place in zip(rows, places, strict=True)
        ]


def _sort_key(stages: Sequence[Stage]) -> dict[str, Any]:
    """The values by which the last $sort orders, as fields to compare; empty if there is none."""
    orders = [stage["$sort"] for stage in stages if name_of(stage) == "$sort"]
    if not orders or not isinstance(orders[-1], Mapping):
        return {"$literal": {}}
    return {
        f"key{n}": order if isinstance(order, Mapping) else f"${path}"
        for n, (path, order) in enumerate(orders[-1].items())
    }

"""The search indexes over the passages: `vector_index` for meaning, `search_index` for words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo.collection import Collection

from allthethings.replicate.predictions import DIMENSIONS
from allthethings.store.documents import Document, available

VECTOR_INDEX = "vector_index"
SEARCH_INDEX = "search_index"
FILTERED = ("asset_id", "content_type", "kind", "site", "added")
VECTOR_DEFINITION: Mapping[str, Any] = {
    "fields": [
        {
            "type": "vector",
            "path": "embedding",
            "numDimensions": DIMENSIONS,
            "similarity": "euclidean",
        },
        *({"type": "filter", "path": path} for path in FILTERED),
    ]
}
_WORDS = {"type": "string", "analyzer": "lucene.english"}
SEARCH_DEFINITION: Mapping[str, Any] = {
    "mappings": {
        "dynamic": False,
        "fields": {
            "text": _WORDS,
            "title": _WORDS,
            "asset_id": {"type": "objectId"},
            "content_type": {"type": "token"},
            "kind": {"type": "token"},
            "site": {"type": "token"},
            "added": {"type": "date"},
        },
    }
}
MOST = 10_000
"""The largest numCandidates, and so the largest limit, that $vectorSearch takes."""
CANDIDATES_A_HIT = 10

SHOWN = {"asset_id": 1, "position": 1, "text": 1, "locator": 1}


@dataclass(frozen=True)
class Filters:
    """What things have to be. Empty tuples and None ask for nothing; times are UTC.

    A thing was added at `after` or later, and earlier than `before`. A site stands for its
    subdomains too.
    """

    kinds: tuple[str, ...] = ()
    not_kinds: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    not_sites: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class Scope:
    """Which passages count: those of things that pass the filters, of `only` these things if
    not None, and of none of the `never`."""

    filters: Filters = field(default_factory=Filters)
    only: frozenset[str] | None = None
    never: frozenset[str] = field(default_factory=frozenset)


class PassageIndex:
    """Asks the search indexes. Every method raises ServiceUnavailable."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def nearest(self, vector: Sequence[float], scope: Scope, limit: int) -> list[Document]:
        """The passages whose vectors are nearest, best first: asset_id, position, text, locator,
        and as `score` 1/(1 + squared distance)."""
        if scope.only == frozenset():
            return []
        search: Document = {
            "index": VECTOR_INDEX,
            "path": "embedding",
            "queryVector": Binary.from_vector(list(vector), BinaryVectorDtype.FLOAT32),
            "numCandidates": min(MOST, limit * CANDIDATES_A_HIT),
            "limit": min(MOST, limit),
        }
        if conditions := _conditions(scope):
            search["filter"] = {"$and": conditions}
        return self._run(
            {"$vectorSearch": search},
            {"$project": {**SHOWN, "score": {"$meta": "vectorSearchScore"}}},
        )

    def matching(
        self, words: str, phrases: Sequence[str], scope: Scope, limit: int
    ) -> list[Document]:
        """The passages that hold the words, or some of them, best first: as `nearest`, but with
        the BM25 score, and `words`: the matching words of text and title as they stand there."""
        if scope.only == frozenset():
            return []
        required, excluded = _clauses(scope)
        wanted = [_text(words), *(_phrase(phrase) for phrase in phrases)]
        compound = {
            "should": wanted,
            "minimumShouldMatch": 1,
            "filter": required,
            "mustNot": excluded,
        }
        rows = self._run(
            {
                "$search": {
                    "index": SEARCH_INDEX,
                    "compound": {name: clauses for name, clauses in compound.items() if clauses},
                    "highlight": {"path": ["text", "title"]},
                }
            },
            {"$limit": limit},
            {
                "$project": {
                    **SHOWN,
                    "score": {"$meta": "searchScore"},
                    "highlights": {"$meta": "searchHighlights"},
                }
            },
        )
        return [{**row, "words": _hits(row.pop("highlights", ()))} for row in rows]

    def things_with(self, phrase: str, filters: Filters) -> frozenset[str]:
        """The ids of the things that have the word or the phrase in one of their passages."""
        required, excluded = _clauses(Scope(filters))
        compound = {
            "must": [_phrase(phrase)],
            "filter": required,
            "mustNot": excluded,
        }
        rows = self._run(
            {
                "$search": {
                    "index": SEARCH_INDEX,
                    "compound": {name: clauses for name, clauses in compound.items() if clauses},
                }
            },
            {"$group": {"_id": "$asset_id"}},
        )
        return frozenset(str(row["_id"]) for row in rows)

    def _run(self, *stages: Document) -> list[Document]:
        with available():
            return list(self._collection.aggregate(list(stages)))


def _conditions(scope: Scope) -> list[Document]:
    """The scope in $vectorSearch's language."""
    filters = scope.filters
    conditions: list[Document] = [{"kind": kind} for kind in filters.kinds]
    conditions += [{"kind": {"$ne": kind}} for kind in filters.not_kinds]
    conditions += [{"site": site} for site in filters.sites]
    conditions += [{"site": {"$ne": site}} for site in filters.not_sites]
    if filters.after:
        conditions.append({"added": {"$gte": filters.after}})
    if filters.before:
        conditions.append({"added": {"$lt": filters.before}})
    if scope.only is not None:
        conditions.append({"asset_id": {"$in": _keys(scope.only)}})
    if scope.never:
        conditions.append({"asset_id": {"$nin": _keys(scope.never)}})
    return conditions


def _clauses(scope: Scope) -> tuple[list[Document], list[Document]]:
    """The scope in $search's language: what has to be, and what must not."""
    filters = scope.filters
    required = [_equals("kind", kind) for kind in filters.kinds]
    required += [_equals("site", site) for site in filters.sites]
    period = {"gte": filters.after, "lt": filters.before}
    if bounds := {name: moment for name, moment in period.items() if moment}:
        required.append({"range": {"path": "added", **bounds}})
    excluded = [_equals("kind", kind) for kind in filters.not_kinds]
    excluded += [_equals("site", site) for site in filters.not_sites]
    if scope.only is not None:
        required.append({"in": {"path": "asset_id", "value": _keys(scope.only)}})
    if scope.never:
        excluded.append({"in": {"path": "asset_id", "value": _keys(scope.never)}})
    return required, excluded


def _text(words: str) -> Document:
    return {"text": {"query": words, "path": ["text", "title"]}}


def _phrase(phrase: str) -> Document:
    return {"phrase": {"query": phrase, "path": ["text", "title"]}}


def _equals(path: str, value: str) -> Document:
    return {"equals": {"path": path, "value": value}}


def _keys(asset_ids: frozenset[str]) -> list[ObjectId]:
    return [ObjectId(asset_id) for asset_id in sorted(asset_ids)]


def _hits(highlights: Sequence[Document]) -> list[str]:
    """The words that match, each spelling once."""
    texts = (part for highlight in highlights for part in highlight["texts"])
    return sorted({part["value"] for part in texts if part["type"] == "hit"})

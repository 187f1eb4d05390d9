"""The search indexes over the passages: `vector_index` for meaning, `search_index` for words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.binary import Binary, BinaryVectorDtype
from pymongo.collection import Collection

from allthethings.replicate.predictions import DIMENSIONS
from allthethings.store.conditions import Condition, Scope, search_clauses, vector_filter
from allthethings.store.documents import Document, available

VECTOR_INDEX = "vector_index"
SEARCH_INDEX = "search_index"
# Fields of a passage that conditions may name, with their types in a search index.
FILTERED = {
    "asset_id": "objectId",
    "content_type": "token",
    "kind": "token",
    "site": "token",
    "added": "date",
}
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
            **{path: {"type": kind} for path, kind in FILTERED.items()},
        },
    }
}
# The largest numCandidates, and so the largest limit, that $vectorSearch takes.
MAX_CANDIDATES = 10_000
CANDIDATES_A_HIT = 10

SHOWN = {"asset_id": 1, "position": 1, "text": 1, "locator": 1}


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
            "numCandidates": min(MAX_CANDIDATES, limit * CANDIDATES_A_HIT),
            "limit": min(MAX_CANDIDATES, limit),
        }
        if wanted := vector_filter(scope.conditions()):
            search["filter"] = wanted
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
        compound = {
            "should": [_text(words), *(_phrase(phrase) for phrase in phrases)],
            "minimumShouldMatch": 1,
            **search_clauses(scope.conditions()),
        }
        rows = self._run(
            {
                "$search": {
                    "index": SEARCH_INDEX,
                    "compound": compound,
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

    def things_with(self, phrase: str, filters: Sequence[Condition]) -> frozenset[str]:
        """The ids of the things that have the word or the phrase in one of their passages."""
        compound = {"must": [_phrase(phrase)], **search_clauses(filters)}
        rows = self._run(
            {"$search": {"index": SEARCH_INDEX, "compound": compound}},
            {"$group": {"_id": "$asset_id"}},
        )
        return frozenset(str(row["_id"]) for row in rows)

    def _run(self, *stages: Document) -> list[Document]:
        with available():
            return list(self._collection.aggregate(list(stages)))


def _text(words: str) -> Document:
    return {"text": {"query": words, "path": ["text", "title"]}}


def _phrase(phrase: str) -> Document:
    return {"phrase": {"query": phrase, "path": ["text", "title"]}}


def _hits(highlights: Sequence[Document]) -> list[str]:
    """The words that match, each spelling once."""
    texts = (part for highlight in highlights for part in highlight["texts"])
    return sorted({part["value"] for part in texts if part["type"] == "hit"})

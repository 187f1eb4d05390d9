"""The search indexes over the passages: `vector_index` for meaning, `search_index` for words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bson.binary import Binary, BinaryVectorDtype
from pymongo.collection import Collection

from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.replicate.predictions import DIMENSIONS
from allthethings.store.conditions import (
    ASSET_KEY,
    Condition,
    Scope,
    search_clauses,
    vector_filter,
)
from allthethings.store.documents import SERVICE, Document, available
from allthethings.store.passage_documents import passage_id

VECTOR_INDEX = "vector_index"
SEARCH_INDEX = "search_index"
# Fields of a passage that conditions may name, with their types in a search index.
FILTERED = {
    ASSET_KEY: "token",
    "content_type": "token",
    "kind": "token",
    "site": "token",
    "language": "token",
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
            # The beginnings of a title's words are found, too, from two letters on.
            "title": [_WORDS, {"type": "autocomplete"}],
            "position": {"type": "number"},
            **{path: {"type": kind} for path, kind in FILTERED.items()},
        },
    }
}
# The largest numCandidates, and so the largest limit, that $vectorSearch takes.
MAX_CANDIDATES = 10_000
CANDIDATES_A_HIT = 10
# Words of a query that are looked up in text and title; of a longer one, distinct words that are
# looked up in the text alone. Free and Flex clusters allow 1,024 clauses in a query: each word is
# one at each path, and phrases and filters are some more.
MAX_WORDS = 400
MAX_DISTINCT_WORDS = 900
# What an analyzer makes one word of, at least: an ideograph, a kana, an emoji, or a run of others.
_ALONE = "\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0003ffff"
_WORD = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])\w)+")
# Letters of a word from which on two edits make a near word; of a shorter one one edit does.
TWO_EDITS = 8
# Passages in which near words are looked for.
NEAR_PASSAGES = 20
# Seconds for which an index that was there is not checked again.
CHECKED_SECONDS = 30.0

SHOWN = dict.fromkeys(("asset_id", "position", "text", "locator", "places", "revision"), 1)
# What the hits of a search are counted by, beside that.
RANKED = {**SHOWN, **dict.fromkeys(("kind", "site", "added"), 1)}
_HIGHLIGHTS: Document = {"highlights": {"$meta": "searchHighlights"}}


class PassageIndex:
    """Asks the search indexes. Every method raises ServiceUnavailable, also for an index that is
    missing or not built yet."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection
        # Until when an index needs no check, by its name, on the monotonic clock.
        self._checked: dict[str, float] = {}

    def nearest(self, vector: Sequence[float], scope: Scope, limit: int) -> list[Document]:
        """The passages whose vectors are nearest, best first: the fields of RANKED, and as `score`
        1/(1 + squared distance)."""
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
            VECTOR_INDEX,
            {"$vectorSearch": search},
            {"$project": {**RANKED, "score": {"$meta": "vectorSearchScore"}}},
        )

    def holds(self, asset_id: str) -> bool:
        """Whether a search by meaning can find the asset: an index follows a write with a delay."""
        search: Document = {
            "index": VECTOR_INDEX,
            "path": "embedding",
            "queryVector": Binary.from_vector([1.0] * DIMENSIONS, BinaryVectorDtype.FLOAT32),
            "exact": True,
            "limit": 1,
            "filter": {ASSET_KEY: asset_id},
        }
        return bool(self._run(VECTOR_INDEX, {"$vectorSearch": search}, {"$project": {"_id": 1}}))

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
            SEARCH_INDEX,
            {
                "$search": {
                    "index": SEARCH_INDEX,
                    "compound": compound,
                    "highlight": {"path": ["text", "title"]},
                }
            },
            {"$limit": limit},
            {"$project": {**RANKED, "score": {"$meta": "searchScore"}, **_HIGHLIGHTS}},
        )
        return [{**row, "words": _hits(row.pop("highlights", ()))} for row in rows]

    def near_words(self, word: str) -> list[list[str]]:
        """The words of some passages and their titles that are this one, in any form, or nearly:
        with the same first letter, and one or two letters more, fewer or other. Passages with the
        word itself come first."""
        same = {"query": word, "path": ["text", "title"]}
        fuzzy = {"maxEdits": 1 + (len(word) >= TWO_EDITS), "prefixLength": 1}
        should = [
            {"text": {**same, "score": {"boost": {"value": 100}}}},
            {"text": {**same, "fuzzy": fuzzy}},
        ]
        search: Document = {
            "index": SEARCH_INDEX,
            "compound": {"should": should, "minimumShouldMatch": 1},
            "highlight": {"path": ["text", "title"]},
        }
        project = {"$project": {"_id": 1, **_HIGHLIGHTS}}
        rows = self._run(SEARCH_INDEX, {"$search": search}, {"$limit": NEAR_PASSAGES}, project)
        return [_hits(row.get("highlights", ())) for row in rows]

    def titled(self, words: Sequence[str], limit: int) -> list[Document]:
        """The first passages of things whose titles have, for each of the words, one that begins
        with it: asset_id and revision, best first."""
        compound = {
            "must": [{"autocomplete": {"path": "title", "query": word}} for word in words],
            "filter": [{"equals": {"path": "position", "value": 0}}],
        }
        return self._run(
            SEARCH_INDEX,
            {"$search": {"index": SEARCH_INDEX, "compound": compound}},
            {"$limit": limit},
            {"$project": {"asset_id": 1, "revision": 1}},
        )

    def some(self, keys: Iterable[tuple[str, int | None, int]]) -> list[Document]:
        """The passages that exist of these assets, revisions and positions, without a score. They
        are looked up in the collection."""
        wanted = [passage_id(*key) for key in keys]
        with available():
            return list(self._collection.find({"_id": {"$in": wanted}}, SHOWN))

    def things_with(self, phrase: str, filters: Sequence[Condition]) -> dict[str, set[int | None]]:
        """The ids of the things that have the word or the phrase in one of their passages, each
        with the revisions that these passages are of."""
        compound = {"must": [_phrase(phrase)], **search_clauses(filters)}
        rows = self._run(
            SEARCH_INDEX,
            {"$search": {"index": SEARCH_INDEX, "compound": compound}},
            {"$group": {"_id": {"asset_id": "$asset_id", "revision": "$revision"}}},
        )
        found: dict[str, set[int | None]] = {}
        for row in rows:
            found.setdefault(str(row["_id"]["asset_id"]), set()).add(row["_id"].get("revision"))
        return found

    def _run(self, index: str, *stages: Document) -> list[Document]:
        with available():
            rows = list(self._collection.aggregate(list(stages)))
            if not rows:
                self._require(index)
        return rows

    def _require(self, name: str) -> None:
        """Check an index that found nothing: MongoDB answers nothing, and no error, for one that it
        does not have. Raises ServiceUnavailable."""
        if time.monotonic() < self._checked.get(name, 0.0):
            return
        if not any(index.get("queryable") for index in self._collection.list_search_indexes(name)):
            reason = f"its index {name} is missing or not built yet; create-indexes.py makes it"
            raise ServiceUnavailable(SERVICE, reason, ErrorCode.DATABASE_UNAVAILABLE)
        self._checked[name] = time.monotonic() + CHECKED_SECONDS


def _text(query: str) -> Document:
    """Of the distinct words of a long query, the longest: they tell more than short ones."""
    words = _WORD.findall(query)
    if len(words) <= MAX_WORDS:
        return {"text": {"query": query, "path": ["text", "title"]}}
    longest = sorted(dict.fromkeys(words), key=len, reverse=True)[:MAX_DISTINCT_WORDS]
    return {"text": {"query": " ".join(longest), "path": "text"}}


def _phrase(phrase: str) -> Document:
    return {"phrase": {"query": phrase, "path": ["text", "title"]}}


def _hits(highlights: Sequence[Document]) -> list[str]:
    """The words that match, each spelling once."""
    texts = (part for highlight in highlights for part in highlight["texts"])
    return sorted({part["value"] for part in texts if part["type"] == "hit"})

"""The 1,024 clauses that a query may have on Atlas' Free and Flex clusters."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import create_index, create_text_index, ids, matches

Documents = Collection[dict[str, Any]]
KEYS = [ObjectId() for _ in range(1025)]
NAMES = [str(key) for key in KEYS]
FIELDS = {
    "text": {"type": "string"},
    "title": {"type": "string"},
    "key": {"type": "objectId"},
    "name": {"type": "token"},
    "n": {"type": "number"},
}
NESTED = "Query contains too many nested clauses; maxClauseCount is set to 1024"
SINGLE = "caused by :: query has expanded into too many sub-queries internally: maxClauseCount is"
IN_FILTER = "caused by :: maxClauseCount is set to 1024"


@pytest.fixture
def texts(collection: Documents) -> Documents:
    create_text_index(collection, FIELDS)
    collection.insert_one({"_id": 1, "text": "w1", "key": KEYS[0], "name": NAMES[0], "n": 1})
    return collection


@pytest.fixture
def vectors(collection: Documents) -> Documents:
    create_index(collection, "key", "name")
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8, "key": KEYS[0], "name": NAMES[0]})
    return collection


def words(count: int, *paths: str) -> dict[str, Any]:
    return {"text": {"query": " ".join(f"w{n}" for n in range(count)), "path": list(paths)}}


def one_of(path: str, values: list[Any]) -> dict[str, Any]:
    return {"in": {"path": path, "value": values}}


@pytest.mark.parametrize(
    "operator",
    [
        words(1024, "text"),
        words(512, "text", "title"),
        {"text": {"query": "w1 " * 1024, "path": ["text", "title"]}},
        one_of("key", KEYS[:1024]),
        one_of("name", NAMES * 3),
        one_of("n", list(range(3000))),
        {"compound": {"must": [words(1023, "text")], "filter": [one_of("name", NAMES)]}},
    ],
    ids=["words", "paths", "repeated", "ids", "strings", "numbers", "compound"],
)
def test_a_search_of_1024_clauses(texts: Documents, operator: dict[str, Any]) -> None:
    assert matches(texts, operator) == [1]


@pytest.mark.parametrize(
    ("operator", "complaint"),
    [
        (words(1025, "text"), SINGLE),
        (words(513, "text", "title"), NESTED),
        ({"text": {"query": "w1 " * 1025, "path": "text"}}, SINGLE),
        (one_of("key", KEYS), SINGLE),
        (
            {"compound": {"must": [words(1000, "text")], "mustNot": [one_of("key", KEYS[:25])]}},
            NESTED,
        ),
    ],
    ids=["words", "paths", "repeated", "ids", "compound"],
)
def test_a_search_of_more(texts: Documents, operator: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        matches(texts, operator)
    assert refused.value.code == 8


def test_filters_of_a_vector_search(vectors: Documents) -> None:
    query = [0.0] * 8
    assert ids(vectors, query, filter={"key": {"$in": KEYS[:1024]}}) == [1]
    assert ids(vectors, query, filter={"name": {"$in": NAMES * 3}}) == [1]
    assert ids(vectors, query, filter={"name": {"$nin": NAMES}}) == []
    with pytest.raises(OperationFailure, match=IN_FILTER):
        ids(vectors, query, filter={"key": {"$in": KEYS}})
    with pytest.raises(OperationFailure, match=IN_FILTER):
        ids(vectors, query, filter={"key": {"$nin": KEYS}})
    halves = [{"key": {"$in": KEYS[:513]}}, {"key": {"$in": KEYS[:513]}}]
    with pytest.raises(OperationFailure, match=NESTED):
        ids(vectors, query, filter={"$or": halves})

"""The order and the facets of $search and $searchMeta, through pymongo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest
from bson.binary import Binary
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import Atlas, create_text_index, scored

Document = dict[str, Any]
Documents = Collection[Document]
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
SCORE = {"$meta": "searchScore"}
ALL = {"exists": {"path": "word"}}
FIELDS: Document = {
    "word": {"type": "string"},
    "name": {"type": "token"},
    "tag": [{"type": "token", "normalizer": "lowercase"}, {"type": "stringFacet"}],
    "old": {"type": "stringFacet"},
    "size": {"type": "number"},
    "count": {"type": "numberFacet"},
    "added": {"type": "date"},
    "seen": {"type": "dateFacet"},
    "owner": {"type": "objectId"},
    "code": {"type": "uuid"},
    "open": {"type": "boolean"},
    "mixed": [{"type": kind} for kind in ("token", "number", "date", "boolean", "objectId")],
    "place": {"type": "document", "fields": {"height": {"type": "number"}}},
}


def _owner(number: int) -> ObjectId:
    return ObjectId(f"{number:024x}")


THINGS: list[Document] = [
    {
        "_id": 1,
        "word": "word word",
        "name": "b",
        "tag": ["Red", "green"],
        "old": "x",
        "size": 10,
        "count": 1,
        "added": DAY,
        "seen": DAY,
        "owner": _owner(3),
        "code": Binary(b"\2" * 16, 4),
        "open": True,
        "mixed": "text",
        "place": [{"height": 4}, {"height": [8, [1]]}],
    },
    {
        "_id": 2,
        "word": "word",
        "name": "B",
        "tag": "red",
        "old": ["x", "x", ""],
        "size": [7.5, 40],
        "count": 2.5,
        "added": DAY - dt.timedelta(days=40),
        "seen": DAY + dt.timedelta(days=1),
        "owner": _owner(1),
        "code": Binary(b"\1" * 16, 4),
        "open": False,
        "mixed": 5,
        "place": {"height": 5},
    },
    {"_id": 3, "word": "word and more", "name": "a", "size": -3, "mixed": DAY, "open": None},
    {"_id": 4, "word": "another word", "tag": "blue", "size": "9", "mixed": None, "open": True},
]


@pytest.fixture(scope="module")
def things(atlas: Atlas) -> Documents:
    collection = atlas.client.test.create_collection("collectors")
    create_text_index(collection, FIELDS)
    collection.insert_many([*THINGS, {"_id": 5, "name": "no word", "tag": "red", "size": 1}])
    collection.delete_one({"_id": 5})  # what is deleted counts nowhere
    return collection


def keys(found: Iterable[tuple[Any, float]]) -> list[Any]:
    return [key for key, _ in found]


ORDERS: list[tuple[Document, list[int]]] = [
    # Missing values first, and strings by their code points.
    ({"name": 1}, [4, 2, 3, 1]),
    ({"name": -1}, [1, 3, 2, 4]),
    ({"name": {"order": 1, "noData": "highest"}}, [2, 3, 1, 4]),
    ({"name": {"order": -1, "noData": "highest"}}, [4, 1, 3, 2]),
    ({"name": {"order": 1, "noData": "lowest"}}, [4, 2, 3, 1]),
    # The least value of an array, or the greatest. A string is no number.
    ({"size": 1}, [4, 3, 2, 1]),
    ({"size": -1.0}, [2, 1, 3, 4]),
    ({"added": 1, "name": 1}, [4, 3, 2, 1]),
    ({"added": -1, "name": -1}, [1, 2, 3, 4]),
    ({"owner": -1, "size": -1}, [1, 2, 3, 4]),
    ({"code": Int64(1), "size": 1}, [4, 3, 2, 1]),
    ({"open": 1, "size": 1}, [3, 2, 4, 1]),
    ({"place.height": 1, "size": 1}, [4, 3, 1, 2]),
    ({"place.height": -1, "size": -1}, [1, 2, 3, 4]),
    # Null, numbers, strings, dates.
    ({"mixed": 1}, [4, 2, 1, 3]),
    ({"mixed": -1}, [3, 1, 2, 4]),
    # Normalized, so that 1 and 2 are equal.
    ({"tag": -1, "size": 1}, [2, 1, 4, 3]),
    # A string that is no token has nothing to sort by.
    ({"word": 1, "size": -1}, [2, 1, 3, 4]),
    ({"old": 1, "size": -1}, [2, 1, 3, 4]),
]


@pytest.mark.parametrize(("sort", "expected"), ORDERS, ids=str)
def test_each_order(things: Documents, sort: Document, expected: list[int]) -> None:
    assert keys(scored(things, {**ALL, "sort": sort})) == expected


def test_by_score(things: Documents) -> None:
    word = {"text": {"query": "word", "path": "word"}}
    best = scored(things, word)
    assert [score for _, score in best] == sorted((score for _, score in best), reverse=True)
    assert keys(scored(things, {**word, "sort": {"unused": SCORE}})) == keys(best)
    lowest = scored(things, {**word, "sort": {"unused": {**SCORE, "order": 1}, "size": 1}})
    assert [score for _, score in lowest] == sorted(score for _, score in best)
    # Scores stay what they are in another order.
    assert dict(scored(things, {**word, "sort": {"size": 1}})) == dict(best)


def test_a_limit_is_of_the_order(things: Documents) -> None:
    stage = {**ALL, "sort": {"size": -1}}
    assert keys(scored(things, stage, {"$limit": 2})) == [2, 1]
    assert keys(scored(things, stage, {"$skip": 1}, {"$limit": 2})) == [1, 3]
    # The server joins these with their documents, in the same order.
    assert keys(scored(things, stage, {"$match": {"_id": {"$ne": 1}}})) == [2, 3, 4]


@pytest.mark.parametrize(
    ("sort", "complaint"),
    [
        ({}, '"sort" Sort spec must have at least one sort field defined'),
        ("size", '"sort" must be a document'),
        ({"size": 2}, '"sort" sort order must be 1 or -1'),
        ({"size": "down"}, '"sort" must be a number'),
        ({"size": {"noData": "lowest"}}, '"sort" "order" is required'),
        ({"size": {"order": 0}}, '"sort" sort order must be 1 or -1'),
        ({"size": {"order": 1, "noData": "last"}}, r'"sort.noData" must be one of \[lowest, high'),
        ({"size": {"order": 1, "nulls": 1}}, '"sort" unrecognized field "nulls"'),
        ({"s": {"$meta": "textScore"}}, r'"sort.\$meta" must be one of \[searchScore\]'),
        ({"s": {**SCORE, "noData": "lowest"}}, r"at most one of \[\$meta, noData\]"),
        ({"nowhere": 1}, "nowhere is not indexed as sortable"),
        ({"size": 1, "place.width": 1}, "place.width is not indexed as sortable"),
    ],
    ids=str,
)
def test_orders_that_are_refused(things: Documents, sort: Any, complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        scored(things, {**ALL, "sort": sort})
    assert refused.value.code == 8


def meta(things: Documents, facet: Document, operator: Document | None = ALL) -> Document:
    collector = {"facets": {"it": facet}} | ({"operator": operator} if operator else {})
    (found,) = things.aggregate([{"$searchMeta": {"facet": collector}}])
    return found


def buckets(things: Documents, facet: Document, operator: Document | None = ALL) -> list[Any]:
    found = meta(things, facet, operator)["facet"]["it"]["buckets"]
    return [(bucket["_id"], bucket["count"]) for bucket in found]


MONTH = dt.timedelta(days=30)
FACETS: list[tuple[Document, list[tuple[Any, int]]]] = [
    ({"type": "string", "path": "name"}, [("B", 1), ("a", 1), ("b", 1)]),
    ({"type": "string", "path": "name", "numBuckets": 2}, [("B", 1), ("a", 1)]),
    ({"type": "string", "path": "old"}, [("x", 2)]),
    # stringFacet goes before token and knows no normalizer.
    ({"type": "string", "path": "tag"}, [("Red", 1), ("blue", 1), ("green", 1), ("red", 1)]),
    ({"type": "string", "path": "mixed"}, [("text", 1)]),
    ({"type": "number", "path": "size", "boundaries": [-3, 0, 10, 40]}, [(-3, 1), (0, 1), (10, 1)]),
    (
        {"type": "number", "path": "size", "boundaries": [0, 10.5], "default": "other"},
        [(0, 2), ("other", 2)],
    ),
    ({"type": "number", "path": "count", "boundaries": [1, 2, 2.5, 3]}, [(1, 1), (2, 0), (2.5, 1)]),
    ({"type": "number", "path": "place.height", "boundaries": [0, 5, 9]}, [(0, 1), (5, 2)]),
    (
        {"type": "date", "path": "added", "boundaries": [DAY - MONTH, DAY, DAY + MONTH]},
        [((DAY - MONTH).replace(tzinfo=None), 0), (DAY.replace(tzinfo=None), 1)],
    ),
    (
        {"type": "date", "path": "seen", "boundaries": [DAY, DAY + MONTH], "default": "never"},
        [(DAY.replace(tzinfo=None), 2), ("never", 2)],
    ),
]


@pytest.mark.parametrize(("facet", "expected"), FACETS, ids=str)
def test_each_facet(things: Documents, facet: Document, expected: list[Any]) -> None:
    assert buckets(things, facet) == expected


def test_facets_are_of_what_the_operator_finds(things: Documents) -> None:
    names = {"type": "string", "path": "name"}
    assert buckets(things, names, {"text": {"query": "more", "path": "word"}}) == [("a", 1)]
    assert buckets(things, names, {"text": {"query": "none", "path": "word"}}) == []
    found = meta(things, names, operator=None)
    assert found["count"] == {"lowerBound": 4}
    assert len(found["facet"]["it"]["buckets"]) == 3


def test_several_facets_and_the_variable(things: Documents) -> None:
    facets = {
        "names": {"type": "string", "path": "name", "numBuckets": 1},
        "sizes": {"type": "number", "path": "size", "boundaries": [0, 50]},
    }
    wanted = {
        "count": {"total": 4},
        "facet": {
            "names": {"buckets": [{"_id": "B", "count": 1}]},
            "sizes": {"buckets": [{"_id": 0, "count": 2}]},
        },
    }
    stage = {
        "facet": {"operator": ALL, "facets": facets},
        "count": {"type": "total"},
        "sort": {"size": 1},
    }
    assert list(things.aggregate([{"$searchMeta": stage}])) == [wanted]
    later: list[Document] = [{"$limit": 2}, {"$project": {"meta": "$$SEARCH_META"}}]
    rows = list(things.aggregate([{"$search": stage}, *later]))
    assert rows == [{"_id": 4, "meta": wanted}, {"_id": 3, "meta": wanted}]
    first = {"$arrayElemAt": ["$$SEARCH_META.facet.names.buckets", 0]}
    (row,) = things.aggregate([{"$search": stage}, {"$limit": 1}, {"$project": {"b": first}}])
    assert row["b"] == {"_id": "B", "count": 1}


@pytest.mark.parametrize(
    ("facet", "complaint"),
    [
        ({"type": "string", "path": "word"}, 'on field "word" "" because it was not .* a "token"'),
        ({"type": "string", "path": "nowhere"}, 'not indexed as a "token" field'),
        ({"type": "number", "path": "name", "boundaries": [1, 2]}, 'indexed as a "number" field'),
        ({"type": "date", "path": "size", "boundaries": [DAY, DAY + MONTH]}, 'a "date" field'),
        ({"path": "name"}, '"facet.facets.it.type" is required'),
        ({"type": "text", "path": "name"}, r'it.type" must be one of \[string, number, date\]'),
        ({"type": "string"}, '"facet.facets.it.path" is required'),
        ({"type": "string", "path": "name", "numBuckets": 0}, r"within bounds \[1..1000\]"),
        ({"type": "string", "path": "name", "numBuckets": 1001}, r"within bounds \[1..1000\]"),
        ({"type": "string", "path": "name", "boundaries": [1, 2]}, 'unrecognized field "bound'),
        ({"type": "number", "path": "size"}, '"facet.facets.it.boundaries" is required'),
        ({"type": "number", "path": "size", "boundaries": 1}, "must be an array"),
        ({"type": "number", "path": "size", "boundaries": [1]}, r"within bounds: \[2..1000\]"),
        ({"type": "number", "path": "size", "boundaries": [1, 1]}, "distinct numbers in ascending"),
        ({"type": "number", "path": "size", "boundaries": [1, DAY]}, r'\[1\]" must be a number'),
        ({"type": "number", "path": "size", "boundaries": [2**53, 2**53 + 1]}, "the same number"),
        (
            {"type": "date", "path": "added", "boundaries": [DAY, DAY]},
            "distinct dates in asc",
        ),
        ({"type": "date", "path": "added", "boundaries": [1, 2]}, r'\[0\]" must be a date'),
    ],
    ids=str,
)
@pytest.mark.parametrize("stage", ["$search", "$searchMeta"])
def test_facets_that_are_refused(
    things: Documents, facet: Document, complaint: str, stage: str
) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        things.aggregate([{stage: {"facet": {"operator": ALL, "facets": {"it": facet}}}}])
    assert refused.value.code == 8


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        ({"facet": {"operator": ALL}}, '"facet.facets" is required'),
        ({"facet": {"operator": ALL, "facets": {}}}, '"facet.facets" cannot be empty'),
        ({"facet": {"operator": {}, "facets": {"a": {}}}}, '"facet.operator" one of'),
        ({"facet": {"facets": {"a": {}}, "buckets": 1}}, '"facet" unrecognized field "buckets"'),
        ({**ALL, "facet": {"facets": {}}}, "Top-level operator is not allowed to be used with"),
    ],
    ids=str,
)
def test_collectors_that_are_refused(things: Documents, stage: Document, complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint):
        things.aggregate([{"$searchMeta": stage}])


def test_what_is_indexed_for_facets_alone(things: Documents) -> None:
    for path, value in (("count", 1), ("seen", DAY)):
        assert scored(things, {"equals": {"path": path, "value": value}}) == []
    with pytest.raises(OperationFailure, match="Path 'old' needs to be indexed as token"):
        scored(things, {"equals": {"path": "old", "value": "x"}})

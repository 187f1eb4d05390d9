"""What is answered without the server is what the server would answer."""

from __future__ import annotations

from typing import Any

import pytest
from bson.binary import Binary
from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from localcloud.atlas.index.sources import pack, unpack
from localcloud.atlas.wire import shortcut
from tests.localcloud.atlas.server import (
    Atlas,
    binary,
    create_index,
    create_text_index,
    search_stage,
)

Documents = Collection[dict[str, Any]]
Stages = list[dict[str, Any]]
SCORE = {"$meta": "score"}
WIDE = 200  # numbers: enough for an index not to keep them with the document


@pytest.fixture(scope="module")
def both(atlas: Atlas) -> Documents:
    """A collection with an index of either type."""
    collection = atlas.client.test.create_collection("both")
    create_text_index(collection, {"text": {"type": "string"}})
    create_index(collection, dimensions=WIDE)
    collection.insert_many(
        [
            {
                "_id": n if n % 2 else {"n": n},
                "text": "word " * (n + 1),
                "b": {"c": [n, {"d": ObjectId()}]},
                "embedding": binary([float(n)] * WIDE) if n % 3 else [float(n)] * WIDE,
                "a": None if n % 4 else Binary(b"x" * n),
                "n": n,
            }
            for n in range(12)
        ]
    )
    return collection


FIRST: list[dict[str, Any]] = [
    {"$search": {"text": {"query": "word", "path": "text"}}},
    search_stage([0.0] * WIDE, 7),
]
DONE_HERE: list[Stages] = [
    [{"$project": {"text": 1}}],
    [{"$project": {"n": 1, "text": True, "score": SCORE}}],
    [{"$project": {"_id": 0, "n": 1}}],
    [{"$project": {"_id": 1}}],
    [{"$project": {"_id": 0, "score": SCORE}}],
    [{"$project": {"missing": 1, "a": 1}}],
    [{"$project": {"embedding": 0}}],
    [{"$project": {"embedding": 0, "_id": 0, "b": False}}],
    [{"$set": {"score": SCORE}}, {"$project": {"score": 1, "n": 1}}],
    [{"$set": {"n": SCORE}}, {"$project": {"embedding": 0}}],
    [{"$addFields": {"embedding": SCORE}}],
    [{"$skip": 2}, {"$limit": 3}, {"$project": {"n": 1}}],
    [{"$limit": 5.0}, {"$project": {"n": 1.0}}],
    [{"$project": {"n": 1, "text": 1}}, {"$project": {"text": 0}}, {"$limit": 2}],
]
NEEDS_THE_SERVER: list[Stages] = [
    [],
    [{"$limit": 2}],
    [{"$project": {"embedding": 1}}],
    [{"$project": {"_id": 0}}],
    [{"$project": {"text": 0}}],
    [{"$project": {"b.c": 1}}],
    [{"$project": {"n": {"$add": ["$n", 1]}}}],
    [{"$project": {"n": "$text"}}],
    [{"$match": {"n": {"$gt": 3}}}, {"$project": {"n": 1}}],
    [{"$set": {"x": 1}}, {"$project": {"n": 1}}],
]


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    return [list(row.items()) for row in one] == [list(row.items()) for row in other]


@pytest.mark.parametrize("first", FIRST, ids=["text", "vector"])
@pytest.mark.parametrize("stages", [*DONE_HERE, *NEEDS_THE_SERVER], ids=str)
def test_the_same_as_the_server(both: Documents, first: dict[str, Any], stages: Stages) -> None:
    """Down to the order of the fields."""
    by_server = list(both.aggregate([first, *stages, {"$match": {}}]))
    assert by_server
    assert same(list(both.aggregate([first, *stages])), by_server)


@pytest.mark.parametrize("first", FIRST, ids=["text", "vector"])
@pytest.mark.parametrize("name", ["text", "missing", "n", "a", "b", "embedding", "_id"])
def test_the_same_groups_as_the_server(both: Documents, first: dict[str, Any], name: str) -> None:
    """In any order; what is no string or id is the server's to compare."""
    stages = [first, {"$group": {"_id": f"${name}"}}]
    assert shortcut.plan(stages[1:]) is not None
    by_server = [repr(row) for row in both.aggregate([*stages, {"$match": {}}])]
    assert sorted(repr(row) for row in both.aggregate(stages)) == sorted(by_server)


@pytest.mark.parametrize("stages", DONE_HERE, ids=str)
def test_what_is_done_here(stages: Stages) -> None:
    assert shortcut.plan(stages) is not None
    assert shortcut.plan([*stages, {"$match": {}}]) is None


@pytest.mark.parametrize(
    "stage",
    [
        {"$project": {}},
        {"$project": {"a": 1, "b": 0}},
        {"$project": {"a": 0, "s": {"$meta": "nothing"}}},
        {"$limit": 0},
        {"$limit": -1},
        {"$set": {"s": {"$meta": "searchHighlights"}}},
    ],
    ids=str,
)
def test_refusals_are_the_servers(both: Documents, stage: dict[str, Any]) -> None:
    with pytest.raises(OperationFailure) as refused:
        both.aggregate([FIRST[0], stage])
    assert refused.value.code is not None


def test_batches_are_the_servers(both: Documents) -> None:
    stages = [FIRST[0], {"$project": {"n": 1}}]
    cursor = both.aggregate(stages, batchSize=5)
    assert cursor.alive
    assert len(list(cursor)) == 12
    assert len(list(both.aggregate(stages, batchSize=50))) == 12


def test_in_a_transaction(atlas: Atlas, both: Documents) -> None:
    stages = [FIRST[0], {"$limit": 2}, {"$project": {"n": 1}}]
    with atlas.client.start_session() as session, session.start_transaction():
        both.insert_one({"_id": "new", "n": -1}, session=session)
        assert len(list(both.aggregate(stages, session=session))) == 2
        session.abort_transaction()
    assert both.find_one({"_id": "new"}) is None


def test_results_too_big_for_one_batch(collection: Documents) -> None:
    create_text_index(collection, {"text": {"type": "string"}})
    big = "x" * 1_000_000
    for n in range(20):
        collection.insert_one({"_id": n, "text": "word", "big": big})
    stages: Stages = [FIRST[0], {"$project": {"big": 1}}]
    assert sum(len(row["big"]) for row in collection.aggregate(stages)) == 20 * len(big)


def test_what_an_index_keeps() -> None:
    document = {"_id": 1, "v": [0.5] * 200, "w": b"x" * 600, "short": [1, 2], "t": "x" * 9999}
    source = unpack(pack(document))
    assert source.left == {"v", "w"}
    assert list(source.document) == ["_id", "short", "t"]
    assert unpack(pack(document, {"v"})).document["v"] == [0.5] * 200

"""Searches that begin an inner pipeline of $unionWith or $lookup."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import (
    SCORE,
    TEXT_SCORE,
    create_index,
    create_text_index,
    search_stage,
)

Documents = Collection[dict[str, Any]]
NEAR = search_stage([0.0] * 8, 2)
WORDS = {"$search": {"index": "words", "text": {"query": "light", "path": "text"}}}
# The one word "light" in three documents of these lengths has a score for each of them.
TEXTS = ["calm sea", "light", "a light on the sea", "light house keepers"]


@pytest.fixture
def four(collection: Documents) -> Documents:
    """Four documents, by _id: 0 and 1 are nearest to zero, 1, 2 and 3 hold the word `light`."""
    create_index(collection)
    create_text_index(collection, {"text": {"type": "string"}}, "words")
    collection.insert_many(
        [{"_id": n, "text": text, "embedding": [float(n)] * 8} for n, text in enumerate(TEXTS)]
    )
    return collection


def union(collection: Documents, *stages: dict[str, Any]) -> dict[str, Any]:
    return {"$unionWith": {"coll": collection.name, "pipeline": list(stages)}}


def keys(collection: Documents, *stages: dict[str, Any]) -> list[Any]:
    return [one["_id"] for one in collection.aggregate(list(stages))]


def test_a_union_of_both_searches(four: Documents) -> None:
    assert keys(four, NEAR, union(four, WORDS)) == [0, 1, 1, 3, 2]
    assert keys(four, WORDS, union(four, NEAR)) == [1, 3, 2, 0, 1]
    assert keys(four, NEAR, union(four, WORDS, {"$limit": 1}), {"$skip": 1}) == [1, 1]


def test_each_part_has_its_own_scores(four: Documents) -> None:
    near = {"$project": {"near": SCORE}}
    words = {"$project": {"words": TEXT_SCORE}}
    found = list(four.aggregate([NEAR, near, union(four, WORDS, words)]))
    assert [set(one) for one in found] == [{"_id", "near"}] * 2 + [{"_id", "words"}] * 3
    assert found[0]["near"] == 1.0
    scores = [one["words"] for one in found[2:]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_a_union_after_other_stages(four: Documents) -> None:
    assert keys(four, {"$match": {"_id": 3}}, union(four, NEAR)) == [3, 0, 1]
    assert keys(four, union(four, NEAR), {"$sort": {"_id": 1}}) == [0, 0, 1, 1, 2, 3]


def test_rows_of_the_inner_documents_are_whole(four: Documents) -> None:
    found = list(four.aggregate([{"$match": {"_id": -1}}, union(four, NEAR)]))
    assert [set(one) for one in found] == [{"_id", "text", "embedding"}] * 2


def test_unions_inside_unions(four: Documents) -> None:
    assert keys(four, NEAR, union(four, NEAR, union(four, NEAR))) == [0, 1] * 3
    assert keys(four, NEAR, union(four, {"$limit": 1}, union(four, NEAR))) == [0, 1, 0, 0, 1]


def test_nothing_found_and_nothing_there(four: Documents) -> None:
    nothing = {"$search": {"index": "words", "text": {"query": "absent", "path": "text"}}}
    assert keys(four, NEAR, union(four, nothing)) == [0, 1]
    assert keys(four, NEAR, union(four.database["nowhere"], NEAR)) == [0, 1]


def test_the_count_of_an_inner_search(four: Documents) -> None:
    meta = {"$searchMeta": {**WORDS["$search"], "count": {"type": "total"}}}
    (first, *_, last) = four.aggregate([NEAR, union(four, meta)])
    assert (first["_id"], last) == (0, {"count": {"total": 3}})
    variable = union(four, WORDS, {"$project": {"all": "$$SEARCH_META.count.lowerBound"}})
    assert [one.get("all") for one in four.aggregate([NEAR, variable])] == [None, None, 3, 3, 3]
    empty = four.database.create_collection(four.name + "_empty")
    assert list(four.aggregate([{"$match": {"_id": -1}}, union(empty, meta)])) == [
        {"count": {"total": 0}}
    ]


def test_a_lookup_with_variables_of_the_outer_document(four: Documents) -> None:
    join = {
        "from": four.name,
        "let": {"own": "$_id"},
        "pipeline": [
            NEAR,
            {"$match": {"$expr": {"$ne": ["$_id", "$$own"]}}},
            {"$project": {"score": SCORE}},
        ],
        "as": "others",
    }
    found = {one["_id"]: one["others"] for one in four.aggregate([{"$lookup": join}])}
    near = [{"_id": 0, "score": 1.0}, {"_id": 1, "score": pytest.approx(1 / 9)}]
    assert found == {0: near[1:], 1: near[:1], 2: near, 3: near}


def test_refusals(four: Documents) -> None:
    join = {
        "from": four.name,
        "localField": "_id",
        "foreignField": "_id",
        "pipeline": [NEAR],
        "as": "x",
    }
    with pytest.raises(OperationFailure, match="use let instead"):
        four.aggregate([{"$lookup": join}])
    with pytest.raises(OperationFailure, match="only valid as the first stage") as refused:
        four.aggregate([union(four, {"$limit": 1}, NEAR)])
    assert refused.value.code == 40602
    with pytest.raises(OperationFailure, match="wrong is not indexed as vector"):
        four.aggregate([NEAR, union(four, search_stage([0.0] * 8, path="wrong"))])
    with pytest.raises(OperationFailure, match="searchScore metadata"):
        four.aggregate([NEAR, union(four, NEAR, {"$set": {"score": TEXT_SCORE}})])

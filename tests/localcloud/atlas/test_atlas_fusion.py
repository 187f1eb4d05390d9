"""$rankFusion, against its formula."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import (
    Atlas,
    create_index,
    create_text_index,
    ids,
    search_stage,
)

Documents = Collection[dict[str, Any]]
Stages = list[dict[str, Any]]
SCORE, DETAILS = {"$meta": "score"}, {"$meta": "scoreDetails"}
QUERY = [0.0] * 8
WORDS = ("ash", "bay", "elm", "fir")
FIELDS = {"text": {"type": "string"}, "kind": {"type": "token"}}


@pytest.fixture(scope="module")
def trees(atlas: Atlas) -> Documents:
    rng = random.Random(3)
    collection = atlas.client.test.create_collection("trees")
    create_text_index(collection, FIELDS)
    create_index(collection, "kind")
    collection.insert_many(
        [
            {
                "_id": n,
                "text": " ".join(rng.choices(WORDS, k=rng.randint(2, 30))),
                "embedding": [rng.uniform(-1, 1) for _ in range(8)],
                "kind": rng.choice("xyz"),
                "size": rng.randint(0, 9),
            }
            for n in range(80)
        ]
    )
    return collection


TEXT: Stages = [{"$search": {"text": {"query": "ash fir", "path": "text"}}}, {"$limit": 20}]
VECTOR: Stages = [search_stage(QUERY, 15)]
SORTED: Stages = [{"$match": {"kind": "x"}}, {"$sort": {"size": -1}}, {"$limit": 10}]
THINNED: Stages = [search_stage(QUERY, 30), {"$match": {"kind": "y"}}, {"$skip": 1}]


def fusion(pipelines: dict[str, Stages], **options: Any) -> dict[str, Any]:
    return {"$rankFusion": {"input": {"pipelines": pipelines}, **options}}


def ranked(trees: Documents, stages: Stages, key: Any) -> dict[Any, int]:
    """Ranks, by what the pipeline itself gives. What its order does not tell apart shares one."""
    rows = list(trees.aggregate([*stages, {"$set": {"score": key}}]))
    scores = [row["score"] for row in rows]
    return {row["_id"]: scores.index(row["score"]) + 1 for row in rows}


def test_the_formula(trees: Documents) -> None:
    pipelines = {"text": TEXT, "vector": VECTOR, "sorted": SORTED, "thinned": THINNED}
    weights = {"text": 2, "thinned": 0.5}
    stage = fusion(pipelines, combination={"weights": weights})
    found = list(trees.aggregate([stage, {"$project": {"score": SCORE}}]))
    ranks = {
        name: ranked(trees, stages, SCORE) for name, stages in pipelines.items() if name != "sorted"
    }
    ranks["sorted"] = ranked(trees, SORTED, "$size")
    expected: dict[Any, float] = {}
    for name in sorted(pipelines):
        for key, rank in ranks[name].items():
            expected[key] = expected.get(key, 0.0) + weights.get(name, 1) / (60 + rank)
    assert {hit["_id"]: hit["score"] for hit in found} == pytest.approx(expected)
    order = [(-hit["score"], hit["_id"]) for hit in found]
    assert order == sorted(order)


def test_one_pipeline_keeps_its_order(trees: Documents) -> None:
    found = [hit["_id"] for hit in trees.aggregate([fusion({"v": VECTOR})])]
    assert found == ids(trees, QUERY, 15)


def test_whole_documents_and_later_stages(trees: Documents) -> None:
    stage = fusion({"t": TEXT, "v": VECTOR})
    hits = list(trees.aggregate([stage, {"$limit": 3}]))
    assert all(hit == trees.find_one({"_id": hit["_id"]}) for hit in hits)
    top = list(
        trees.aggregate(
            [stage, {"$limit": 3}, {"$project": {"n": {"$add": ["$size", 1]}, "s": SCORE}}]
        )
    )
    assert [hit["n"] for hit in top] == [hit["size"] + 1 for hit in hits]
    assert [hit["s"] for hit in top] == sorted((hit["s"] for hit in top), reverse=True)
    grouped = trees.aggregate([stage, {"$group": {"_id": None, "best": {"$max": SCORE}}}])
    assert [row["best"] for row in grouped] == [top[0]["s"]]


def test_nothing_found(atlas: Atlas, trees: Documents) -> None:
    nothing: Stages = [{"$search": {"text": {"query": "oak", "path": "text"}}}]
    assert list(trees.aggregate([fusion({"a": nothing, "b": nothing})])) == []
    assert list(atlas.client.test.nowhere.aggregate([fusion({"a": TEXT, "b": SORTED})])) == []


@pytest.mark.parametrize(
    ("stage", "code", "complaint"),
    [
        ({"input": {"pipelines": {}}}, 2, "at least one input pipeline"),
        ({}, 40414, "'.rankFusion.input' is missing"),
        ({"input": {}}, 40414, "input.pipelines' is missing"),
        ({"input": {"pipelines": {"a": TEXT}}, "x": 1}, 40415, "x' is an unknown field"),
        ({"input": {"pipelines": {"a": []}}}, 9834300, "cannot be empty"),
        ({"input": {"pipelines": {"a": [{"$match": {}}]}}}, 9191100, "explicit .sort"),
        (
            {"input": {"pipelines": {"a": [*TEXT, {"$project": {"_id": 1}}]}}},
            9191103,
            ".project is not a selection stage",
        ),
        (
            {"input": {"pipelines": {"a": [fusion({"b": TEXT})]}}},
            10473002,
            "nested hybrid search stage",
        ),
        ({"input": {"pipelines": {"": TEXT}}}, 15998, "may not be empty"),
        ({"input": {"pipelines": {"a.b": TEXT}}}, 16412, "may not contain '.'"),
        ({"input": {"pipelines": {"$a": TEXT}}}, 16410, "may not start with"),
        (
            {"input": {"pipelines": {"a": TEXT}}, "combination": {"weights": {"b": 1}}},
            9967500,
            r"valid pipeline names: \[b\]",
        ),
        (
            {"input": {"pipelines": {"a": TEXT}}, "combination": {"weights": {"a": -1}}},
            9460300,
            "must be non-negative, but given -1",
        ),
        (
            {"input": {"pipelines": {"a": TEXT}}, "combination": {"weights": {"a": "x"}}},
            14,
            "must be a number",
        ),
        ({"input": {"pipelines": {"a": TEXT}}, "scoreDetails": 5}, 14, "must be a bool"),
        (
            {"input": {"pipelines": {"a": [{"$search": {}}]}}},
            8,
            "should contain an operator",
        ),
        (
            {"input": {"pipelines": {"a": [{"$match": {"$x": 1}}, {"$sort": {"_id": 1}}]}}},
            None,
            "x",
        ),
    ],
    ids=str,
)
def test_refusals(
    trees: Documents, stage: dict[str, Any], code: int | None, complaint: str
) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        trees.aggregate([{"$rankFusion": stage}])
    assert code in (None, refused.value.code)


def test_only_as_the_first_stage(trees: Documents) -> None:
    with pytest.raises(OperationFailure, match="only valid as the first stage"):
        trees.aggregate([{"$match": {}}, fusion({"a": TEXT})])
    with pytest.raises(OperationFailure, match="scoreDetails metadata, but it is not available"):
        trees.aggregate([fusion({"a": TEXT}), {"$set": {"d": DETAILS}}])


def test_what_this_server_lacks(trees: Documents) -> None:
    with pytest.raises(OperationFailure, match="no scoreDetails"):
        trees.aggregate([fusion({"a": TEXT}, scoreDetails=True)])
    with pytest.raises(OperationFailure, match="scoreFusion"):
        trees.aggregate([{"$scoreFusion": {"input": {"pipelines": {"a": TEXT}}}}])

"""$vectorSearch through pymongo, against a numpy oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from bson.binary import Binary, BinaryVectorDtype
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import (
    SCORE,
    Atlas,
    binary,
    create_index,
    found,
    ids,
    search_stage,
    wait_queryable,
)

Documents = Collection[dict[str, Any]]
Floats = npt.NDArray[np.float32]
SIMILARITIES = ("euclidean", "cosine", "dotProduct")


def vectors(count: int, dimensions: int, seed: int = 0) -> Floats:
    """Unit vectors around some centres, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, dimensions))
    spread = centres[rng.integers(0, 20, count)] + 0.7 * rng.standard_normal((count, dimensions))
    return np.asarray(spread / np.linalg.norm(spread, axis=1, keepdims=True), np.float32)


def oracle(rows: Floats, query: Floats, similarity: str) -> npt.NDArray[np.float64]:
    wide, wanted = rows.astype(np.float64), query.astype(np.float64)
    if similarity == "euclidean":
        return np.asarray(1 / (1 + ((wide - wanted) ** 2).sum(axis=1)))
    product = wide @ wanted
    if similarity == "cosine":
        product /= np.linalg.norm(wide, axis=1) * np.linalg.norm(wanted)
    return np.asarray((1 + product) / 2)


@pytest.mark.parametrize("options", [{"exact": True}, {"numCandidates": 200}])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_against_the_oracle(
    collection: Documents, similarity: str, options: dict[str, Any]
) -> None:
    rows = vectors(500, 48)
    create_index(collection, similarity=similarity, dimensions=48)
    collection.insert_many([{"_id": i, "embedding": binary(row)} for i, row in enumerate(rows)])
    for query in vectors(5, 48, seed=1):
        scores = oracle(rows, query, similarity)
        best = np.argsort(-scores)[:20]
        hits = found(collection, query, 20, **options)
        assert [key for key, _ in hits] == best.tolist()
        assert [score for _, score in hits] == pytest.approx(scores[best], abs=1e-9)


def test_documents_that_are_not_indexed(collection: Documents) -> None:
    create_index(collection, similarity="cosine")
    collection.insert_many(
        [
            {"_id": "array", "embedding": [1.0] * 8},
            {"_id": "integers", "embedding": [1] * 8},
            {"_id": "binary", "embedding": binary([1.0] * 8)},
            {"_id": "int8", "embedding": Binary.from_vector([1] * 8, BinaryVectorDtype.INT8)},
            {"_id": "missing"},
            {"_id": "null", "embedding": None},
            {"_id": "text", "embedding": "1 1 1 1 1 1 1 1"},
            {"_id": "short", "embedding": [1.0] * 7},
            {"_id": "long", "embedding": binary([1.0] * 9)},
            {"_id": "mixed", "embedding": [1.0] * 7 + ["x"]},
            {"_id": "infinite", "embedding": [1.0] * 7 + [float("inf")]},
            {"_id": "zero", "embedding": [0.0] * 8},
            {"_id": "plain binary", "embedding": b"\x27\x00" + b"\0" * 32},
        ]
    )
    for query in ([1.0] * 8, binary([1.0] * 8)):
        assert set(ids(collection, query, 20)) == {"array", "integers", "binary", "int8"}


def test_all_kinds_of_ids(collection: Documents) -> None:
    keys = ["$name", 1, 2.5, True, None, {"a": "$b", "c": [2]}, b"\x01"]
    create_index(collection)
    collection.insert_many(
        [{"_id": key, "embedding": [float(n)] * 8} for n, key in enumerate(keys)]
    )
    assert ids(collection, [0.0] * 8, 20) == keys


def test_a_nested_path(collection: Documents) -> None:
    fields = [{"type": "vector", "path": "a.v", "numDimensions": 2, "similarity": "euclidean"}]
    collection.insert_one({"_id": 1, "a": {"v": [1, 2]}})
    model = {"name": "vector_index", "type": "vectorSearch", "definition": {"fields": fields}}
    collection.create_search_index(model)
    wait_queryable(collection)
    collection.insert_many([{"_id": 2, "a": {"v": [5, 5]}}, {"_id": 3, "a": [{"v": [1, 2]}]}])
    collection.update_one({"_id": 1}, {"$set": {"a.v": [9, 9]}})
    assert ids(collection, [0, 0], path="a.v") == [2, 1]


def test_no_collection_and_no_index_give_nothing(atlas: Atlas, collection: Documents) -> None:
    assert found(atlas.client.test.nothing_here, [0.0] * 8) == []
    assert found(collection, [0.0] * 8) == []
    pipeline = [search_stage([0.0] * 8), {"$group": {"_id": "$kind"}}]
    assert list(collection.aggregate(pipeline)) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"exact": False}, '"numCandidates" is required'),
        ({"exact": True, "numCandidates": 100}, "must be omitted"),
        ({"numCandidates": 5}, '"limit" must be less than or equal'),
        ({"numCandidates": 10_001}, r"within bounds \[1..10000\]"),
        ({"numCandidates": "many"}, "must be an integer"),
        ({"limit": 0}, '"limit" must be positive'),
        ({"path": "text"}, "text is not indexed as vector"),
        ({"index": ""}, '"index" cannot be empty'),
        ({"queryVector": [1.0] * 7}, "indexed with 8 dimensions but queried with 7"),
        ({"queryVector": []}, "non-empty array"),
        ({"queryVector": ["a"] * 8}, "non-empty array of finite numbers"),
        ({"queryVector": None}, '"queryVector" is required'),
        ({"colour": 1}, 'unrecognized field "colour"'),
        ({"filter": {"kind": 1}}, "'kind' needs to be indexed as filter"),
        ({"filter": {"size": {"$regex": "x"}}}, r'unrecognized operator "\$regex"'),
        ({"filter": {"$where": "x"}}, r'unrecognized operator "\$where"'),
        ({"filter": {"size": {"$in": []}}}, "cannot be empty"),
        ({"filter": {"size": {"$in": 3}}}, "must be an array"),
        ({"filter": {"size": {"a": 3}}}, "must be one of"),
        ({"filter": {"$and": []}}, "non-empty array"),
        ({"filter": 3}, '"filter" must be a document'),
    ],
)
def test_refusals(collection: Documents, options: dict[str, Any], complaint: str) -> None:
    create_index(collection, "size")
    stage = search_stage([0.0] * 8, **options)
    with pytest.raises(OperationFailure, match=complaint) as refused:
        collection.aggregate([stage])
    assert refused.value.code == 8


def test_only_as_the_first_stage(collection: Documents) -> None:
    stage = search_stage([0.0] * 8)
    with pytest.raises(OperationFailure, match="only valid as the first stage"):
        collection.aggregate([{"$match": {}}, stage])
    with pytest.raises(OperationFailure, match=r"does not run \$vectorSearch inside \$facet"):
        collection.aggregate([{"$facet": {"near": [stage]}}])
    explain = {"aggregate": collection.name, "pipeline": [stage], "cursor": {}}
    with pytest.raises(OperationFailure, match="cannot explain"):
        collection.database.command("explain", explain)


def test_a_document_may_hold_our_words(collection: Documents) -> None:
    collection.insert_one({"_id": "$vectorSearch", "text": "createSearchIndexes"})
    assert collection.aggregate([{"$match": {"_id": "$vectorSearch"}}]).next()["text"]


class TestLaterStages:
    """Scores in, and hidden things out of, the stages that follow."""

    QUERY = (0.0,) * 8

    @pytest.fixture
    def ten(self, collection: Documents) -> Documents:
        """Ten documents at distances 0 to 9 on one axis; the even ones are of kind `even`."""
        create_index(collection)
        collection.insert_many(
            [
                {"_id": n, "kind": "odd" if n % 2 else "even", "embedding": [float(n)] + [0.0] * 7}
                for n in range(10)
            ]
        )
        return collection

    def run(self, ten: Documents, *stages: dict[str, Any]) -> list[dict[str, Any]]:
        return list(ten.aggregate([search_stage(self.QUERY, 4), *stages]))

    def score(self, n: float) -> float:
        return 1 / (1 + n * n)

    def test_whole_documents(self, ten: Documents) -> None:
        hits = self.run(ten)
        assert [hit["_id"] for hit in hits] == [0, 1, 2, 3]
        assert all(set(hit) == {"_id", "kind", "embedding"} for hit in hits)

    def test_add_fields_shows_no_more_than_was_added(self, ten: Documents) -> None:
        for stage in ("$addFields", "$set"):
            hits = self.run(ten, {stage: {"score": SCORE}})
            assert all(set(hit) == {"_id", "kind", "embedding", "score"} for hit in hits)
            assert [hit["score"] for hit in hits] == [self.score(n) for n in range(4)]

    def test_the_score_outlives_a_projection(self, ten: Documents) -> None:
        hits = self.run(ten, {"$project": {"kind": 1}}, {"$set": {"score": SCORE}})
        assert hits[1] == {"_id": 1, "kind": "odd", "score": self.score(1)}
        hits = self.run(ten, {"$project": {"embedding": 0}}, {"$set": {"score": SCORE}})
        assert hits[1] == {"_id": 1, "kind": "odd", "score": self.score(1)}
        hits = self.run(ten, {"$replaceWith": {"k": "$kind"}}, {"$set": {"score": SCORE}})
        assert hits[1] == {"k": "odd", "score": self.score(1)}

    def test_in_an_expression(self, ten: Documents) -> None:
        hits = self.run(
            ten,
            {"$match": {"$expr": {"$gt": [SCORE, 0.4]}}},
            {"$project": {"percent": {"$multiply": [100, SCORE]}}},
        )
        assert hits == [{"_id": 0, "percent": 100.0}, {"_id": 1, "percent": 50.0}]

    def test_sort(self, ten: Documents) -> None:
        hits = self.run(
            ten,
            {"$sort": {"_id": -1}},
            {"$limit": 3},
            {"$sort": {"score": SCORE}},
            {"$project": {"_id": 1}},
        )
        assert hits == [{"_id": 1}, {"_id": 2}, {"_id": 3}]

    def test_group(self, ten: Documents) -> None:
        hits = self.run(
            ten,
            {"$group": {"_id": "$kind", "best": {"$max": SCORE}, "all": {"$push": "$$ROOT"}}},
            {"$sort": {"best": -1}},
        )
        assert [hit["best"] for hit in hits] == [self.score(0), self.score(1)]
        assert [[one["_id"] for one in hit["all"]] for hit in hits] == [[0, 2], [1, 3]]
        assert all(set(one) == {"_id", "kind", "embedding"} for hit in hits for one in hit["all"])

    def test_group_first_keeps_the_order(self, ten: Documents) -> None:
        hits = self.run(ten, {"$group": {"_id": "$kind", "first": {"$first": "$_id"}}})
        assert {hit["_id"]: hit["first"] for hit in hits} == {"even": 0, "odd": 1}

    def test_facet(self, ten: Documents) -> None:
        (facets,) = self.run(
            ten,
            {
                "$facet": {
                    "scores": [{"$set": {"score": SCORE}}, {"$limit": 1}],
                    "plain": [{"$limit": 1}],
                }
            },
        )
        assert set(facets["scores"][0]) == {"_id", "kind", "embedding", "score"}
        assert set(facets["plain"][0]) == {"_id", "kind", "embedding"}

    def test_no_score_after_a_group(self, ten: Documents) -> None:
        with pytest.raises(OperationFailure, match="not available") as refused:
            self.run(ten, {"$group": {"_id": "$kind"}}, {"$set": {"score": SCORE}})
        assert refused.value.code == 40218

    def test_literals_are_left_alone(self, ten: Documents) -> None:
        hits = self.run(ten, {"$limit": 1}, {"$project": {"x": {"$literal": SCORE}, "s": SCORE}})
        assert hits == [{"_id": 0, "x": SCORE, "s": 1.0}]

    def test_lookup_and_out(self, ten: Documents) -> None:
        other = ten.name + "_out"
        self.run(ten, {"$project": {"score": SCORE}}, {"$out": other})
        assert ten.database[other].find_one({"_id": 1}) == {"_id": 1, "score": 0.5}
        join = {"from": other, "localField": "_id", "foreignField": "_id", "as": "copy"}
        hits = self.run(ten, {"$lookup": join}, {"$set": {"score": SCORE}})
        assert hits[1]["copy"] == [{"_id": 1, "score": 0.5}]

    def test_batches_in_a_session(self, atlas: Atlas, ten: Documents) -> None:
        pipeline = [search_stage(self.QUERY, 10), {"$project": {"score": SCORE}}]
        with atlas.client.start_session() as session:
            cursor = ten.aggregate(pipeline, batchSize=3, session=session, comment="x")
            assert [hit["_id"] for hit in cursor] == list(range(10))

    def test_deleted_behind_the_proxy(self, atlas: Atlas, ten: Documents) -> None:
        """The join drops a hit that is gone, whether the index knows or not."""
        atlas.direct.test[ten.name].delete_one({"_id": 0})
        assert 0 not in ids(ten, self.QUERY)


class TestFollowing:
    """A search sees what was acknowledged before it."""

    QUERY = (0.0,) * 8

    def test_each_write_is_seen_at_once(self, collection: Documents) -> None:
        create_index(collection, "kind")
        for n in range(20):
            collection.insert_one({"_id": n, "kind": n, "embedding": [float(n)] * 8})
            assert ids(collection, self.QUERY, 50) == list(range(n + 1))
        collection.delete_one({"_id": 3})
        assert 3 not in ids(collection, self.QUERY)
        collection.update_one({"_id": 19}, {"$set": {"embedding": [0.0] * 8}})
        assert found(collection, self.QUERY, 1)[0][1] == 1.0
        collection.update_one({"_id": 7}, {"$set": {"kind": "new"}})
        assert ids(collection, self.QUERY, filter={"kind": "new"}) == [7]
        collection.update_one({"_id": 7}, {"$unset": {"embedding": 1}})
        assert ids(collection, self.QUERY, filter={"kind": "new"}) == []
        collection.replace_one({"_id": 7}, {"kind": "new", "embedding": [1.0] * 8})
        assert ids(collection, self.QUERY, filter={"kind": "new"}) == [7]
        collection.find_one_and_update({"_id": 7}, {"$set": {"kind": "newer"}})
        assert ids(collection, self.QUERY, filter={"kind": "newer"}) == [7]
        collection.update_many({}, {"$set": {"kind": "all"}})
        assert len(ids(collection, self.QUERY, 50, filter={"kind": "all"})) == 19
        collection.delete_many({})
        assert ids(collection, self.QUERY) == []

    def test_an_unrelated_update(self, collection: Documents) -> None:
        create_index(collection)
        collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
        stages = [search_stage(self.QUERY), {"$project": {"text": 1}}]
        for text in ("x", "y"):
            collection.update_one({"_id": 1}, {"$set": {"text": text, "nested.embedding": 1}})
            assert list(collection.aggregate(stages)) == [{"_id": 1, "text": text}]

    def test_an_index_made_after_the_data(self, collection: Documents) -> None:
        rows = vectors(300, 8)
        collection.insert_many([{"_id": n, "embedding": binary(row)} for n, row in enumerate(rows)])
        create_index(collection)
        best = np.argsort(-oracle(rows, rows[5], "euclidean"))[:10]
        assert ids(collection, binary(rows[5])) == best.tolist()

    def test_a_transaction(self, atlas: Atlas, collection: Documents) -> None:
        create_index(collection)
        with atlas.client.start_session() as session, session.start_transaction():
            collection.insert_one({"_id": 1, "embedding": [1.0] * 8}, session=session)
        assert ids(collection, self.QUERY) == [1]

"""Creating, listing, changing and dropping search indexes, with pymongo alone."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from pymongo.operations import SearchIndexModel

from tests.localcloud.atlas.server import (
    Atlas,
    create_index,
    found,
    ids,
    vector_field,
    wait_queryable,
)
from tools.harness.waiting import wait_for

Documents = Collection[dict[str, Any]]
DEFINITION = {"fields": [vector_field(), {"type": "filter", "path": "kind"}]}


def model(definition: Any = DEFINITION, name: str = "vector_index") -> SearchIndexModel:
    return SearchIndexModel(definition, name, "vectorSearch")


def test_create_and_list(collection: Documents) -> None:
    assert collection.create_search_index(model()) == "vector_index"
    wait_queryable(collection)
    (index,) = collection.list_search_indexes()
    assert index["name"] == "vector_index"
    assert index["type"] == "vectorSearch"
    assert index["status"] == "READY"
    assert index["queryable"] is True
    assert index["latestDefinition"] == DEFINITION
    assert index["latestDefinitionVersion"]["version"] == index["latestVersion"] == 0
    by_id = list(collection.aggregate([{"$listSearchIndexes": {"id": index["id"]}}]))
    assert [entry["name"] for entry in by_id] == ["vector_index"]


def test_create_several_and_list_one(collection: Documents) -> None:
    names = collection.create_search_indexes([model(name="one"), model(name="two")])
    assert names == ["one", "two"]
    assert [index["name"] for index in collection.list_search_indexes("two")] == ["two"]
    assert list(collection.list_search_indexes("three")) == []


def test_list_takes_later_stages(collection: Documents) -> None:
    collection.create_search_indexes([model(name=name) for name in "abc"])
    pipeline: list[dict[str, Any]] = [
        {"$listSearchIndexes": {}},
        {"$match": {"name": {"$ne": "b"}}},
        {"$project": {"name": 1, "_id": 0}},
    ]
    listed = collection.aggregate(pipeline, batchSize=1)
    assert list(listed) == [{"name": "a"}, {"name": "c"}]


def test_the_types_of_index_are_told_apart(collection: Documents) -> None:
    definition = {"mappings": {"dynamic": True}}
    assert collection.create_search_index({"definition": definition}) == "default"
    (index,) = collection.list_search_indexes()
    assert (index["type"], index["latestDefinition"]) == ("search", definition)
    with pytest.raises(OperationFailure, match="over search index 'default'"):
        found(collection, [0.0] * 8, index="default")


def test_the_same_index_again_changes_nothing(collection: Documents) -> None:
    collection.create_search_index(model())
    before = [index["id"] for index in collection.list_search_indexes()]
    assert collection.create_search_index(model()) == "vector_index"
    assert [index["id"] for index in collection.list_search_indexes()] == before


def test_another_definition_under_the_name_is_refused(collection: Documents) -> None:
    collection.create_search_index(model())
    with pytest.raises(OperationFailure, match="already exists") as refused:
        collection.create_search_indexes(
            [model(name="other"), model({"fields": [vector_field("cosine")]})]
        )
    assert refused.value.code == 68
    assert [index["name"] for index in collection.list_search_indexes()] == ["vector_index"]


def test_create_needs_the_collection(atlas: Atlas) -> None:
    with pytest.raises(OperationFailure, match="does not exist") as refused:
        atlas.client.test.nowhere.create_search_index(model())
    assert refused.value.code == 26
    assert list(atlas.client.test.nowhere.list_search_indexes()) == []


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ({"type": "vector"}, "path.* is required"),
        ({**vector_field(), "numDimensions": 0}, r"within bounds \[1..8192\]"),
        ({**vector_field(), "numDimensions": 8.5}, "must be an integer"),
        ({**vector_field(), "similarity": "manhattan"}, "similarity.* must be one of"),
        ({**vector_field(), "type": "image"}, "type.* must be one of"),
        ({**vector_field(), "colour": 1}, 'unrecognized field "colour"'),
        ({**vector_field(), "path": "a..b"}, "not a field path"),
        ({"type": "filter", "path": "a"}, "at least one field"),
    ],
)
def test_bad_definitions(collection: Documents, field: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        collection.create_search_index(model({"fields": [field]}))
    assert refused.value.code == 2


def test_a_path_twice_is_refused(collection: Documents) -> None:
    fields = [vector_field(), {"type": "filter", "path": "embedding"}]
    with pytest.raises(OperationFailure, match="distinct paths"):
        collection.create_search_index(model({"fields": fields}))


def test_update(collection: Documents) -> None:
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8, "kind": "a"})
    create_index(collection)
    query = [0.0] * 8
    with pytest.raises(OperationFailure, match="'kind' needs to be indexed as filter"):
        found(collection, query, filter={"kind": "a"})
    collection.update_search_index("vector_index", DEFINITION)
    assert ids(collection, query) == [1]  # the old definition answers until the new one is built
    wait_queryable(collection)
    assert ids(collection, query, filter={"kind": "a"}) == [1]
    (index,) = collection.list_search_indexes()
    assert (index["latestVersion"], index["latestDefinition"]) == (1, DEFINITION)


def test_update_is_checked(collection: Documents) -> None:
    collection.create_search_index(model())
    with pytest.raises(OperationFailure, match="non-empty array"):
        collection.update_search_index("vector_index", {"fields": []})
    with pytest.raises(OperationFailure, match="No index with name other") as refused:
        collection.update_search_index("other", DEFINITION)
    assert refused.value.code == 27


def test_update_and_drop_need_the_collection(atlas: Atlas) -> None:
    nowhere = atlas.client.test.nowhere
    change = {"updateSearchIndex": "nowhere", "name": "x", "definition": DEFINITION}
    for command in (change, {"dropSearchIndex": "nowhere", "name": "x"}):
        with pytest.raises(OperationFailure, match="does not exist") as refused:
            nowhere.database.command(command)
        assert refused.value.code == 26


def test_drop(collection: Documents) -> None:
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    assert ids(collection, [0.0] * 8) == [1]
    collection.drop_search_index("vector_index")
    assert list(collection.list_search_indexes()) == []
    assert ids(collection, [0.0] * 8) == []
    with pytest.raises(OperationFailure, match="No index with name vector_index"):
        collection.drop_search_index("vector_index")


def test_two_indexes_on_one_collection(collection: Documents) -> None:
    collection.insert_many(
        [{"_id": 1, "embedding": [1.0, 0.0] * 4}, {"_id": 2, "embedding": [9.0, 1.0] * 4}]
    )
    create_index(collection, name="near", similarity="euclidean")
    create_index(collection, name="along", similarity="dotProduct")
    query = [1.0, 0.0] * 4
    assert ids(collection, query, index="near") == [1, 2]
    assert ids(collection, query, index="along") == [2, 1]
    collection.drop_search_index("near")
    assert ids(collection, query, index="along") == [2, 1]


def test_the_index_goes_with_its_collection(collection: Documents) -> None:
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    collection.drop()
    assert list(collection.list_search_indexes()) == []
    collection.insert_one({"_id": 2, "embedding": [1.0] * 8})
    assert ids(collection, [0.0] * 8) == []
    create_index(collection, "kind")
    assert ids(collection, [0.0] * 8) == [2]


def test_the_index_goes_with_its_database(atlas: Atlas) -> None:
    collection = atlas.client.passing.create_collection("c")
    create_index(collection)
    atlas.client.drop_database("passing")
    wait_for(lambda: list(collection.list_search_indexes()) == [], "no index")


def test_the_index_follows_a_rename(collection: Documents) -> None:
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    collection.rename(collection.name + "_renamed")
    renamed = collection.database[collection.name + "_renamed"]
    wait_for(lambda: ids(renamed, [0.0] * 8) == [1], "what was there")
    renamed.insert_one({"_id": 2, "embedding": [2.0] * 8})
    wait_for(lambda: ids(renamed, [0.0] * 8) == [1, 2], "what came later")
    assert list(collection.list_search_indexes()) == []

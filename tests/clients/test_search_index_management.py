"""The prose tests that every driver passes against Atlas, with PyMongo.

Source: https://github.com/mongodb/specifications/blob/master/source/index-management/tests/README.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from pymongo.operations import SearchIndexModel
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from tests.localcloud.atlas.server import Atlas, vector_field
from tools.harness.waiting import wait_for

Documents = Collection[dict[str, Any]]
STATIC = {"mappings": {"dynamic": False}}
VECTOR = {"fields": [vector_field(dimensions=1536)]}


@pytest.fixture
def coll0(atlas: Atlas) -> Any:
    client: MongoClient[dict[str, Any]] = MongoClient(f"mongodb://localhost:{atlas.port}/")
    with client:
        yield client.clients.create_collection(str(ObjectId()))


def queryable(collection: Documents, name: str, **more: Any) -> Mapping[str, Any]:
    """The index, once it is queryable and has those fields."""
    wanted = {"name": name, "queryable": True, **more}

    def found() -> list[Mapping[str, Any]]:
        listed = collection.list_search_indexes(name)
        return [index for index in listed if wanted.items() <= index.items()]

    wait_for(lambda: bool(found()), f"{name} to be queryable")
    return found()[0]


def test_case_1_create_and_list(coll0: Documents) -> None:
    assert coll0.create_search_index(SearchIndexModel(STATIC, "test-search-index")) == (
        "test-search-index"
    )
    assert queryable(coll0, "test-search-index")["latestDefinition"] == STATIC


def test_case_2_several_at_once(coll0: Documents) -> None:
    names = ["test-search-index-1", "test-search-index-2"]
    models = [SearchIndexModel(STATIC, name) for name in names]
    assert coll0.create_search_indexes(models) == names
    assert [queryable(coll0, name)["latestDefinition"] for name in names] == [STATIC] * 2


def test_case_3_drop(coll0: Documents) -> None:
    coll0.create_search_index(SearchIndexModel(STATIC, "test-search-index"))
    queryable(coll0, "test-search-index")
    coll0.drop_search_index("test-search-index")
    wait_for(lambda: not list(coll0.list_search_indexes()), "no index")


def test_case_4_update(coll0: Documents) -> None:
    coll0.create_search_index(SearchIndexModel(STATIC, "test-search-index"))
    queryable(coll0, "test-search-index")
    dynamic = {"mappings": {"dynamic": True}}
    coll0.update_search_index("test-search-index", dynamic)
    index = queryable(coll0, "test-search-index", status="READY")
    assert index["latestDefinition"] == dynamic


def test_case_5_drop_in_a_missing_collection(coll0: Documents) -> None:
    coll0.database[str(ObjectId())].drop_search_index("foo")


def test_case_6_concerns_of_the_collection(coll0: Documents) -> None:
    concerned = coll0.with_options(
        read_concern=ReadConcern("majority"), write_concern=WriteConcern(w=1)
    )
    name = "test-search-index-case6"
    assert concerned.create_search_index(SearchIndexModel(STATIC, name)) == name
    assert queryable(concerned, name)["latestDefinition"] == STATIC


@pytest.mark.parametrize(
    ("definition", "given", "kind"),
    [
        (STATIC, None, "search"),
        (STATIC, "search", "search"),
        (VECTOR, "vectorSearch", "vectorSearch"),
    ],
)
def test_case_7_types(
    coll0: Documents, definition: dict[str, Any], given: str | None, kind: str
) -> None:
    name = "test-search-index-case7"
    assert coll0.create_search_index(SearchIndexModel(definition, name, given)) == name
    assert queryable(coll0, name)["type"] == kind


def test_case_7_a_definition_without_its_mappings(coll0: Documents) -> None:
    with pytest.raises(OperationFailure, match="mappings"):
        coll0.create_search_index(SearchIndexModel(VECTOR, "test-search-index-case7-error"))

"""Definitions of search indexes: what is taken, what is refused, what a dynamic one finds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from pymongo.operations import SearchIndexModel

from tests.localcloud.atlas.server import Atlas, create_text_index, matches, scored, wait_queryable

Documents = Collection[dict[str, Any]]
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
APP = {
    "mappings": {
        "dynamic": False,
        "fields": {
            "text": {"type": "string", "analyzer": "lucene.english"},
            "title": {"type": "string", "analyzer": "lucene.english"},
            "asset_id": {"type": "objectId"},
            "content_type": {"type": "token"},
            "site": {"type": "token"},
            "added": {"type": "date"},
        },
    }
}


def text(query: Any, path: Any) -> dict[str, Any]:
    return {"text": {"query": query, "path": path}}


def test_create_and_list(collection: Documents) -> None:
    assert collection.create_search_index(SearchIndexModel(APP, "search_index")) == "search_index"
    wait_queryable(collection, "search_index")
    (index,) = collection.list_search_indexes()
    assert (index["type"], index["status"]) == ("search", "READY")
    assert index["latestDefinition"] == APP


REFUSED: list[tuple[Any, str]] = [
    ({}, '"definition.mappings" is required'),
    ({"mappings": 5}, '"definition.mappings" must be a document'),
    ({"mappings": {"dynamic": "yes"}}, '"definition.mappings.dynamic" must be a boolean'),
    ({"mappings": {"dynamic": {"typeSet": "x"}}}, 'typeSet" is not supported'),
    (
        {"mappings": {}, "analyzer": "lucene.klingon"},
        'this server has no analyzer "lucene.klingon"',
    ),
    ({"mappings": {}, "analyzer": "mine"}, "references non-existent analyzers: mine"),
    ({"mappings": {}, "analyzers": [{"name": "mine"}]}, '"definition.analyzers" is not supported'),
    ({"mappings": {}, "synonyms": [{"name": "s"}]}, '"definition.synonyms" is not supported'),
    ({"mappings": {}, "storedSource": True}, '"definition.storedSource" is not supported'),
    ({"mappings": {}, "colour": 1}, 'unrecognized field "colour"'),
]
FIELDS_REFUSED: list[tuple[Any, str]] = [
    ({"type": "autocomplete", "tokenization": "nGram"}, 'tokenization: nGram" is not supported'),
    ({"type": "autocomplete", "minGrams": 0}, 'minGrams" must be positive'),
    ({"type": "autocomplete", "minGrams": 5, "maxGrams": 4}, "cannot be less than minGrams"),
    ({"type": "stringFacet", "normalizer": "none"}, 'unrecognized field "normalizer"'),
    ({"type": "numberFacet", "representation": "int64"}, 'int64" is not supported'),
    ({"type": "sortableStringBetaV1"}, 'does not index the type "sortableStringBetaV1"'),
    ({"type": "geo"}, 'does not index the type "geo"'),
    ({"type": "embeddedDocuments"}, "does not index the type"),
    ({"type": "image"}, r'fields.f.type" must be one of \[autocomplete, boolean'),
    ({}, '"definition.mappings.fields.f.type" is required'),
    ([], '"definition.mappings.fields.f" cannot be empty'),
    ([{"type": "date"}, {"type": "date"}], 'multiple "\\[date\\]" type definitions'),
    ({"type": "string", "analyzer": "lucene.french"}, 'no analyzer "lucene.french"'),
    ({"type": "string", "searchAnalyzer": "mine"}, "non-existent analyzers: mine"),
    ({"type": "string", "multi": {"m": {"type": "string"}}}, "multi.*is not supported"),
    ({"type": "string", "store": False}, 'store: False" is not supported'),
    ({"type": "string", "ignoreAbove": 5}, 'unrecognized field "ignoreAbove"'),
    ({"type": "token", "normalizer": "upper"}, r"must be one of \[none, lowercase\]"),
    ({"type": "number", "representation": "int64"}, 'representation: int64" is not supported'),
    ({"type": "date", "analyzer": "lucene.simple"}, 'unrecognized field "analyzer"'),
    ({"type": "document", "fields": {"g": {"type": "x"}}}, r"fields.f.fields.g.type\" must be one"),
]


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        *REFUSED,
        *(({"mappings": {"fields": {"f": field}}}, words) for field, words in FIELDS_REFUSED),
        ({"mappings": {"fields": {"a.b": {"type": "date"}}}}, 'not a field name: "a.b"'),
    ],
    ids=str,
)
def test_refused(collection: Documents, definition: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        collection.create_search_index(SearchIndexModel(definition, "default", "search"))
    assert refused.value.code == 2
    assert list(collection.list_search_indexes()) == []


def test_analyzers_of_fields_and_index(collection: Documents) -> None:
    fields = {
        "standard": {"type": "string", "analyzer": "lucene.standard"},
        "english": {"type": "string", "analyzer": "lucene.english"},
        "simple": {"type": "string"},
        "loose": {
            "type": "string",
            "analyzer": "lucene.keyword",
            "searchAnalyzer": "lucene.whitespace",
        },
    }
    create_text_index(collection, fields, analyzer="lucene.simple")
    value = "Running 2 Dogs"
    collection.insert_one({"_id": 1, **dict.fromkeys(fields, value)})
    assert matches(collection, text("run", "english")) == [1]
    assert matches(collection, text("run", "standard")) == []
    assert matches(collection, text("2", "standard")) == [1]
    assert matches(collection, text("2", "simple")) == []  # the index's own: letters only
    assert matches(collection, text("DOGS", "simple")) == [1]
    assert matches(collection, text(value, "loose")) == []  # the query is cut, the text is not
    collection.insert_one({"_id": 2, "loose": "Dogs"})
    assert matches(collection, text(value, "loose")) == [2]


class TestDynamic:
    """Every field that can be indexed without a name."""

    OWNER = ObjectId("6b0c99de556ed3a82511264b")

    @pytest.fixture(scope="module")
    @staticmethod
    def dynamic(atlas: Atlas) -> Documents:
        collection = atlas.client.test.create_collection("dynamic")
        definition = {
            "mappings": {"dynamic": True, "fields": {"kind": {"type": "token"}}},
            "analyzer": "lucene.english",
        }
        collection.create_search_index(SearchIndexModel(definition, "default", "search"))
        wait_queryable(collection, "default")
        collection.insert_many(
            [
                {
                    "_id": 1,
                    "text": "running dogs",
                    "kind": "dog",
                    "deep": {"a.b": 1, "er": [{"text": "hidden dog"}, {"n": 3}]},
                    "owner": TestDynamic.OWNER,
                    "many": [1, 2.5],
                    "when": DAY,
                    "flag": True,
                    "vector": [0.5] * 200,
                },
                {"_id": 2, "text": "2024-01-01T00:00:00Z", "n": 7, "kind": 5},
            ]
        )
        return collection

    @pytest.mark.parametrize(
        ("operator", "expected"),
        [
            (text("dog", "text"), [1]),
            (text("dog", "deep.er.text"), [1]),
            (text("hidden", {"wildcard": "deep.*"}), [1]),
            (text("hidden", {"wildcard": "*"}), [1]),
            (text("2024", "text"), [2]),  # a text that looks like a date is one
            (text("dog", "kind"), []),  # it has a mapping of its own
            ({"equals": {"path": "kind", "value": "dog"}}, [1]),
            ({"phrase": {"query": "running dog", "path": "text"}}, [1]),
            ({"equals": {"path": "owner", "value": OWNER}}, [1]),
            ({"equals": {"path": "many", "value": 2.5}}, [1]),
            ({"range": {"path": "deep.er.n", "gt": 2, "lt": 4}}, [1]),
            ({"range": {"path": "when", "lte": DAY}}, [1]),
            ({"equals": {"path": "flag", "value": True}}, [1]),
            ({"equals": {"path": "vector", "value": 0.5}}, []),  # too long to be indexed
            ({"exists": {"path": "n"}}, [2]),
            ({"exists": {"path": "deep.er"}}, [1]),
            ({"range": {"path": "_id", "gte": 2}}, [2]),
        ],
        ids=str,
    )
    def test_each(self, dynamic: Documents, operator: dict[str, Any], expected: list[int]) -> None:
        assert matches(dynamic, operator) == expected

    def test_what_needs_a_name(self, dynamic: Documents) -> None:
        with pytest.raises(OperationFailure, match="'text' needs to be indexed as token"):
            scored(dynamic, {"equals": {"path": "text", "value": "x"}})
        wildcard = {"query": "x*", "path": "text", "allowAnalyzedField": True}
        with pytest.raises(OperationFailure, match='"wildcard" needs a field that the index names'):
            scored(dynamic, {"wildcard": wildcard})

    def test_sort_and_facets(self, dynamic: Documents) -> None:
        everything = {"exists": {"path": "text"}}
        for order, keys in ((1, [1, 2]), (-1, [2, 1])):
            found = scored(dynamic, {**everything, "sort": {"n": order}})
            assert [key for key, _ in found] == keys
        facet = {"type": "number", "path": "many", "boundaries": [0, 2, 4]}
        (meta,) = dynamic.aggregate([{"$searchMeta": {"facet": {"facets": {"many": facet}}}}])
        counts = [(bucket["_id"], bucket["count"]) for bucket in meta["facet"]["many"]["buckets"]]
        assert counts == [(0, 1), (2, 1)]

    def test_highlights(self, dynamic: Documents) -> None:
        stage = {"$search": {**text("dog", {"wildcard": "*"}), "highlight": {"path": "text"}}}
        (hit,) = dynamic.aggregate([stage, {"$project": {"h": {"$meta": "searchHighlights"}}}])
        assert hit["h"][0]["texts"] == [
            {"value": "running ", "type": "text"},
            {"value": "dogs", "type": "hit"},
        ]

"""$search through pymongo: every operator, its scores, counts, refusals."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from bson.binary import Binary
from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.localcloud.atlas.server import (
    Atlas,
    create_index,
    create_text_index,
    matches,
    scored,
    search_stage,
)
from tools.harness.waiting import wait_for

Documents = Collection[dict[str, Any]]
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
OWNERS = [ObjectId(f"{number:024x}") for number in range(3)]
FIELDS: dict[str, Any] = {
    "text": {"type": "string", "analyzer": "lucene.english"},
    "title": [{"type": "string"}, {"type": "autocomplete"}],
    "kind": {"type": "token"},
    "tag": {"type": "token", "normalizer": "lowercase"},
    "owner": {"type": "objectId"},
    "size": {"type": "number"},
    "added": {"type": "date"},
    "open": {"type": "boolean"},
    "code": {"type": "uuid"},
    "place": {"type": "document", "fields": {"name": {"type": "string"}}},
    "both": [{"type": "string"}, {"type": "token"}],
    "file": {"type": "string", "analyzer": "lucene.keyword"},
}
THINGS: list[dict[str, Any]] = [
    {
        "_id": 1,
        "text": "The dog\u2019s running in the park. Climates change!",
        "title": "A park",
        "kind": "text/html",
        "tag": "Red",
        "owner": OWNERS[0],
        "size": 5,
        "added": DAY,
        "open": True,
        "code": Binary(b"\1" * 16, 4),
        "place": {"name": "Old Town"},
        "both": "New York",
        "file": "Notes (1).txt",
    },
    {
        "_id": 2,
        "text": "Two dogs run and run. The change of the climate.",
        "title": ["Dogs", "A second title"],
        "kind": "audio/mpeg",
        "tag": "red",
        "owner": OWNERS[1],
        "size": 7.5,
        "added": DAY + dt.timedelta(days=1),
        "open": False,
        "place": [{"name": "Old Bridge"}, {"name": "Town Hall"}],
        "both": ["York", "New"],
        "file": ["a*b?c", "line 1\nline 2"],
    },
    {
        "_id": 3,
        "text": "Cats sleep in Zürich; 東京に住む.",
        "title": None,
        "kind": ["text/html", "text/plain"],
        "size": [1, -2],
        "added": DAY - dt.timedelta(days=9),
    },
    {"_id": 4, "size": "5", "open": None, "text": 7},
]


@pytest.fixture(scope="module")
def things(atlas: Atlas) -> Documents:
    collection = atlas.client.test.create_collection("things")
    create_text_index(collection, FIELDS)
    collection.insert_many(THINGS)
    return collection


def text(query: Any, path: Any = "text", **options: Any) -> dict[str, Any]:
    return {"text": {"query": query, "path": path, **options}}


def phrase(query: Any, path: Any = "text", **options: Any) -> dict[str, Any]:
    return {"phrase": {"query": query, "path": path, **options}}


def equals(path: str, value: Any) -> dict[str, Any]:
    return {"equals": {"path": path, "value": value}}


def begun(query: Any, path: str = "title", **options: Any) -> dict[str, Any]:
    return {"autocomplete": {"query": query, "path": path, **options}}


def wild(query: Any, path: Any = "file", **options: Any) -> dict[str, Any]:
    return {"wildcard": {"query": query, "path": path, **options}}


def compound(**clauses: Any) -> dict[str, Any]:
    return {"compound": clauses}


OPERATORS: list[tuple[dict[str, Any], list[int]]] = [
    (text("dog"), [1, 2]),
    (text("RUNNING dogs'"), [1, 2]),
    (text("the"), []),  # a stop word
    (text("running", "title"), []),
    (text("park", ["text", "title"]), [1]),
    (text(["zürich", "park"]), [1, 3]),
    (text("zurich"), []),  # letters are not folded
    (text("ZÜRICH"), [3]),
    (text("京"), [3]),  # ideographs are words
    (text("dog sleep"), [1, 2, 3]),
    (text("dog park", matchCriteria="all"), [1]),
    (text("dog sleep", matchCriteria="all"), []),
    (text("town", "place.name"), [1, 2]),
    (text("hall", {"wildcard": "pl*"}), [2]),
    (text("dogs second", {"wildcard": "*"}, matchCriteria="all"), [2]),
    (text("a", {"value": "title"}), [1, 2]),
    (text("park", "nowhere"), []),
    (text("dgo", fuzzy={"maxEdits": 1}), [1, 2]),  # a swap is one edit
    (text("god", fuzzy={"maxEdits": 1}), []),
    (text("god", fuzzy={}), [1, 2]),
    (text("god", fuzzy={"prefixLength": 1}), []),
    (text("dob", fuzzy={"prefixLength": 2}), [1, 2]),
    (text("clmate", fuzzy={}), [1, 2]),
    (text("cog", fuzzy={}), [1, 2, 3]),
    (text("cog", fuzzy={"maxExpansions": 1}), [1, 2]),  # the nearest of dog and cat
    (text("dg prk", fuzzy={}, matchCriteria="all"), [1]),
    (begun("par"), [1]),
    (begun("PÀRK"), [1]),
    (begun("p"), []),  # shorter than what is indexed
    (begun("a"), [1, 2]),  # but a whole word
    (begun("sec dogs"), [2]),
    (begun("par sec"), [1, 2]),
    (begun("par sec", tokenOrder="sequential"), []),
    (begun("second tit", tokenOrder="sequential"), [2]),
    (begun(["tit", "par"]), [1, 2]),
    (wild("Notes*"), [1]),
    (wild("notes*"), []),  # lucene.keyword folds nothing
    (wild("*(?).t?t"), [1]),
    (wild("Notes"), []),  # the whole value has to fit
    (wild("line*2"), [2]),
    (wild(r"a\*b\?c"), [2]),
    (wild(r"Note\* (1).txt"), []),
    (wild(["Notes*", "a*"]), [1, 2]),
    (wild("*", ["file", "nowhere"], allowAnalyzedField=True), [1, 2]),
    (wild("*", {"wildcard": "fil*"}), [1, 2]),
    (wild("CLIM*", "text", allowAnalyzedField=True), [1, 2]),
    (wild("d?g", "text", allowAnalyzedField=True), [1, 2]),
    (phrase("dogs run"), [1, 2]),
    (phrase("run dogs"), []),
    (phrase("climate change"), [1]),
    (phrase("change of the climate"), [2]),  # the gap of stop words counts
    (phrase("change climate"), []),
    (phrase("change climate", slop=1), []),
    (phrase("change climate", slop=2), [1, 2]),  # swapping two words is off by two
    (phrase("dog"), [1, 2]),
    (phrase("new york", "both"), [1]),
    (phrase("dogs a", "title"), []),  # not over the end of a value
    (equals("kind", "text/html"), [1, 3]),
    (equals("kind", "text"), []),
    (equals("tag", "RED"), [1, 2]),
    (equals("owner", OWNERS[1]), [2]),
    (equals("size", 5), [1]),
    (equals("size", 7.5), [2]),
    (equals("size", -2), [3]),
    (equals("added", DAY), [1]),
    (equals("open", True), [1]),
    (equals("open", False), [2]),
    (equals("open", None), [4]),
    (equals("code", Binary(b"\1" * 16, 4)), [1]),
    (equals("both", "York"), [2]),
    (equals("missing", 1), []),
    ({"in": {"path": "kind", "value": ["text/plain", "audio/mpeg"]}}, [2, 3]),
    ({"in": {"path": "kind", "value": "text/html"}}, [1, 3]),
    ({"in": {"path": "owner", "value": OWNERS[:2]}}, [1, 2]),
    ({"in": {"path": ["size", "missing"], "value": [1, 7.5, 9]}}, [2, 3]),
    ({"range": {"path": "size", "gte": 5}}, [1, 2]),
    ({"range": {"path": "size", "gt": 5}}, [2]),
    ({"range": {"path": "size", "gt": -2, "lt": 5}}, [3]),
    ({"range": {"path": "size", "gt": 1, "lt": 5}}, []),
    ({"range": {"path": "size", "lte": -2}}, [3]),
    ({"range": {"path": "added", "gte": DAY}}, [1, 2]),
    ({"range": {"path": "added", "gt": DAY, "lt": DAY + dt.timedelta(days=1)}}, []),
    ({"range": {"path": "added", "lt": DAY}}, [3]),
    ({"exists": {"path": "title"}}, [1, 2, 3]),
    ({"exists": {"path": "place.name"}}, [1, 2]),
    ({"exists": {"path": "unmapped"}}, []),
    (compound(must=[text("dog"), text("park")]), [1]),
    (compound(must=text("dog"), mustNot=[text("park")]), [2]),
    (compound(mustNot=[text("dog")]), [3, 4]),
    (compound(filter=[equals("kind", "text/html")]), [1, 3]),
    (compound(should=[text("dog"), text("cats")]), [1, 2, 3]),
    (compound(should=[text("dog"), text("park")], minimumShouldMatch=2), [1]),
    (compound(must=[text("dog")], should=[text("park")]), [1, 2]),
    (compound(filter=[text("dog")], should=[text("park")], minimumShouldMatch=1), [1]),
    (compound(must=[compound(should=[equals("size", 5), equals("size", 7.5)])]), [1, 2]),
    (compound(must=[text("dog")], mustNot=[compound(must=[text("dog"), text("park")])]), [2]),
]


@pytest.mark.parametrize(("operator", "expected"), OPERATORS, ids=str)
def test_each_operator(things: Documents, operator: dict[str, Any], expected: list[int]) -> None:
    assert matches(things, operator) == expected


@pytest.mark.parametrize(
    ("operator", "complaint"),
    [
        ({}, r"contain either an operator \[autocomplete, compound.* or a collector \[facet\]"),
        (wild("a*", "text"), "Field text is analyzed. Use a keyword analyzed field or set allowA"),
        (wild("a*", "nowhere"), "Field nowhere is analyzed"),
        (wild("a*", allowAnalyzedField=1), '"wildcard.allowAnalyzedField" must be a boolean'),
        (wild(""), '"wildcard.query" cannot be empty'),
        ({"queryString": {"query": "x", "defaultPath": "text"}}, '"queryString" is not supported'),
        ({"regex": {"query": "x", "path": "text"}}, '"regex" is not supported'),
        (begun("x", "text"), "autocomplete index field definition not present at path text"),
        (begun("x", fuzzy={}), '"autocomplete.fuzzy" is not supported'),
        (begun("x", tokenOrder="all"), r"must be one of \[any, sequential\]"),
        ({**text("dog"), **phrase("dog")}, "only one of"),
        ({**text("dog"), "colour": 1}, 'unrecognized field "colour"'),
        ({**text("dog"), "returnStoredSource": True}, '"returnStoredSource" is not supported'),
        ({**text("dog"), "scoreDetails": True}, '"scoreDetails" is not supported'),
        ({**text("dog"), "index": ""}, '"index" cannot be empty'),
        (text(""), '"text.query" cannot be empty'),
        (text([]), '"text.query" cannot be empty'),
        (text(["a", 5]), r'"text.query\[1\]" must be a string'),
        (text(None), '"text.query" is required'),
        (text("a", ""), '"text.path" cannot be empty'),
        (text("a", None), '"text.path" is required'),
        (text("a", {"value": "text", "multi": "m"}), '"text.path.multi" is not supported'),
        (text("a", {"wildcard": "a**"}), "consecutive wildcards"),
        (text("a", synonyms="s"), '"text.synonyms" is not supported'),
        (text("a", matchCriteria="some"), r"must be one of \[any, all\]"),
        (text("a", fuzzy={"maxEdits": 3}), '"text.fuzzy.maxEdits" must be either 1 or 2'),
        (text("a", fuzzy={"prefixLength": -1}), '"text.fuzzy.prefixLength" cannot be negative'),
        (text("a", fuzzy={"maxExpansions": 0}), r"must be within bounds \[1..1000\]"),
        (text("a", slop=1), '"text" unrecognized field "slop"'),
        (text("a", score={"boost": {"value": -1}}), "must be positive"),
        (text("a", score={"boost": {"path": "size"}}), '"text.score.boost.path" is not supp'),
        (text("a", score={"function": {}}), '"text.score.function" is not supported'),
        (text("a", score={}), "exactly one of"),
        (phrase("a", slop=-1), '"phrase.slop" cannot be negative'),
        (equals("text", "dog"), "Path 'text' needs to be indexed as token"),
        (equals("size", {"a": 1}), '"equals.value" must be one of'),
        ({"equals": {"path": "size"}}, '"equals.value" is required'),
        ({"in": {"path": "size", "value": []}}, '"in.value" cannot be empty'),
        ({"in": {"path": "size", "value": [1, "a"]}}, "elements of the same type"),
        ({"range": {"path": "size"}}, "at least one of"),
        ({"range": {"path": "size", "gt": 1, "gte": 1}}, "at most one of"),
        ({"range": {"path": "size", "gt": 1, "lt": DAY}}, "bounds must be of the same type"),
        ({"range": {"path": "kind", "gt": "a"}}, "ranges of numbers and dates only"),
        (compound(), '"compound" must have at least one clause'),
        (compound(must=[{}]), r'"compound.must\[0\]" one of'),
        (compound(must=[text("")]), r'"compound.must\[0\].text.query" cannot be empty'),
        (compound(should=[text("a")], minimumShouldMatch=2), "cannot be greater than"),
        ({**text("dog"), "highlight": {"path": "kind"}}, 'Path: "kind" is not stored'),
        ({**text("dog"), "highlight": {}}, '"highlight.path" is required'),
        ({**text("dog"), "count": {"type": "about"}}, r"must be one of \[lowerBound, total\]"),
    ],
    ids=str,
)
def test_refusals(things: Documents, operator: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OperationFailure, match=complaint) as refused:
        scored(things, operator)
    assert refused.value.code == 8


def test_nearer_words_score_more(things: Documents) -> None:
    scores = dict(scored(things, text("cot", fuzzy={})))
    assert scores[3] > scores[1] == scores[2]  # cat by one edit, dog by two
    assert dict(scored(things, begun("dogs")))[2] > dict(scored(things, begun("dog")))[2]


@pytest.mark.parametrize(
    "operator",
    [text("sleap", fuzzy={}), wild("sl??p", "text", allowAnalyzedField=True)],
    ids=["fuzzy", "wildcard"],
)
def test_inexact_words_are_highlighted(things: Documents, operator: dict[str, Any]) -> None:
    stage = {"$search": {**operator, "highlight": {"path": "text"}}}
    shown = {"$project": {"found": {"$meta": "searchHighlights"}}}
    (found,) = things.aggregate([stage, shown])
    hits = [each["value"] for each in found["found"][0]["texts"] if each["type"] == "hit"]
    assert hits == ["sleep"]


def test_nothing_to_ask(atlas: Atlas, things: Documents) -> None:
    assert scored(atlas.client.test.nothing_here, text("dog")) == []
    assert scored(things, {"index": "another", **text("dog")}) == []
    (meta,) = things.aggregate([{"$searchMeta": {"index": "another", **text("dog")}}])
    assert meta == {"count": {"lowerBound": 0}}


def test_the_type_of_index(things: Documents, collection: Documents) -> None:
    with pytest.raises(OperationFailure, match=r"\$vectorSearch over search index 'default'"):
        things.aggregate([search_stage([0.0] * 8, index="default")])
    create_index(collection)
    with pytest.raises(OperationFailure, match=r"\$search over vectorSearch index"):
        scored(collection, {"index": "vector_index", **text("dog")})


def test_only_as_the_first_stage(things: Documents) -> None:
    stage = {"$search": text("dog")}
    with pytest.raises(OperationFailure, match="only valid as the first stage"):
        things.aggregate([{"$match": {}}, stage])
    with pytest.raises(OperationFailure, match=r"does not run \$searchMeta inside \$facet"):
        things.aggregate([{"$facet": {"a": [{"$searchMeta": text("dog")}]}}])
    explain = {"aggregate": things.name, "pipeline": [stage], "cursor": {}}
    with pytest.raises(OperationFailure, match="cannot explain"):
        things.database.command("explain", explain)


TEXTS = (
    "apple banana cherry",
    "apple apple banana",
    "banana banana banana banana date",
    "elder",
    "apple",
)


@pytest.fixture(scope="module")
def fruit(atlas: Atlas) -> Documents:
    collection = atlas.client.test.create_collection("fruit")
    create_text_index(collection, {"text": {"type": "string"}, "n": {"type": "number"}})
    collection.insert_many([{"_id": n, "text": t, "n": n} for n, t in enumerate(TEXTS)])
    return collection


class TestScores:
    """Against Lucene's formula, written out."""

    def bm25(self, word: str, number: int) -> float:
        words = [one.split() for one in TEXTS]
        having = sum(word in one for one in words)
        idf = math.log(1 + (len(words) - having + 0.5) / (having + 0.5))
        average = sum(map(len, words)) / len(words)
        frequency = words[number].count(word)
        norm = 1.2 * (1 - 0.75 + 0.75 * len(words[number]) / average)
        return idf * frequency / (frequency + norm)

    def test_bm25(self, fruit: Documents) -> None:
        found = dict(scored(fruit, text("apple banana")))
        for number in range(5):
            wanted = self.bm25("apple", number) + self.bm25("banana", number)
            assert found.get(number, 0.0) == pytest.approx(wanted, rel=1e-5)
        scores = [score for _, score in scored(fruit, text("apple banana"))]
        assert scores == sorted(scores, reverse=True)

    def test_boost_and_constant(self, fruit: Documents) -> None:
        plain = dict(scored(fruit, text("date")))
        boosted = dict(scored(fruit, text("date", score={"boost": {"value": 3}})))
        assert boosted[2] == pytest.approx(3 * plain[2], rel=1e-5)
        constant = text("apple", score={"constant": {"value": 4}})
        assert {round(score, 5) for _, score in scored(fruit, constant)} == {4.0}

    def test_what_does_not_weigh(self, fruit: Documents) -> None:
        found = scored(fruit, {"equals": {"path": "n", "value": 3}})
        assert [(key, round(score, 5)) for key, score in found] == [(3, 1.0)]
        mixed = compound(must=[text("date")], filter=[{"exists": {"path": "n"}}])
        assert dict(scored(fruit, mixed)) == dict(scored(fruit, text("date")))
        summed = compound(must=[text("date"), equals("n", 2)])
        assert dict(scored(fruit, summed))[2] == pytest.approx(1 + self.bm25("date", 2), rel=1e-5)
        assert scored(fruit, compound(filter=[equals("n", 2)])) == [(2, 0.0)]
        found = scored(fruit, wild("eld*", "text", allowAnalyzedField=True))
        assert [(key, round(score, 5)) for key, score in found] == [(3, 1.0)]

    def test_a_score_is_a_score(self, fruit: Documents) -> None:
        stages = [{"$search": text("date")}, {"$set": {"s": {"$meta": "score"}}}]
        (hit,) = fruit.aggregate(stages)
        assert hit["s"] == dict(scored(fruit, text("date")))[2]
        with pytest.raises(OperationFailure, match="vectorSearchScore metadata, but") as refused:
            fruit.aggregate(
                [{"$search": text("date")}, {"$set": {"s": {"$meta": "vectorSearchScore"}}}]
            )
        assert refused.value.code == 40218


@pytest.fixture(scope="module")
def many(atlas: Atlas) -> Documents:
    collection = atlas.client.test.create_collection("many")
    create_text_index(collection, {"text": {"type": "string"}, "n": {"type": "number"}})
    rows = [{"_id": n, "text": "word " * (n % 7 + 1) + f"w{n % 3}", "n": n} for n in range(400)]
    collection.insert_many(rows)
    return collection


class TestCounts:
    def test_all_come_without_a_limit(self, many: Documents) -> None:
        assert len(scored(many, text("word"))) == 400
        assert len(list(many.aggregate([{"$search": text("word")}, {"$match": {"n": 7}}]))) == 1

    def test_limits(self, many: Documents) -> None:
        every = scored(many, text("word w1"))
        for stages in (
            [{"$limit": 30}],
            [{"$limit": 30}, {"$limit": 9}],
            [{"$skip": 9}, {"$limit": 5}],
        ):
            wanted = every
            for stage in stages:
                wanted = wanted[stage["$skip"] :] if "$skip" in stage else wanted[: stage["$limit"]]
            assert scored(many, text("word w1"), *stages) == wanted

    def test_search_meta(self, many: Documents) -> None:
        stage = {**text("w1"), "count": {"type": "total"}}
        assert list(many.aggregate([{"$searchMeta": stage}])) == [{"count": {"total": 133}}]
        assert list(many.aggregate([{"$searchMeta": text("w1")}])) == [
            {"count": {"lowerBound": 133}}
        ]
        later = [{"$searchMeta": stage}, {"$project": {"n": "$count.total"}}]
        assert [row["n"] for row in many.aggregate(later)] == [133]

    def test_the_variable(self, many: Documents) -> None:
        stage = {"$search": {**text("w2"), "count": {"type": "total"}}}
        later: list[dict[str, Any]] = [
            {"$limit": 2},
            {"$project": {"m": "$$SEARCH_META", "n": "$$SEARCH_META.count.total"}},
        ]
        rows = list(many.aggregate([stage, *later]))
        assert [(row["m"], row["n"]) for row in rows] == [({"count": {"total": 133}}, 133)] * 2


class TestFollowing:
    """A search sees what was acknowledged before it."""

    def test_each_write_is_seen_at_once(self, collection: Documents) -> None:
        create_text_index(collection, FIELDS)
        for n in range(10):
            collection.insert_one({"_id": n, "text": f"word number{n}", "size": n})
            assert matches(collection, text("word")) == list(range(n + 1))
        collection.delete_one({"_id": 3})
        assert 3 not in matches(collection, text("word"))
        collection.update_one({"_id": 7}, {"$set": {"text": "another"}})
        assert matches(collection, text("another")) == [7]
        assert matches(collection, text("number7")) == []
        collection.update_one({"_id": 7}, {"$set": {"size": 99}})
        assert matches(collection, equals("size", 99)) == [7]
        collection.update_one({"_id": 7}, {"$set": {"unmapped": "seen"}})
        stages = [{"$search": equals("size", 99)}, {"$project": {"unmapped": 1}}]
        assert list(collection.aggregate(stages)) == [{"_id": 7, "unmapped": "seen"}]
        collection.update_one({"_id": 7}, {"$unset": {"text": 1}})
        assert matches(collection, {"exists": {"path": "text"}}) == [0, 1, 2, 4, 5, 6, 8, 9]
        collection.replace_one({"_id": 7}, {"text": "word again"})
        assert matches(collection, text("again")) == [7]
        collection.update_many({}, {"$set": {"kind": "all"}})
        assert len(matches(collection, equals("kind", "all"))) == 9
        collection.delete_many({})
        assert matches(collection, {"exists": {"path": "kind"}}) == []

    def test_an_index_made_after_the_data(self, collection: Documents) -> None:
        collection.insert_many([{"_id": n, "text": f"word w{n % 10}"} for n in range(1200)])
        create_text_index(collection, FIELDS)
        assert matches(collection, text("w3")) == list(range(3, 1200, 10))

    def test_a_new_definition(self, collection: Documents) -> None:
        collection.insert_one({"_id": 1, "text": "running", "title": "walking"})
        create_text_index(collection, {"title": {"type": "string"}})
        assert matches(collection, text("running")) == []
        mappings = {"mappings": {"fields": {"text": FIELDS["text"]}}}
        collection.update_search_index("default", mappings)
        wait_for(lambda: matches(collection, text("run")) == [1], "the new definition")
        assert matches(collection, text("walking", "title")) == []

    def test_drop_and_rename(self, collection: Documents) -> None:
        create_text_index(collection, FIELDS)
        collection.insert_one({"_id": 1, "text": "word"})
        collection.rename(collection.name + "_renamed")
        renamed = collection.database[collection.name + "_renamed"]
        wait_for(lambda: matches(renamed, text("word")) == [1], "what was there")
        renamed.insert_one({"_id": 2, "text": "word"})
        wait_for(lambda: matches(renamed, text("word")) == [1, 2], "what came later")
        renamed.drop_search_index("default")
        assert matches(renamed, text("word")) == []
        create_text_index(renamed, FIELDS)
        assert matches(renamed, text("word")) == [1, 2]
        renamed.drop()
        renamed.insert_one({"_id": 3, "text": "word"})
        wait_for(lambda: matches(renamed, text("word")) == [], "no index of what was dropped")

    def test_all_kinds_of_ids(self, collection: Documents) -> None:
        keys = ["$name", 1, 2.5, True, None, {"a": "$b", "c": [2]}, b"\x01", ObjectId()]
        create_text_index(collection, FIELDS)
        collection.insert_many(
            [{"_id": key, "text": "word " * (9 - n)} for n, key in enumerate(keys)]
        )
        assert [key for key, _ in scored(collection, text("word"))] == keys

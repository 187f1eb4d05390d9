"""A filtered search finds exactly what a scan of the collection finds."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from localcloud.atlas.text import values
from localcloud.atlas.text.mappings import Field
from tests.localcloud.atlas.server import Atlas, create_text_index, matches, scored

Documents = Collection[dict[str, Any]]
DAY = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - as the driver gives them back
OWNERS = [ObjectId() for _ in range(4)]
WORDS = ("ash", "bay", "elm", "fir", "oak", "yew")
KINDS = ("a", "b", "A", "ä", "")
FIELDS = {
    "text": {"type": "string"},
    "kind": {"type": "token"},
    "owner": {"type": "objectId"},
    "size": {"type": "number"},
    "added": {"type": "date"},
    "open": {"type": "boolean"},
    "inner": {"type": "document", "fields": {"text": {"type": "string"}}},
}


def document(rng: random.Random, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "text": " ".join(rng.choices(WORDS, k=rng.randint(1, 5))),
        "kind": rng.choice([rng.choice(KINDS), rng.sample(KINDS, 2)]),
        "owner": rng.choice(OWNERS),
        "size": rng.choice([rng.randint(-5, 5), 0.5, [1, 2.5], 2.0**60, float("nan"), "5"]),
        "added": DAY + dt.timedelta(hours=rng.randint(-90, 90)),
        "open": rng.random() < 0.5,
        "inner": [{"text": rng.choice(WORDS)}, {"text": rng.choice(WORDS)}, {}],
    }
    kept = {key: value for key, value in made.items() if rng.random() < 0.85}
    return {"_id": number, **{k: None if rng.random() < 0.05 else v for k, v in kept.items()}}


@pytest.fixture(scope="module")
def mixed(atlas: Atlas) -> Documents:
    rng = random.Random(5)
    collection = atlas.client.test.create_collection("scanned")
    create_text_index(collection, FIELDS)
    collection.insert_many([document(rng, number) for number in range(250)])
    collection.delete_many({"_id": {"$gte": 240}})
    collection.update_many({"_id": {"$lt": 20}}, {"$set": {"open": True}})
    return collection


# Operators, and what they mean

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
text_paths = st.sampled_from(["text", "inner.text", ["text", "inner.text"]])
points: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from(KINDS),
    "owner": st.sampled_from(OWNERS),
    "size": st.integers(-5, 5) | st.sampled_from([-0.0, 0.5, 1e-9, 2.0**60, Int64(7)]),
    "added": st.integers(-90, 90).map(lambda hours: DAY + dt.timedelta(hours=hours)),
}


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    path = draw(st.sampled_from(sorted(points)))
    match draw(st.sampled_from(["text", "phrase", "range", "exists", "equals", "in", "open"])):
        case "text":
            criteria = draw(st.sampled_from(["any", "all"]))
            spec = {"query": draw(texts), "path": draw(text_paths), "matchCriteria": criteria}
            return {"text": spec}
        case "phrase":
            return {"phrase": {"query": draw(texts), "path": draw(text_paths)}}
        case "range":
            path = draw(st.sampled_from(["size", "added"]))
            low, high = draw(st.sampled_from(["gt", "gte"])), draw(st.sampled_from(["lt", "lte"]))
            keys = draw(st.sampled_from([[low], [high], [low, high]]))
            return {"range": {"path": path, **{key: draw(points[path]) for key in keys}}}
        case "exists":
            return {"exists": {"path": draw(st.sampled_from([*FIELDS, "inner.text"]))}}
        case "equals":
            return {"equals": {"path": path, "value": draw(points[path] | st.none())}}
        case "in":
            several = draw(st.lists(points[path], min_size=1, max_size=3))
            return {"in": {"path": path, "value": several}}
        case _:
            return {"equals": {"path": "open", "value": draw(st.booleans())}}


@st.composite
def operators(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    if not depth or draw(st.booleans()):
        return draw(leaves())
    clauses = draw(st.sets(st.sampled_from(["must", "mustNot", "should", "filter"]), min_size=1))
    inner = st.lists(operators(depth=depth - 1), min_size=1, max_size=3)
    spec: dict[str, Any] = {clause: draw(inner) for clause in sorted(clauses)}
    least = draw(st.integers(0, len(spec.get("should", ()))))
    return {"compound": {**spec, **({"minimumShouldMatch": least} if least else {})}}


def at(document: Any, path: str) -> list[Any]:
    """The values at a path, arrays opened."""
    found = [document]
    for key in path.split("."):
        found = [one[key] for one in found if isinstance(one, dict) and key in one]
        found = [item for one in found for item in (one if isinstance(one, list) else [one])]
    return found


def same(one: Any, other: Any) -> bool:
    number = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, number) and isinstance(other, number):
        return float(one) == float(other)
    return type(one) is type(other) and bool(one == other)


def ordered(bound: Any, value: Any, key: str) -> bool:
    number = (int, float)
    if isinstance(value, bool):
        return False
    if not (isinstance(value, number) and isinstance(bound, number)) and type(value) is not type(
        bound
    ):
        return False
    return bool(
        {"gt": value > bound, "gte": value >= bound, "lt": value < bound, "lte": value <= bound}[
            key
        ]
    )


def holds(operator: dict[str, Any], document: dict[str, Any]) -> bool:
    ((name, spec),) = operator.items()
    if name == "compound":
        should = sum(holds(one, document) for one in spec.get("should", ()))
        least = spec.get("minimumShouldMatch", 0)
        if not least and "should" in spec and not ("must" in spec or "filter" in spec):
            least = 1
        return (
            all(holds(one, document) for one in (*spec.get("must", ()), *spec.get("filter", ())))
            and not any(holds(one, document) for one in spec.get("mustNot", ()))
            and should >= least
        )
    paths = spec["path"] if isinstance(spec["path"], list) else [spec["path"]]
    if name == "exists":
        return bool(there(document, paths[0]))
    found = [(path, value) for path in paths for value in at(document, path)]
    if name == "equals":
        return any(same(value, spec["value"]) for _, value in found)
    if name == "in":
        return any(same(value, one) for _, value in found for one in spec["value"])
    if name == "range":
        limits = [(key, bound) for key, bound in spec.items() if key != "path"]
        return any(all(ordered(bound, value, key) for key, bound in limits) for _, value in found)
    words = spec["query"].split()
    if name == "phrase":
        return any(
            f" {spec['query']} " in f" {value} " for _, value in found if isinstance(value, str)
        )
    enough = all if spec["matchCriteria"] == "all" else any
    return any(
        enough(
            word in " ".join(v for v in at(document, path) if isinstance(v, str)).split()
            for word in words
        )
        for path in paths
    )


def there(document: Any, path: str) -> bool:
    head, _, rest = path.partition(".")
    several = document if isinstance(document, list) else [document]
    found = [one[head] for one in several if isinstance(one, dict) and head in one]
    return bool(found) and (not rest or any(there(one, rest) for one in found))


@settings(max_examples=150, deadline=None)
@given(operators())
def test_a_search_is_a_scan(mixed: Documents, operator: dict[str, Any]) -> None:
    everything = list(mixed.find())
    assert matches(mixed, operator) == [d["_id"] for d in everything if holds(operator, d)]


@settings(max_examples=50, deadline=None)
@given(operators(), st.integers(1, 30))
def test_a_limit_takes_the_best(mixed: Documents, operator: dict[str, Any], most: int) -> None:
    every = scored(mixed, operator)
    best = scored(mixed, operator, {"$limit": most})
    assert [score for _, score in best] == [score for _, score in every[:most]]
    assert set(best) <= set(every)


# The parts by themselves

doubles = st.floats(allow_nan=False)
NUMBER = Field(frozenset({"number"}))


@given(doubles, doubles, doubles)
def test_ranges_of_numbers(low: float, high: float, value: float) -> None:
    found = values.covering("p", "number", values.sortable(low), values.sortable(high))
    assert len(found) <= 2 * 15 * 16
    inside = not set(found).isdisjoint(values.terms("p", value, NUMBER))
    assert inside == (low <= value <= high)

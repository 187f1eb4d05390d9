"""Filters: every operator, alone and combined, against the server's own find()."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from typing import Any

import pytest
from bson.binary import Binary
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.collection import Collection

from tests.localcloud.atlas.server import Atlas, create_index, ids

Documents = Collection[dict[str, Any]]
ROWS = 300
PATHS = ("number", "text", "when", "owner", "flag", "code", "nested.tag", "many", "mixed")
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
OWNERS = [ObjectId(f"{number:024x}") for number in range(5)]
CODES = [Binary.from_uuid(uuid.UUID(int=n)) for n in range(4)]
MANY = [None, True, 1, "x", 2.5, Int64(2**60), DAY, OWNERS[0]]


def value(rng: random.Random, path: str) -> Any:
    match path:
        case "number":
            return rng.choice([rng.randint(-5, 5), rng.uniform(-5, 5), Int64(2**60), 0.0])
        case "text":
            return rng.choice(["", "a", "b", "ba", "Ä", "z"])
        case "when":
            return DAY + dt.timedelta(hours=rng.randint(-40, 40))
        case "owner":
            return rng.choice(OWNERS)
        case "flag":
            return rng.random() < 0.5
        case "code":
            return rng.choice(CODES)
        case "nested.tag":
            return rng.choice(["x", "y", 1])
        case "many":
            return rng.choice(["p", "q", "r", 1, 2, 3])
        case _:
            return rng.choice(MANY)


def document(rng: random.Random, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {"_id": number, "embedding": [rng.random() for _ in range(8)]}
    for path in PATHS:
        if rng.random() < 0.2:
            continue
        if path == "nested.tag":
            made["nested"] = {"tag": value(rng, path)}
        elif path == "many":
            made["many"] = [value(rng, path) for _ in range(rng.randint(0, 3))]
        else:
            made[path] = None if rng.random() < 0.1 else value(rng, path)
    return made


def condition(rng: random.Random, path: str) -> Any:
    some = value(rng, path)
    match rng.choice(
        ["plain", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"]
    ):
        case "plain":
            return some
        case "$in" | "$nin" as operator:
            return {operator: [some, value(rng, path), None][: rng.randint(1, 3)]}
        case "$exists":
            return {"$exists": rng.random() < 0.5}
        case "$not":
            inner = condition(rng, path)
            return {"$not": inner if isinstance(inner, dict) else {"$eq": inner}}
        case "$gt" | "$gte" as operator:
            return (
                {operator: some, "$lt": value(rng, path)}
                if rng.random() < 0.3
                else {operator: some}
            )
        case operator:
            return {operator: some}


def random_filter(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and rng.random() < 0.4:
        parts = [random_filter(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return {rng.choice(["$and", "$or", "$nor"]): parts}
    return {path: condition(rng, path) for path in rng.sample(PATHS, rng.randint(1, 2))}


@pytest.fixture(scope="module")
def mixed(atlas: Atlas) -> Documents:
    rng = random.Random(7)
    documents = atlas.client.test.create_collection("mixed")
    create_index(documents, *PATHS)
    documents.insert_many([document(rng, number) for number in range(ROWS)])
    return documents


def agree(mixed: Documents, wanted: dict[str, Any]) -> int:
    expected = {found["_id"] for found in mixed.find(wanted, {"_id": 1})}
    got = ids(mixed, [0.0] * 8, ROWS, filter=wanted)
    assert set(got) == expected, wanted
    assert len(got) == len(expected)
    return len(expected)


OPERATORS: list[dict[str, Any]] = [
    {},
    {"number": 0},
    {"number": {"$eq": 0.0}},
    {"number": {"$ne": 0}},
    {"number": {"$gt": 0}},
    {"number": {"$gte": 0}},
    {"number": {"$lt": 0}},
    {"number": {"$lte": 0}},
    {"number": {"$gt": -2, "$lt": 2}},
    {"number": {"$in": [0, 1, 2**60]}},
    {"number": {"$nin": [0, 1, 2]}},
    {"number": {"$gte": 2**60}},
    {"number": {"$gt": 2**60}},
    {"number": {"$exists": True}},
    {"number": {"$exists": False}},
    {"number": {"$not": {"$gt": 0}}},
    {"number": {"$not": {"$gt": -2, "$lt": 2}}},
    {"number": None},
    {"number": {"$ne": None}},
    {"text": {"$gte": "b"}},
    {"text": {"$gt": 5}},
    {"when": {"$gte": DAY}},
    {"when": {"$lt": DAY, "$gt": DAY - dt.timedelta(days=1)}},
    {"owner": OWNERS[0]},
    {"owner": {"$in": OWNERS[:2]}},
    {"owner": {"$gt": OWNERS[2]}},
    {"flag": True},
    {"flag": {"$ne": True}},
    {"flag": 1},
    {"code": CODES[1]},
    {"code": {"$nin": CODES[:2]}},
    {"nested.tag": "x"},
    {"nested.tag": {"$exists": False}},
    {"many": "p"},
    {"many": {"$ne": "p"}},
    {"many": {"$nin": ["p", 1]}},
    {"many": {"$gt": 1}},
    {"many": {"$exists": True}},
    {"mixed": 1},
    {"mixed": True},
    {"mixed": {"$lte": 2.5}},
    {"mixed": {"$in": [None, "x"]}},
    {"$and": [{"number": {"$gt": 0}}, {"flag": True}]},
    {"$or": [{"number": {"$gt": 4}}, {"flag": True}]},
    {"$nor": [{"number": {"$gt": 4}}, {"flag": True}]},
    {"$and": [{"$or": [{"flag": True}, {"many": "q"}]}, {"text": {"$not": {"$eq": "a"}}}]},
    {"number": {"$gt": 0}, "flag": True, "$or": [{"many": "p"}, {"many": "q"}]},
]


@pytest.mark.parametrize("wanted", OPERATORS, ids=str)
def test_each_operator(mixed: Documents, wanted: dict[str, Any]) -> None:
    agree(mixed, wanted)


def test_random_filters(mixed: Documents) -> None:
    rng = random.Random(11)
    sizes = [agree(mixed, random_filter(rng)) for _ in range(100)]
    assert sum(0 < size < ROWS for size in sizes) > 50

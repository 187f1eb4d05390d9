"""The server with our planner answers as SecantusDB does with its own, and stores the same.

SOAK=full compares more, from a new seed each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Any

import pytest
from bson import BSON
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from tests.localcloud.secantus.questions import Document, Questions

FULL = os.environ.get("SOAK") == "full"
SEEDS = [SystemRandom().randrange(2**32) for _ in range(12)] if FULL else [1, 2]
DOCUMENTS = 240
# For each seed.
READS, WRITES = (600, 300) if FULL else (70, 40)

Pair = tuple[Collection[Document], Collection[Document]]
Ask = Callable[[Collection[Document]], Any]


@pytest.mark.parametrize("seed", SEEDS[:1])
def test_each_operator_selects_alike(pair: Pair, seed: int) -> None:
    questions = _filled(pair, seed)
    for query in questions.comparisons():
        _compare(pair, f"count {query}", partial(_count, query), f"seed {seed}")
        _compare(pair, f"page {query}", partial(_page, query), f"seed {seed}")


def _count(query: Document, collection: Collection[Document]) -> int:
    return collection.count_documents(query)


def _page(query: Document, collection: Collection[Document]) -> list[Any]:
    field = next(iter(query))
    sort = [(field, -1), ("_id", -1)] if field != "_id" else [("_id", -1)]
    return [each["_id"] for each in collection.find(query).sort(sort).limit(60)]


@pytest.mark.parametrize("seed", SEEDS)
def test_reads_are_answered_alike(pair: Pair, seed: int) -> None:
    questions = _filled(pair, seed)
    for number in range(READS):
        _compare(pair, *_read(questions), f"seed {seed}, read {number}")


@pytest.mark.parametrize("seed", SEEDS)
def test_writes_change_alike(pair: Pair, seed: int) -> None:
    questions = _filled(pair, seed)
    for number in range(WRITES):
        name = f"seed {seed}, write {number}"
        _compare(pair, *_write(questions), name)
        if number % 10 == 9:
            _compare(pair, "the collection", lambda collection: _by_id(collection.find()), name)
            _compare(pair, *_read(questions), name)


def _filled(pair: Pair, seed: int) -> Questions:
    questions = Questions(seed)
    documents = [questions.document(number) for number in range(DOCUMENTS)]
    for collection in pair:
        questions.create_indexes(collection)
        collection.insert_many(documents)
    return questions


def _compare(pair: Pair, question: str, ask: Ask, name: str) -> None:
    planned, unplanned = (_answer(ask, collection) for collection in pair)
    assert planned == unplanned, f"{name}: {question}"


def _answer(ask: Ask, collection: Collection[Document]) -> Any:
    """The answer, so that it can be compared: a NaN is not equal to itself, 1 and 1.0 are."""
    try:
        answer = ask(collection)
    except BulkWriteError as error:
        return "refused", [each["code"] for each in error.details["writeErrors"]]
    except OperationFailure as error:
        return "refused", error.code
    return BSON.encode({"answer": answer})


def _by_id(documents: Any) -> list[Document]:
    return sorted(documents, key=lambda document: str(document["_id"]))


def _read(questions: Questions) -> tuple[str, Ask]:
    draw, query, sort = questions.draw, questions.filter(), questions.sort()
    skip, limit = draw.choice([0, 0, 3, 30]), draw.choice([0, 1, 7, 50])
    fields = draw.choice([None, None, {"tags": 0}, {"created_at": 1}])
    window: Document = {"skip": skip, "limit": limit} if limit else {"skip": skip}
    # Not by values of which equal ones have different types: any of them may name the group.
    by = draw.choice([["status", "kind"], ["status", "created_at"], ["kind"], ["lease_until"]])
    described = f"{query} by {by} sort {sort} skip {skip} limit {limit} fields {fields}"
    asks: list[tuple[str, Ask]] = [
        ("find", lambda it: list(it.find(query, fields).sort(sort).skip(skip).limit(limit))),
        ("find", lambda it: list(it.find(query, fields).sort(sort).skip(skip).limit(limit))),
        ("find all", lambda it: _by_id(it.find(query))),
        ("find as many", lambda it: len(list(it.find(query).skip(skip).limit(limit)))),
        ("count", lambda it: it.count_documents(query, **window)),
        ("count", lambda it: it.count_documents(query)),
        ("distinct", lambda it: sorted(map(str, it.distinct("status", query)))),
        ("groups", lambda it: _groups(it.aggregate(_by(query, "status")))),
        ("groups", lambda it: _groups(it.aggregate(_by(query, *by)))),
        ("aggregate", lambda it: list(it.aggregate([{"$match": query}, {"$sort": dict(sort)}]))),
        ("estimate", lambda it: it.estimated_document_count()),
    ]
    name, ask = draw.choice(asks)
    return f"{name} {described}", ask


def _by(query: Document, *fields: str) -> list[Document]:
    """The stages that count documents for each combination of the fields' values."""
    group = {f"of_{field}": f"${field}" for field in fields}
    return [{"$match": query}, {"$group": {"_id": group, "number": {"$sum": 1}}}]


def _groups(groups: Any) -> list[tuple[str, int]]:
    return sorted((str(each["_id"]), each["number"]) for each in groups)


def _write(questions: Questions) -> tuple[str, Ask]:
    draw, query, sort, change = (
        questions.draw,
        questions.filter(),
        questions.sort(),
        questions.change(),
    )
    one: Document = draw.choice([{"_id": questions.key()}, {"url_key": questions.url_key()}])
    few = {**questions.clause(), **one}
    fresh = questions.document(draw.randrange(400))
    new = draw.choice([ReturnDocument.BEFORE, ReturnDocument.AFTER])
    made = {"$setOnInsert": {"_id": fresh["_id"], "word": "made"}, "$inc": {"tries": 1}}
    rare = {**query, **questions.clause(), **questions.clause(), "tries": 1}
    asks: list[tuple[str, Ask]] = [
        (f"update one {few} {change}", lambda it: _changed(it.update_one(few, change))),
        (f"update many {query} {change}", lambda it: _changed(it.update_many(query, change))),
        (
            f"upsert {fresh['url_key']} {made}",
            lambda it: _changed(it.update_one({"url_key": fresh["url_key"]}, made, upsert=True)),
        ),
        (
            f"take another's key {one}",
            lambda it: _changed(it.update_one(one, {"$set": {"url_key": "k9"}})),
        ),
        (f"delete one {few}", lambda it: it.delete_one(few).deleted_count),
        (f"delete many {rare}", lambda it: it.delete_many(rare).deleted_count),
        (
            f"find and update {query} {sort} {change}",
            lambda it: it.find_one_and_update(query, change, sort=sort, return_document=new),
        ),
        (f"find and delete {rare} {sort}", lambda it: it.find_one_and_delete(rare, sort=sort)),
        (f"insert {fresh}", lambda it: len(it.insert_many([fresh]).inserted_ids)),
    ]
    return draw.choice(asks)


def _changed(result: Any) -> tuple[Any, ...]:
    return result.matched_count, result.modified_count, result.upserted_id

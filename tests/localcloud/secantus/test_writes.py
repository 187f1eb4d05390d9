"""What the server keeps in memory, and what it leaves unwritten, shows in no answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import MongoClient, monitoring
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from tests.localcloud.secantus.servers import Document, Server

Pair = tuple[Collection[Document], Collection[Document]]
# Milliseconds that a stream waits: longer than any test lasts.
LONG = 60_000


def _ids(collection: Collection[Document], query: Document) -> list[Any]:
    return sorted(each["_id"] for each in collection.find(query))


def _alike(pair: Pair, query: Document) -> list[Any]:
    """The ids of what the query finds, by an index and without one, on both servers."""
    found = _ids(pair[0], query)
    assert found == _ids(pair[1], query)
    assert pair[0].count_documents(query) == len(found)
    return found


def test_an_index_tells_documents_by_each_value_of_their_first_array(pair: Pair) -> None:
    for each in pair:
        each.create_index("tags")
        each.insert_many([{"_id": number, "tags": "one"} for number in range(5)])
    assert _alike(pair, {"tags": "one"}) == [0, 1, 2, 3, 4]
    for each in pair:
        each.update_one({"_id": 3}, {"$set": {"tags": ["two", "one", "one"]}})
    assert _alike(pair, {"tags": "two"}) == [3]
    assert _alike(pair, {"tags": {"$gte": "one"}}) == [0, 1, 2, 3, 4]


def test_writes_fill_a_new_index_and_survive_its_end(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "word": "old"})
        each.create_index("word", name="by_word")
        each.insert_one({"_id": 2, "word": "new"})
        each.update_one({"_id": 1}, {"$set": {"word": "new"}})
    assert _alike(pair, {"word": "new"}) == [1, 2]
    for each in pair:
        each.drop_index("by_word")
        each.insert_one({"_id": 3, "word": "new"})
    assert _alike(pair, {"word": "new"}) == [1, 2, 3]
    for each in pair:
        each.drop()
        each.insert_one({"_id": 4, "word": "new"})
    assert _alike(pair, {"word": "new"}) == [4]


def test_the_options_of_a_collection_hold_as_soon_as_they_are_set(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "word": "old"})
        each.database.command("collMod", each.name, validator={"word": {"$type": "string"}})
        with pytest.raises(OperationFailure):
            each.insert_one({"_id": 2, "word": 2})
        each.database.command("collMod", each.name, validator={})
        each.insert_one({"_id": 2, "word": 2})
        each.drop()
        each.database.create_collection(each.name, capped=True, size=10_000, max=1)
        each.insert_one({"_id": 3})
        each.insert_one({"_id": 4})
    assert _alike(pair, {}) == [4]


def test_the_profiler_starts_and_ends_as_it_is_told(pair: Pair) -> None:
    for each in pair:
        each.database.command("profile", 2)
        each.insert_one({"_id": 1})
        each.database.command("profile", 0)
        each.insert_one({"_id": 2})
        told = each.database["system.profile"].find({"op": "insert"})
        assert len(list(told)) == 1


def test_documents_that_are_named_have_to_match_the_rest_too(pair: Pair) -> None:
    for each in pair:
        each.insert_many([{"_id": number, "odd": number % 2} for number in range(40)])
    some: Document = {"_id": {"$in": [*range(0, 30, 3), 99]}}
    assert _alike(pair, {**some, "odd": 1}) == [3, 9, 15, 21, 27]
    assert _alike(pair, {**some, "$or": [{"odd": 1, "_id": 3}, {"odd": 0}]})[:2] == [0, 3]
    assert _alike(pair, {"_id": {"$in": list(range(12_000))}, "odd": 1}) == list(range(1, 40, 2))
    assert _alike(pair, {"_id": {"$in": [1, 2.0, None, 2**60]}, "odd": 0}) == [2]


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"word": None}},
        {"$unset": {"word": ""}},
        {"$set": {"word": True}},
        {"$set": {"word": 1.0}},
        {"$set": {"word": {"a": 1}}},
        {"$set": {"word": ["a", "b"]}},
        {"$set": {"deep.er": 2}},
        {"$set": {"other": 2}},
    ],
    ids=str,
)
@pytest.mark.parametrize("before", [{}, {"word": None}, {"word": 1}, {"word": "a"}], ids=str)
def test_each_index_follows_an_update(pair: Pair, before: Document, change: Document) -> None:
    for each in pair:
        each.create_index("word", sparse=True)
        each.create_index([("deep.er", 1), ("word", 1)])
        each.create_index("word", name="some", partialFilterExpression={"other": 2})
        each.insert_one({"_id": 1, "other": 1, "deep": {"er": 1}, **before})
        each.update_many({"_id": 1}, change)
        each.update_one({"_id": 1}, {"$set": {"seen": True}})
    for value in (None, 1, True, "a", {"a": 1}, ["a", "b"]):
        _alike(pair, {"word": value})
        _alike(pair, {"word": value, "other": 2})
        _alike(pair, {"deep.er": {"$gte": 1}, "word": value})
    _alike(pair, {"word": {"$exists": True}})


def test_a_unique_value_is_given_back_and_kept(collection: Collection[Document]) -> None:
    collection.create_index("key", unique=True)
    collection.insert_one({"_id": 1, "key": "a", "other": 1})
    collection.update_one({"_id": 1}, {"$set": {"other": 2}})
    with pytest.raises(DuplicateKeyError):
        collection.insert_one({"_id": 2, "key": "a"})
    collection.update_one({"_id": 1}, {"$set": {"key": "b"}})
    collection.insert_one({"_id": 2, "key": "a"})
    with pytest.raises(DuplicateKeyError):
        collection.update_one({"_id": 1}, {"$set": {"key": "a"}})
    assert _ids(collection, {"key": "b"}) == [1]


class _Counter(monitoring.CommandListener):
    """How often the server was asked for more."""

    def __init__(self) -> None:
        self.asked = 0
        self.began = threading.Event()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "getMore":
            self.asked += 1
            self.began.set()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        del event

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        del event


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.insert_one({"_id": 2}),
        lambda it: it.update_one({"_id": 1}, {"$set": {"a": 1}}),
        lambda it: it.delete_one({"_id": 1}),
        lambda it: it.drop(),
    ],
    ids=["insert", "update", "delete", "drop"],
)
def test_a_stream_sleeps_until_its_own_collection_changes(
    servers: tuple[Server, Server],
    collection: Collection[Document],
    change: Callable[[Collection[Document]], object],
) -> None:
    counter = _Counter()
    uri = f"mongodb://127.0.0.1:{servers[0].port}/?directConnection=true"
    collection.insert_one({"_id": 1})
    with (
        MongoClient[Document](uri, event_listeners=[counter]) as client,
        client.test[collection.name].watch(max_await_time_ms=LONG) as stream,
        ThreadPoolExecutor() as threads,
    ):
        told = threads.submit(stream.try_next)
        assert counter.began.wait(LONG / 1000)
        for number in range(20):
            collection.database["another"].update_one(
                {"_id": number}, {"$inc": {"times": 1}}, upsert=True
            )
        change(collection)
        assert told.result(LONG / 1000) is not None
    assert counter.asked == 1


def test_a_stream_that_is_killed_waits_no_longer(
    servers: tuple[Server, Server], collection: Collection[Document]
) -> None:
    counter, name = _Counter(), collection.name
    collection.insert_one({"_id": 1})
    uri = f"mongodb://127.0.0.1:{servers[0].port}/?directConnection=true"
    with (
        MongoClient[Document](uri, event_listeners=[counter]) as client,
        ThreadPoolExecutor() as threads,
    ):
        watching: Document = {"aggregate": name, "pipeline": [{"$changeStream": {}}], "cursor": {}}
        number = client.test.command(watching)["cursor"]["id"]
        more = {"getMore": number, "collection": name, "maxTimeMS": 2 * LONG}
        told = threads.submit(client.test.command, more)
        assert counter.began.wait(LONG / 1000)
        collection.database.command("killCursors", name, cursors=[number])
        with pytest.raises(OperationFailure, match="cursor id"):
            told.result(LONG / 1000)

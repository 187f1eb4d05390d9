"""What the comparison with SecantusDB's own planner does not tell: what that one gets wrong, what
goes on at the same time, what is read, and which SecantusDB is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import UpdateOne
from pymongo.collection import Collection

from tests.localcloud.secantus.questions import START
from tests.localcloud.secantus.servers import Document, Server
from tools.harness.cloud import ROOT

Pair = tuple[Collection[Document], Collection[Document]]
OF_EACH_KIND: list[Document] = [
    {"$match": {"kind": {"$in": [1, 2]}}},
    {"$group": {"_id": {"of": "$kind"}, "documents": {"$sum": 1}}},
]
ANOTHER_VERSION = """
import runpy, secantus
secantus.__version__ = "9.9"
runpy.run_module("localcloud.secantus", run_name="__main__", alter_sys=True)
"""

TWO_QUERIES = """
import threading
from concurrent.futures import ThreadPoolExecutor
from localcloud.secantus.queries import Queries

class Store:
    both = threading.Barrier(2, timeout=60)

    @classmethod
    def _iter_indexes(cls, db, collection):
        cls.both.wait()
        return []

with ThreadPoolExecutor(2) as pool:
    asked = [pool.submit(lambda: Queries(Store, "db", "words")._indexes) for _ in range(2)]
    assert [each.result() for each in asked] == [[], []]
"""


@pytest.mark.parametrize("limit", [0, 4])
def test_a_descending_index_sorts_strings_and_what_they_begin_with(
    collection: Collection[Document], limit: int
) -> None:
    collection.create_index([("word", -1), ("number", 1)])
    words = ["ab", "", "abc", "b", "a", None, 3]
    collection.insert_many({"word": word, "number": n} for n, word in enumerate(words))
    found = collection.find().sort([("word", -1), ("number", 1)]).limit(limit)
    expected = ["b", "abc", "ab", "a", "", 3, None]
    assert [document["word"] for document in found] == expected[: limit or None]
    ranged = collection.find({"word": {"$lt": "abc", "$gte": "a"}}).sort("word", -1).limit(5)
    assert [document["word"] for document in ranged] == ["ab", "a"]
    assert collection.count_documents({"word": {"$lte": "ab"}}) == 3


def test_large_integers_and_doubles_that_are_equal_are_found(
    collection: Collection[Document],
) -> None:
    collection.create_index([("kind", 1), ("size", 1)])
    collection.insert_many(
        {"_id": n, "kind": 1, "size": size}
        for n, size in enumerate([2**60, float(2**60), 2**60 + 1, 2**60 - 1, 5])
    )

    def found(size: Any) -> list[Any]:
        return sorted(each["_id"] for each in collection.find({"kind": 1, "size": size}))

    for large in (2**60, float(2**60)):
        assert found(large) == found({"$in": [large, "x"]}) == [0, 1]
        assert found({"$lte": large}) == [0, 1, 3, 4]
        assert found({"$gt": large}) == [2]
        assert found({"$ne": large}) == [2, 3, 4]
        assert collection.count_documents({"kind": 1, "size": {"$gte": large}}) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the processor time is read from /proc")
@pytest.mark.parametrize(
    "ask",
    [
        lambda it: list(it.find({"kind": {"$in": [1, 2]}}).sort([("n", -1), ("_id", -1)]).limit(9)),
        lambda it: it.find_one_and_update({"key": 7, "n": {"$gt": 1}}, {"$inc": {"tries": 1}}),
        lambda it: it.update_one({"$and": [{"key": 9}, {"tries": None}]}, {"$set": {"a": 1}}),
        lambda it: it.count_documents({"kind": {"$in": [1, 2]}, "n": {"$lt": 2_500}}),
        lambda it: list(it.aggregate(OF_EACH_KIND)),
        lambda it: list(it.find({"$or": [{"key": 3}, {"_id": 4}]})),
        lambda it: it.find_one({"filling": {"$ne": None}}),
    ],
    ids=["page", "find and update", "update", "count", "groups", "or", "first of all"],
)
def test_answers_cost_a_fraction_of_a_scan(
    servers: tuple[Server, Server], many: Pair, ask: Callable[[Collection[Document]], Any]
) -> None:
    # As many ticks as can be told apart, whatever the machine.
    times = 1
    while (scanning := ticks(servers[1], lambda: ask(many[1]), times)) < 20:
        times *= 2
    assert ticks(servers[0], lambda: ask(many[0]), times) < scanning / 3


def ticks(server: Server, ask: Callable[[], Any], times: int) -> int:
    before = server.cpu_ticks()
    for _ in range(times):
        ask()
    return server.cpu_ticks() - before


@pytest.mark.skipif(sys.platform != "linux", reason="the processor time is read from /proc")
def test_two_long_lists_cost_their_sum(servers: tuple[Server, Server], many: Pair) -> None:
    few, rest = list(range(2_990, 6_000)), list(range(10, 2_990))

    def ask(**more: Any) -> None:
        assert len(list(many[0].find({"_id": {"$in": few, **more}}))) == 10

    times = 1
    while (alone := ticks(servers[0], ask, times)) < 20:
        times *= 2
    assert ticks(servers[0], lambda: ask(**{"$nin": rest}), times) < 8 * alone


@pytest.mark.skipif(sys.platform != "linux", reason="the processor time is read from /proc")
def test_an_index_of_arrays_is_preferred_where_it_reads_less(
    servers: tuple[Server, Server], many: Pair
) -> None:
    often: Document = {"kind": {"$in": [1, 2]}}

    def ask(found: int, query: Document) -> None:
        assert many[0].count_documents({**often, **query}) == found

    times = 1
    while (all_often := ticks(servers[0], lambda: ask(0, {"filling": "y"}), times)) < 20:
        times *= 2
    for query in ({"lists": 7}, {"lists": {"$in": [7]}}):
        assert ticks(servers[0], partial(ask, 7, query), times) < all_often / 3


@pytest.fixture(scope="module")
def many(servers: tuple[Server, Server]) -> Pair:
    """Three thousand documents, never changed but by the test of their cost."""
    collections = servers[0].collection("many"), servers[1].collection("many")
    for collection in collections:
        collection.create_index("key", unique=True)
        collection.create_index([("kind", 1), ("n", 1), ("_id", 1)])
        collection.create_index("lists")
        collection.insert_many(
            {"_id": n, "key": n, "kind": n % 3, "n": n, "lists": [n % 299], "filling": "x" * 200}
            for n in range(3_000)
        )
    return collections


def test_each_of_many_workers_claims_what_no_other_has(collection: Collection[Document]) -> None:
    collection.create_index([("status", 1), ("n", 1), ("_id", 1)])
    collection.insert_many({"status": "QUEUED", "n": n % 7} for n in range(120))

    def work(_: int) -> list[Any]:
        claimed = []
        while document := collection.find_one_and_update(
            {"status": "QUEUED"}, {"$set": {"status": "CLAIMED"}}, sort=[("n", 1)]
        ):
            claimed.append(document["_id"])
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claims = [each for claimed in pool.map(work, range(6)) for each in claimed]
    assert len(claims) == len(set(claims)) == 120
    assert collection.count_documents({"status": "CLAIMED"}) == 120


def test_pages_are_in_order_while_documents_move_and_go(collection: Collection[Document]) -> None:
    collection.create_index([("kind", 1), ("n", 1)])
    collection.insert_many({"_id": k, "kind": k % 3, "n": k} for k in range(200))

    def move() -> None:
        for k in range(200):
            if k % 5 == 0:
                collection.delete_one({"_id": k})
            else:
                collection.update_one({"_id": k}, {"$set": {"n": 1_000 - k, "kind": k % 2}})

    with ThreadPoolExecutor(1) as pool:
        moving, pages = pool.submit(move), 0
        while not moving.done() or not pages:
            page = collection.find({"kind": {"$in": [0, 1]}}).sort("n", -1).limit(50)
            numbers = [document["n"] for document in page]
            assert numbers == sorted(numbers, reverse=True)
            assert len(numbers) == 50
            pages += 1
        moving.result()


def test_a_transaction_sees_its_own_writes_by_the_index(collection: Collection[Document]) -> None:
    collection.create_index([("kind", 1), ("n", 1)])
    collection.insert_many({"kind": "a", "n": n} for n in range(3))
    client = collection.database.client
    with client.start_session() as session:
        with session.start_transaction():
            collection.insert_one({"kind": "a", "n": -1}, session=session)
            page = collection.find({"kind": "a"}, session=session).sort("n", 1).limit(2)
            assert [document["n"] for document in page] == [-1, 0]
            assert collection.count_documents({"kind": "a"}, session=session) == 4
            assert collection.count_documents({"kind": "a"}) == 3
        assert collection.count_documents({"kind": "a"}) == 4


def test_an_index_is_left_when_an_array_comes(collection: Collection[Document]) -> None:
    collection.create_index([("kind", 1), ("at", 1)])
    collection.insert_many({"_id": n, "kind": "a", "at": START} for n in range(3))
    collection.update_one({"_id": 1}, {"$set": {"kind": ["a", "b"]}})
    assert collection.count_documents({"kind": "a"}) == 3
    assert collection.count_documents({"kind": {"$in": ["a", "b"]}}) == 3
    found = collection.find({"kind": {"$in": ["a", "b"]}}).sort([("at", 1), ("_id", 1)]).limit(9)
    assert [document["_id"] for document in found] == [0, 1, 2]


def test_many_updates_by_id_go_in_one_message(collection: Collection[Document]) -> None:
    collection.create_index([("kind", 1), ("n", 1)])
    collection.insert_many({"_id": n, "n": n} for n in range(64))
    changes = [UpdateOne({"_id": n, "n": n}, {"$set": {"kind": "a"}}) for n in range(0, 64, 2)]
    assert collection.bulk_write(changes).modified_count == 32
    assert collection.count_documents({"kind": "a"}) == 32


def test_another_version_of_secantusdb_plans_by_itself(tmp_path: Path) -> None:
    server = Server(tmp_path, ["-c", ANOTHER_VERSION])
    try:
        server.wait()
        collection = server.collection("c")
        collection.insert_one({"_id": 1})
        assert collection.count_documents({"_id": 1}) == 1
    finally:
        server.stop()
    assert "SecantusDB 9.9 runs with its own query planner" in server.log.read_text()


def test_a_query_reads_the_indexes_while_another_reads_them() -> None:
    """Else one that holds the storage's lock may wait for one that waits for it."""
    subprocess.run([sys.executable, "-c", TWO_QUERIES], cwd=ROOT, check=True, timeout=120)

"""Faults of one index stay its own, and a search never waits long for one."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import bson
import pytest
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure

from localcloud.atlas.index.catalog import Catalog, Request
from localcloud.atlas.index.definitions import SEARCH
from localcloud.atlas.index.follower import SCAN_CHANGES, Pace
from localcloud.atlas.index.indexes import Indexes
from localcloud.atlas.index.stores import Document, Token
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.wire.commands import Forward, Reply, Services
from localcloud.atlas.wire.errors import QueryError
from localcloud.atlas.wire.proxy import SEARCHERS, Proxy
from localcloud.atlas.wire.searching import Searches
from localcloud.atlas.wire.upstream import Namespace, Upstream, WriteClock
from tests.localcloud.atlas.server import (
    Atlas,
    create_index,
    create_text_index,
    ids,
)
from tests.localcloud.atlas.test_atlas_crashes import ROWS, insert, is_right
from tests.localcloud.atlas.test_atlas_wire import message, receive
from tests.localcloud.secantus.servers import Server
from tests.support.small_disk import small_disk
from tools.harness.waiting import PATIENCE, wait_for

Documents = Collection[dict[str, Any]]
TEXT = {"text": {"type": "string"}}
# Entries of a small oplog, which a scan outlives.
OPLOG_ENTRIES = 300
DEFINITION = {"mappings": {"dynamic": False, "fields": TEXT}}


@pytest.mark.parametrize("text", ["ÿ", "$search ÿ"])
def test_strings_that_are_not_utf8_are_passed_on(
    atlas: Atlas, collection: Documents, text: str
) -> None:
    """The server refuses them, in an aggregation that may be a search, too."""
    pipeline = [{"$match": {"text": text}}]
    aggregation = {"aggregate": collection.name, "pipeline": pipeline, "cursor": {}, "$db": "test"}
    insertion = {"insert": collection.name, "documents": [{"text": text}], "$db": "test"}
    with socket.create_connection(("127.0.0.1", atlas.port), 10) as connection:
        for command in (aggregation, insertion):
            connection.sendall(message(command).replace("ÿ".encode(), b"\xff\xfe"))
            assert "invalid BSON" in receive(connection)[1]["errmsg"]


# In this process


class Faulty(TextStore):
    """A store with a fault, and one whose loading or writing can be held up."""

    poison = True
    written: ClassVar[list[Any]] = []
    held = threading.Event()

    def open(self) -> None:
        wait_for(lambda: not self.held.is_set(), "the release")
        super().open()

    def put(self, document: Document) -> None:
        if document.get("poison") and Faulty.poison:
            raise RuntimeError("an unforeseen fault")
        self.written.append(document["_id"])
        super().put(document)

    def commit(self, token: Token | None) -> None:
        wait_for(lambda: not self.held.is_set(), "the release")
        super().commit(token)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Faulty]]:
    monkeypatch.setattr("localcloud.atlas.index.indexes.TextStore", Faulty)
    monkeypatch.setattr(Faulty, "poison", True)
    yield Faulty
    Faulty.held.clear()


@pytest.fixture
def indexes(atlas: Atlas, tmp_path: Path, faulty: type[Faulty]) -> Iterator[Indexes]:
    """Indexes of their own over the shared server, which wait as those of a copy do."""
    upstream = Upstream(atlas.upstream_port)
    indexes = Indexes(tmp_path, upstream, WriteClock())
    yield indexes
    faulty.held.clear()
    indexes.stop()
    upstream.close()


def namespace(collection: Documents) -> Namespace:
    return Namespace(collection.database.name, collection.name)


def status(indexes: Indexes, collection: Documents) -> tuple[str, bool]:
    (index,) = indexes.listed(namespace(collection), None, None)
    return index["status"], index["queryable"]


def search(indexes: Indexes, collection: Documents) -> int:
    """How many documents the index has. Raises QueryError."""
    store = indexes.serving(namespace(collection), "words", SEARCH, "$search")
    assert isinstance(store, TextStore)
    return store.snapshot().num_docs


def ready(indexes: Indexes, collection: Documents) -> Callable[[], bool]:
    return lambda: status(indexes, collection) == ("READY", True)


def create(indexes: Indexes, collection: Documents) -> None:
    indexes.create(namespace(collection), [Request("words", SEARCH, DEFINITION)])


def test_an_index_with_a_fault_is_failed_and_built_anew(
    indexes: Indexes, atlas: Atlas, collection: Documents
) -> None:
    other = atlas.client.test.create_collection(f"{collection.name}_other")
    for each in (collection, other):
        create(indexes, each)
        wait_for(ready(indexes, each), "the index")
    collection.insert_many([{"_id": 1, "text": "sound"}, {"_id": 2, "poison": True}])
    wait_for(lambda: status(indexes, collection) == ("FAILED", False), "the fault")
    with pytest.raises(QueryError, match="cannot query search index words while in state FAILED"):
        search(indexes, collection)
    other.insert_one({"text": "sound"})
    wait_for(lambda: search(indexes, other) == 1, "the other index")
    Faulty.poison = False
    wait_for(ready(indexes, collection), "the index, built anew")
    assert search(indexes, collection) == 2


def test_an_index_goes_with_its_collection_though_the_catalog_was_full(
    indexes: Indexes, collection: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(indexes, collection)
    wait_for(ready(indexes, collection), "the index")
    delete, faults = Catalog.delete, [sqlite3.OperationalError("database or disk is full")]

    def fail_once(catalog: Catalog, index_id: str) -> None:
        if faults:
            raise faults.pop()
        delete(catalog, index_id)

    monkeypatch.setattr(Catalog, "delete", fail_once)
    collection.drop()
    wait_for(lambda: not list((tmp_path / "indexes").glob("*")), "the end of the index")
    assert not faults


def test_an_index_that_loads_is_not_ready(
    atlas: Atlas, collection: Documents, tmp_path: Path, faulty: type[Faulty]
) -> None:
    upstream = Upstream(atlas.upstream_port)
    before = Indexes(tmp_path, upstream, WriteClock())
    create(before, collection)
    wait_for(ready(before, collection), "the index")
    before.stop()
    faulty.held.set()
    indexes = Indexes(tmp_path, upstream, WriteClock())
    try:
        assert status(indexes, collection) == ("BUILDING", False)
        with pytest.raises(QueryError, match="words while in state INITIAL_SYNC"):
            search(indexes, collection)
    finally:
        faulty.held.clear()
        indexes.stop()
        upstream.close()


def test_an_index_that_is_being_built_is_not_ready(
    indexes: Indexes, collection: Documents, faulty: type[Faulty]
) -> None:
    faulty.held.set()
    create(indexes, collection)
    with pytest.raises(QueryError, match="words while in state INITIAL_SYNC"):
        search(indexes, collection)


def test_a_search_does_not_wait_for_an_index_that_is_far_behind(
    atlas: Atlas, collection: Documents, tmp_path: Path, faulty: type[Faulty]
) -> None:
    """It returns although the index does not catch up before."""
    clock, upstream = WriteClock(), Upstream(atlas.upstream_port)
    indexes = Indexes(tmp_path, upstream, clock)
    create(indexes, collection)
    wait_for(ready(indexes, collection), "the index")
    faulty.held.set()
    collection.insert_one({"text": "late"})
    clock.tick(collection.name)
    began = time.monotonic()
    indexes.serving(namespace(collection), "words", SEARCH, "$search")
    assert time.monotonic() - began < 4.0  # as long as it once waited
    assert Pace().wait <= 0.3
    faulty.held.clear()
    indexes.stop()
    upstream.close()


def test_a_write_elsewhere_is_not_waited_for(
    atlas: Atlas, collection: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a write that may concern the collection makes its index ask the change stream."""
    clock, upstream = WriteClock(), Upstream(atlas.upstream_port)
    indexes = Indexes(tmp_path, upstream, clock)
    create(indexes, collection)
    wait_for(ready(indexes, collection), "the index")
    assert search(indexes, collection) == 0
    asked: list[Namespace] = []
    pending = Upstream.pending

    def counted(self: Upstream, place: Namespace, token: Token) -> Any:
        asked.append(place)
        return pending(self, place, token)

    monkeypatch.setattr(Upstream, "pending", counted)
    clock.tick("another")
    assert search(indexes, collection) == 0
    assert asked == []
    for which in (collection.name, None):
        clock.tick(which)
        assert search(indexes, collection) == 0
        assert set(asked) == {namespace(collection)}
        asked.clear()
    indexes.stop()
    upstream.close()


def test_an_interrupted_stream_goes_on(atlas: Atlas, collection: Documents) -> None:
    upstream, place = Upstream(atlas.upstream_port), namespace(collection)
    with (
        upstream.watch(place, upstream.token(place)) as stream,
        ThreadPoolExecutor() as threads,
    ):
        upstream.set_wait(stream, round(2_000 * PATIENCE))
        told = threads.submit(stream.try_next)

        def has_ended() -> bool:
            upstream.interrupt(place, stream)
            return bool(told.done())

        wait_for(has_ended, "the end of the wait")
        assert told.result() is None
        collection.insert_one({"_id": 1})
        change = wait_for(stream.try_next, "the change")
        assert change["documentKey"] == {"_id": 1}
    upstream.close()


def test_indexes_are_listed_while_all_searches_wait(
    atlas: Atlas, collection: Documents, tmp_path: Path, faulty: type[Faulty]
) -> None:
    """More searches than the proxy has threads wait for an index that is being written."""
    upstream, clock = Upstream(atlas.upstream_port), WriteClock()
    indexes = Indexes(tmp_path, upstream, clock, Pace(wait=PATIENCE))
    create(indexes, collection)
    wait_for(ready(indexes, collection), "the index")
    faulty.held.set()
    collection.insert_one({"text": "late"})
    clock.tick(collection.name)
    services = Services(indexes, Searches(indexes))
    operator = {"index": "words", "text": {"query": "late", "path": "text"}}
    searching = {"aggregate": collection.name, "pipeline": [{"$search": operator}]}
    listing = {"aggregate": collection.name, "pipeline": [{"$listSearchIndexes": {}}]}

    async def ask() -> tuple[Reply | Forward, int]:
        proxy = Proxy(atlas.upstream_port, services, clock)
        waiting = [proxy.handle({**searching, "$db": "test"}) for _ in range(2 * SEARCHERS)]
        searches = [asyncio.ensure_future(each) for each in waiting]
        listed = await proxy.handle({**listing, "$db": "test"})
        done = sum(search.done() for search in searches)
        faulty.held.clear()
        await asyncio.gather(*searches)
        await proxy.stop()
        return listed, done

    listed, done = asyncio.run(ask())
    assert isinstance(listed, Forward)
    assert done == 0
    indexes.stop()
    upstream.close()


# Scans


def test_a_scan_writes_only_what_differs(
    atlas: Atlas, collection: Documents, tmp_path: Path, faulty: type[Faulty]
) -> None:
    upstream = Upstream(atlas.upstream_port)
    before = Indexes(tmp_path, upstream, WriteClock())
    create(before, collection)
    collection.insert_many([{"_id": number, "text": "old"} for number in range(50)])
    wait_for(lambda: search(before, collection) == 50, "the index", despite=QueryError)
    before.stop()
    (state,) = tmp_path.glob("indexes/*/0/state.bson")
    state.write_bytes(bson.encode({**bson.decode(state.read_bytes()), "token": {"_data": "00"}}))
    collection.update_many({"_id": {"$in": [20, 30]}}, {"$set": {"text": "new"}})
    collection.delete_one({"_id": 40})
    faulty.written.clear()
    indexes = Indexes(tmp_path, upstream, WriteClock())
    wait_for(lambda: search(indexes, collection) == 49, "the index", despite=QueryError)
    assert sorted(faulty.written) == [20, 30]
    indexes.stop()
    upstream.close()


class Busy(Upstream):
    """A server whose collection changes more during a scan than its oplog holds."""

    scans = 0

    def scan(self, namespace: Namespace) -> Iterator[dict[str, Any]]:
        self.scans += 1
        for number, document in enumerate(super().scan(namespace)):
            yield document
            if number % SCAN_CHANGES == 0:
                self._client[namespace.db].others.insert_many([{} for _ in range(500)])
                self._collection(namespace).update_one({"_id": number}, {"$set": {"text": "new"}})
                self._collection(namespace).delete_one({"_id": number + 1})


def test_changes_made_during_a_scan_are_read_before_the_oplog_forgets_them(
    tmp_path: Path,
) -> None:
    more = ("--oplog-max-entries", str(OPLOG_ENTRIES))
    server = Server(tmp_path, more=more)
    server.wait()
    collection = server.collection("things")
    collection.insert_many([{"_id": n, "text": "same"} for n in range(4 * SCAN_CHANGES)])
    upstream = Busy(server.port)
    indexes = Indexes(tmp_path / "atlas", upstream, WriteClock())
    create(indexes, collection)
    wait_for(ready(indexes, collection), "the index")
    assert upstream.scans == 1
    assert search(indexes, collection) == collection.count_documents({}) == 4 * SCAN_CHANGES - 4
    indexes.stop()
    upstream.close()
    server.stop()


# On a full disk


def test_an_index_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        servers = Atlas(tmp_path, disk, search_wait=0.0)
        try:
            servers.start("secantus", "atlas")
            collection = servers.client.test.create_collection("things")
            create_index(collection)
            create_text_index(collection, TEXT)
            insert(collection, 0, 100)
            wait_for(lambda: is_right(collection), "the first hundred")
            disk.fill()
            for first in range(100, 400, 50):
                insert(collection, first, first + 50)
            wait_for(lambda: "cannot write" in servers.log("atlas"), "a fault")
            # What was committed is found meanwhile.
            assert {index["queryable"] for index in collection.list_search_indexes()} == {True}
            assert ids(collection, ROWS[5], 500)
            disk.empty()
            wait_for(lambda: is_right(collection), "the whole index", despite=ConnectionFailure)
            assert "ending the process" not in servers.log("atlas")
        finally:
            servers.stop()

"""A search index whose processes are killed, or whose files are spoilt, is right again."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure
from pymongo.operations import SearchIndexModel

from tests.localcloud.atlas.server import (
    Atlas,
    create_text_index,
    matches,
    wait_queryable,
)
from tools.harness.waiting import wait_for

pytestmark = pytest.mark.slow(
    "starts its servers again and again; test_atlas_crashes does it with a vector index"
)

Documents = Collection[dict[str, Any]]
FIELDS = {
    "text": {"type": "string", "analyzer": "lucene.english"},
    "n": {"type": "number"},
}
WORDS = ("apple", "banana", "cherry", "date", "elder")


def document(number: int) -> dict[str, Any]:
    text = f"{WORDS[number % 5]} {WORDS[number % 3]} number{number}"
    return {"_id": number, "n": number % 7, "text": text}


def insert(collection: Documents, first: int, last: int) -> None:
    collection.insert_many([document(number) for number in range(first, last)])


def is_right(collection: Documents) -> bool:
    """Whether searches agree with the collection, and the index has nothing else."""
    there = list(collection.find())
    for word in WORDS:
        expected = sorted(d["_id"] for d in there if word in d["text"].split())
        if matches(collection, {"text": {"query": word, "path": "text"}}) != expected:
            return False
    low = sorted(d["_id"] for d in there if d["n"] < 3)
    if matches(collection, {"range": {"path": "n", "lt": 3}}) != low:
        return False
    stage = {"exists": {"path": "text"}, "count": {"type": "total"}}
    (meta,) = collection.aggregate([{"$searchMeta": stage}])
    return bool(meta["count"]["total"] == len(there))


def directory_of(atlas: Atlas, collection: Documents) -> Path:
    (index,) = collection.list_search_indexes()
    return atlas.directory.joinpath("atlas", "indexes", index["id"], "0")


OTHER_FILES = pytest.mark.slow("starts a server for each damage; two are done without it")
AT_OTHER_MOMENTS = pytest.mark.slow("four more kills of a server; there are two without it")


@pytest.mark.parametrize("victim", ["atlas", "secantus"])
@pytest.mark.parametrize(
    "moment",
    [0.2, *(pytest.param(moment, marks=AT_OTHER_MOMENTS) for moment in (0.05, 0.6))],
)
def test_killed_while_writing(mortal: Atlas, doomed: Documents, victim: str, moment: float) -> None:
    """A process dies in the middle of a stream of writes and searches, and the client goes on."""
    create_text_index(doomed, FIELDS)
    killer = threading.Timer(moment, mortal.kill, (victim,))
    killer.start()
    number, in_doubt = 0, False
    while number < 200 or killer.is_alive() or in_doubt:
        try:
            doomed.replace_one({"_id": number % 300}, document(number), upsert=True)
            if number % 20 == 0:
                matches(doomed, {"text": {"query": "apple", "path": "text"}})
            number, in_doubt = number + 1, False
        except ConnectionFailure:  # the write may be there all the same, so it is repeated
            in_doubt = True
            if victim not in mortal.processes:
                mortal.start(victim)
    if victim not in mortal.processes:
        mortal.start(victim)
    wait_for(lambda: is_right(doomed), "every text, once", despite=ConnectionFailure)
    assert doomed.count_documents({}) == min(number, 300)
    assert "damaged" not in mortal.log("atlas")


def test_writes_while_the_proxy_was_away(mortal: Atlas, doomed: Documents) -> None:
    create_text_index(doomed, FIELDS)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    assert mortal.kill("atlas", signal.SIGTERM) == 0
    behind = mortal.direct.test[doomed.name]
    insert(behind, 50, 150)
    behind.delete_many({"_id": {"$lt": 10}})
    behind.update_one({"_id": 20}, {"$set": {"text": "cherry", "n": 99}})
    mortal.start("atlas")
    assert is_right(doomed)
    assert f"{doomed.name}: 140 documents" not in mortal.log("atlas")  # resumed, not scanned


def test_dropped_while_the_proxy_was_away(mortal: Atlas, doomed: Documents) -> None:
    create_text_index(doomed, FIELDS)
    insert(doomed, 0, 20)
    directory = directory_of(mortal, doomed)
    mortal.kill("atlas")
    behind = mortal.direct.test[doomed.name]
    behind.drop()
    insert(behind, 0, 5)
    mortal.start("atlas")
    wait_for(
        lambda: list(doomed.list_search_indexes()) == [], "no index", despite=ConnectionFailure
    )
    wait_for(lambda: not directory.exists(), "no files of it", despite=ConnectionFailure)
    create_text_index(doomed, FIELDS)
    assert is_right(doomed)


def test_the_token_is_gone(mortal: Atlas, doomed: Documents) -> None:
    """A token that the server does not take: the collection is scanned."""
    create_text_index(doomed, FIELDS)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    state = directory_of(mortal, doomed) / "state.bson"
    mortal.kill("atlas", signal.SIGTERM)
    behind = mortal.direct.test[doomed.name]
    behind.delete_many({"_id": {"$lt": 25}})
    insert(behind, 50, 60)
    known = bson.decode(state.read_bytes())
    state.write_bytes(bson.encode({**known, "token": {"_data": "00"}}))
    mortal.start("atlas")
    wait_for(lambda: is_right(doomed), "the index as it is now", despite=ConnectionFailure)
    wait_for(lambda: f"{doomed.name}: 35 documents" in mortal.log("atlas"), "the scan's end")


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        middle = len(data) // 3
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif how == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("file", "how"),
    [
        ("words/*.store", "flipped"),
        ("state.bson", "truncated"),
        pytest.param("words/*.idx", "truncated", marks=OTHER_FILES),
        pytest.param("words/*.term", "removed", marks=OTHER_FILES),
        pytest.param("words/*.pos", "emptied", marks=OTHER_FILES),
        pytest.param("words/meta.json", "truncated", marks=OTHER_FILES),
        pytest.param("words/meta.json", "removed", marks=OTHER_FILES),
    ],
)
def test_damage_on_disk_is_noticed(mortal: Atlas, doomed: Documents, file: str, how: str) -> None:
    create_text_index(doomed, FIELDS)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    directory = directory_of(mortal, doomed)
    mortal.kill("atlas", signal.SIGTERM)
    for path in directory.glob(file):
        spoil(path, how)
    mortal.start("atlas")
    wait_for(lambda: is_right(doomed), "the index made anew", despite=ConnectionFailure)
    assert "damaged" in mortal.log("atlas")
    wait_for(lambda: f"{doomed.name}: 50 documents" in mortal.log("atlas"), "the scan's end")


def test_an_index_that_was_being_built(mortal: Atlas, doomed: Documents) -> None:
    insert(doomed, 0, 3000)
    model = SearchIndexModel({"mappings": {"fields": FIELDS}}, "default", "search")
    doomed.create_search_index(model)
    mortal.kill("atlas")
    mortal.start("atlas")
    wait_queryable(doomed, "default")
    assert is_right(doomed)


def test_a_definition_that_was_once_taken(mortal: Atlas, doomed: Documents) -> None:
    """An index in the catalog that cannot be built is dropped, and the others live."""
    create_text_index(doomed, FIELDS)
    insert(doomed, 0, 10)
    (index,) = doomed.list_search_indexes()
    mortal.kill("atlas", signal.SIGTERM)
    with closing(sqlite3.connect(mortal.directory / "atlas" / "catalog.sqlite")) as db, db:
        row = db.execute("SELECT * FROM indexes WHERE id = ?", (index["id"],)).fetchone()
        strange = bson.encode({"mappings": {"fields": {"f": {"type": "geo"}}}})
        copy = ("0" * 24, *row[1:4], "strange", row[5], strange, *row[7:])
        db.execute("INSERT INTO indexes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", copy)
    mortal.start("atlas")
    assert [found["name"] for found in doomed.list_search_indexes()] == ["default"]
    assert is_right(doomed)

"""Killed, restarted, away for a while: the index is right again."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pytest
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure
from pymongo.operations import SearchIndexModel

from tests.localcloud.atlas.server import (
    Atlas,
    binary,
    create_index,
    ids,
    vector_field,
    wait_queryable,
)
from tools.harness.waiting import wait_for

Documents = Collection[dict[str, Any]]
ROWS = np.random.default_rng(3).standard_normal((400, 8)).astype(np.float32)


def insert(collection: Documents, first: int, last: int) -> None:
    collection.insert_many(
        [{"_id": n, "kind": n % 3, "embedding": binary(ROWS[n])} for n in range(first, last)]
    )


def nearest(keys: list[int], query: int) -> list[int]:
    distance = ((ROWS[keys].astype(np.float64) - ROWS[query]) ** 2).sum(axis=1)
    return [keys[n] for n in np.argsort(distance)]


def is_right(collection: Documents, **options: Any) -> bool:
    """Whether a search over everything agrees with the collection."""
    keys = [found["_id"] for found in collection.find(options.get("filter", {}), {"_id": 1})]
    return ids(collection, binary(ROWS[5]), 500, **options) == nearest(keys, 5)


def store_of(atlas: Atlas, collection: Documents) -> Path:
    (index,) = collection.list_search_indexes()
    return atlas.directory.joinpath("atlas", "indexes", index["id"], "0", "field0")


@pytest.mark.parametrize("victim", ["atlas", "secantus"])
def test_killed_while_writing(mortal: Atlas, doomed: Documents, victim: str) -> None:
    """A process dies in the middle of a stream of inserts, and the client goes on."""
    create_index(doomed, "kind")
    killer = threading.Timer(0.1, mortal.kill, (victim,))
    killer.start()
    number, in_doubt = 0, False
    while number < 200 or killer.is_alive() or in_doubt:
        try:
            document = {"kind": number % 3, "embedding": binary(ROWS[number % 400])}
            doomed.replace_one({"_id": number % 400}, document, upsert=True)
            number, in_doubt = number + 1, False
        except ConnectionFailure:  # the write may be there all the same, so it is repeated
            in_doubt = True
            if victim not in mortal.processes:
                mortal.start(victim)
    if victim not in mortal.processes:
        mortal.start(victim)
    wait_for(lambda: is_right(doomed), "every vector, once", despite=ConnectionFailure)
    assert doomed.count_documents({}) == min(number, 400)
    assert is_right(doomed, filter={"kind": 1})


def test_writes_while_the_proxy_was_away(mortal: Atlas, doomed: Documents) -> None:
    create_index(doomed)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    assert mortal.kill("atlas", signal.SIGTERM) == 0
    behind = mortal.direct.test[doomed.name]
    insert(behind, 50, 150)
    behind.delete_many({"_id": {"$lt": 10}})
    behind.update_one({"_id": 20}, {"$set": {"embedding": binary(ROWS[0])}})
    behind.update_one({"_id": 20}, {"$set": {"embedding": binary(ROWS[20])}})
    mortal.start("atlas")
    assert is_right(doomed)
    assert f"{doomed.name}: 140 documents" not in mortal.log("atlas")  # resumed, not scanned


def test_dropped_while_the_proxy_was_away(mortal: Atlas, doomed: Documents) -> None:
    create_index(doomed)
    insert(doomed, 0, 20)
    mortal.kill("atlas")
    behind = mortal.direct.test[doomed.name]
    behind.drop()
    insert(behind, 0, 5)
    mortal.start("atlas")
    wait_for(
        lambda: list(doomed.list_search_indexes()) == [], "no index", despite=ConnectionFailure
    )
    create_index(doomed)
    assert is_right(doomed)


def test_the_token_is_gone(mortal: Atlas, doomed: Documents) -> None:
    """A token that the server does not take: the collection is scanned."""
    create_index(doomed)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    rows = store_of(mortal, doomed) / "rows.sqlite"
    mortal.kill("atlas", signal.SIGTERM)
    behind = mortal.direct.test[doomed.name]
    behind.delete_many({"_id": {"$lt": 25}})
    insert(behind, 50, 60)
    with closing(sqlite3.connect(rows)) as db, db:
        spoilt = bson.encode({"_data": "00"})
        db.execute("UPDATE meta SET value = ? WHERE key = 'token'", (spoilt,))
    mortal.start("atlas")
    wait_for(lambda: is_right(doomed), "the index as it is now", despite=ConnectionFailure)
    wait_for(lambda: f"{doomed.name}: 35 documents" in mortal.log("atlas"), "the scan's end")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "database"])
def test_damage_on_disk_is_noticed(mortal: Atlas, doomed: Documents, damage: str) -> None:
    create_index(doomed)
    insert(doomed, 0, 50)
    assert is_right(doomed)
    directory = store_of(mortal, doomed)
    mortal.kill("atlas", signal.SIGTERM)
    vectors = directory / "vectors.f32"
    if damage == "truncated":
        vectors.write_bytes(vectors.read_bytes()[:100])
    elif damage == "flipped":
        vectors.write_bytes(vectors.read_bytes().replace(ROWS[7].tobytes(), ROWS[8].tobytes()))
    else:
        (directory / "rows.sqlite").write_bytes(b"no database" * 100)
    mortal.start("atlas")
    wait_for(lambda: is_right(doomed), "the index made anew", despite=ConnectionFailure)
    assert "damaged" in mortal.log("atlas")
    wait_for(lambda: f"{doomed.name}: 50 documents" in mortal.log("atlas"), "the scan's end")


def test_a_damaged_catalog_is_set_aside(mortal: Atlas, doomed: Documents) -> None:
    """Whoever needs the indexes creates them again."""
    create_index(doomed)
    insert(doomed, 0, 50)
    mortal.kill("atlas", signal.SIGTERM)
    catalog = mortal.directory / "atlas" / "catalog.sqlite"
    catalog.write_bytes(b"no database" * 100)
    mortal.start("atlas")
    assert list(doomed.list_search_indexes()) == []
    assert f"{catalog} is damaged" in mortal.log("atlas")
    create_index(doomed)
    assert is_right(doomed)
    assert catalog.with_suffix(".damaged").exists()


def test_an_index_that_was_being_built(mortal: Atlas, doomed: Documents) -> None:
    insert(doomed, 0, 400)
    model = SearchIndexModel({"fields": [vector_field()]}, "vector_index", "vectorSearch")
    doomed.create_search_index(model)
    mortal.kill("atlas")
    mortal.start("atlas")
    wait_queryable(doomed)
    assert is_right(doomed)


def test_the_server_is_away(mortal: Atlas, doomed: Documents) -> None:
    """Clients are told so by a closed connection, and find it again."""
    create_index(doomed)
    insert(doomed, 0, 20)
    mortal.kill("secantus")
    with pytest.raises(ConnectionFailure):
        doomed.find_one({})
    with pytest.raises(ConnectionFailure):
        ids(doomed, ROWS[0])
    mortal.start("secantus")
    wait_for(lambda: is_right(doomed), "every vector again", despite=ConnectionFailure)
    insert(doomed, 20, 40)
    assert is_right(doomed)

"""Searches of the app keep within the clauses that MongoDB allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo.collection import Collection

from allthethings.replicate.predictions import DIMENSIONS
from allthethings.store.conditions import Scope
from allthethings.store.indexes import SEARCH_INDEXES
from allthethings.store.passage_index import MAX_WORDS, SEARCH_INDEX, VECTOR_INDEX, PassageIndex
from tests.localcloud.atlas.server import Atlas, wait_queryable

# More than the 1,024 clauses that a query may have.
THINGS = 1100
VECTOR = [1.0] + [0.0] * (DIMENSIONS - 1)


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection[dict[str, Any]]]:
    """One passage of each of many things, with the indexes of the app."""
    servers = Atlas(tmp_path_factory.mktemp("atlas"))
    try:
        servers.start("secantus", "atlas")
        collection = servers.client.app.create_collection("passages")
        collection.create_search_indexes(list(SEARCH_INDEXES))
        embedding = Binary.from_vector(VECTOR, BinaryVectorDtype.FLOAT32)
        keys = [ObjectId() for _ in range(THINGS)]
        collection.insert_many(
            {
                "asset_id": key,
                "asset_key": str(key),
                "text": f"honeybees {n}",
                "embedding": embedding,
            }
            for n, key in enumerate(keys)
        )
        wait_queryable(collection, VECTOR_INDEX)
        wait_queryable(collection, SEARCH_INDEX)
        yield collection
    finally:
        servers.stop()


def test_scopes_of_more_things_than_clauses(passages: Collection[dict[str, Any]]) -> None:
    index = PassageIndex(passages)
    every = frozenset(index.things_with("honeybees", ()))
    assert len(every) == THINGS
    one, *others = sorted(every)
    for scope in (Scope(never=frozenset(others)), Scope(only=every, never=frozenset(others))):
        for found in (index.nearest(VECTOR, scope, 9), index.matching("honeybees", (), scope, 9)):
            assert [str(row["asset_id"]) for row in found] == [one]
    assert len(index.nearest(VECTOR, Scope(only=every), 9)) == 9
    assert len(index.matching("honeybees", (), Scope(only=every), 9)) == 9


@pytest.mark.parametrize(
    "query",
    [
        "honeybees " + " ".join(f"w{n}" for n in range(2000)),
        "honeybees " + " ".join(f"un-do.{n}" for n in range(2000)),
        "honeybees " + "".join(chr(0x4E00 + n) for n in range(2000)),
        "honeybees " * 2000,
    ],
    ids=["words", "parts", "ideographs", "one word"],
)
def test_long_queries(passages: Collection[dict[str, Any]], query: str) -> None:
    phrases = [f"exact phrase {n}" for n in range(20)]
    found = PassageIndex(passages).matching(query, phrases, Scope(), 9)
    assert len(found) == 9
    assert 2 * MAX_WORDS + 2 * len(phrases) < 1024

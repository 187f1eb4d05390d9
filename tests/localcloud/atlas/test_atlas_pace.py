"""An Atlas that builds and follows slowly, as the real one does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import OperationFailure
from pymongo.operations import SearchIndexModel

from tests.localcloud.atlas.server import Atlas, ids, matches, vector_field, wait_queryable
from tools.harness.waiting import wait_for

LAG, BUILD = 1.5, 2.0
QUERY = [0.0] * 8
LIGHT = {"text": {"query": "light", "path": "text"}}


def test_slow_indexes(tmp_path: Path) -> None:
    options = ["--search-lag", str(LAG), "--index-build", str(BUILD)]
    servers = Atlas(tmp_path, options=options)
    try:
        servers.start("secantus", "atlas")
        collection = servers.client.test.create_collection("slow")
        began = time.monotonic()
        words: dict[str, Any] = {"mappings": {"dynamic": True}}
        collection.create_search_indexes(
            [
                SearchIndexModel({"fields": [vector_field()]}, "vector_index", "vectorSearch"),
                SearchIndexModel(words, "default", "search"),
            ]
        )
        assert [each["status"] for each in collection.list_search_indexes()] == ["BUILDING"] * 2
        with pytest.raises(OperationFailure, match="while in state INITIAL_SYNC"):
            ids(collection, QUERY)
        wait_queryable(collection)
        wait_queryable(collection, "default")
        assert time.monotonic() - began >= BUILD

        def found() -> list[list[Any]]:
            return [ids(collection, QUERY), matches(collection, LIGHT)]

        written = time.monotonic()
        collection.insert_one({"_id": 1, "text": "light", "embedding": [1.0] * 8})
        before = found()
        if time.monotonic() - written < LAG:
            assert before == [[], []]
        wait_for(lambda: found() == [[1], [1]], "both searches to find it")
        assert time.monotonic() - written >= LAG - 0.1  # two clocks

        servers.kill("atlas")
        servers.start("atlas")
        wait_for(lambda: ids(collection, QUERY) == [1], "the index that is built already")
    finally:
        servers.stop()

"""MongoDB's and Replicate's clients for Node, given nothing but an address."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Script
from tests.localcloud.atlas.server import Atlas
from tests.localcloud.replicate.replicate_process import ECHO, SECRET, TOKEN, Server

pytestmark = pytest.mark.slow(
    "downloads 250 MB of clients for Node once; tests/localcloud has the same operations"
)


def test_mongodb(node: Script, atlas: Atlas) -> None:
    assert node("mongodb.mjs", f"mongodb://localhost:{atlas.port}/") == {
        "name of the server": [f"127.0.0.1:{atlas.port}"],
        "create search indexes": ["near", "words"],
        "list search indexes": ["near", "words"],
        "insert": 4,
        "$vectorSearch": [0, 1, 2],
        "$search": [1, 2],
        "$search in another order": [2, 1],
        "facets": [{"_id": 0, "count": 1}, {"_id": 1, "count": 3}],
        "$searchMeta": 2,
        "$unionWith a search": [0, 1],
        "cursor in batches": [0, 1, 2],
        "transaction": 5,
        "change stream": "update",
        "update a search index": None,
        "drop a search index": None,
        "drop one of a missing collection": None,
    }


def test_mongoose(node: Script, atlas: Atlas) -> None:
    assert node("mongoose.mjs", f"mongodb://localhost:{atlas.port}/") == {
        "create search indexes": None,
        "list search indexes": ["near", "words"],
        "insert": 4,
        "$vectorSearch": [0, 1, 2],
        "$search": [1, 2],
        "save and search": [0],
        "drop a search index": None,
    }


def test_mongosh(mongosh: Script, atlas: Atlas) -> None:
    assert mongosh("mongosh.js", f"mongodb://localhost:{atlas.port}/clients") == {
        "name of the server": f"127.0.0.1:{atlas.port}",
        "rs.status()": [f"127.0.0.1:{atlas.port}"],
        "create search indexes": ["words", "near"],
        "list search indexes": ["near", "words"],
        "insert": {"0": 1, "1": 2},
        "$search": [1],
        "zero vector": (
            "MongoServerError: PlanExecutor error during aggregation :: caused by ::"
            " a zero vector has no cosine similarity to anything"
        ),
        "$vectorSearch": [2, 1],
        "show collections": True,
    }


def test_replicate(node: Script, replicate: Server) -> None:
    report = node("replicate.mjs", replicate.url, "tests/echo", ECHO, REPLICATE_API_TOKEN=TOKEN)
    assert report == {
        "account": "local",
        "models.get": "echo",
        "models.list": True,
        "models.versions.list": [ECHO],
        "run": "a",
        "run by polling": "b",
        "predictions.create and wait": "c",
        "predictions.cancel": "canceled",
        "predictions.list": True,
        "files.create": {"a": 1},
        "files.list and delete": [11, True],
        "a file as input": "from a file",
        "webhooks secret": SECRET,
    }

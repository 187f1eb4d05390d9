"""LangChain, LlamaIndex and version 2 of Replicate's SDK, each in an environment of its own."""

from __future__ import annotations

import pytest

from tests.clients.conftest import python
from tests.localcloud.atlas.server import Atlas
from tests.localcloud.replicate.replicate_process import ECHO, SECRET, TOKEN, Server

pytestmark = pytest.mark.slow(
    "downloads 500 MB of clients for Python once; tests/localcloud has the same operations"
)


def test_langchain(atlas: Atlas) -> None:
    run = python("langchain-mongodb==0.12.1")
    assert run("use_langchain.py", f"mongodb://localhost:{atlas.port}/") == {
        "create an index": None,
        "add texts": 4,
        "similarity search": ["a light house"],
        "with scores": 1.0,
        "with a filter": ["a light house", "a calm sea"],
        "maximal marginal relevance": 2,
        "hybrid retriever": ["a light house", "a calm sea"],
        "full-text retriever": ["a light house", "the light"],
        "delete": True,
        "search after it": False,
    }


def test_llama_index(atlas: Atlas) -> None:
    run = python("llama-index-vector-stores-mongodb==0.11.0")
    assert run("use_llama_index.py", f"mongodb://localhost:{atlas.port}/") == {
        "create indexes": None,
        "add": 4,
        "vector query": "a light house",
        "with a filter": ["its keepers"],
        "text query": ["a light house", "the light"],
        "hybrid query": ["a light house", "a calm sea"],
        "delete": None,
        "query after it": False,
    }


@pytest.mark.parametrize("path", ["", "/v1"])
def test_replicate_2(replicate: Server, path: str) -> None:
    """With the base URL that version 1 takes, and with its own."""
    run = python("replicate==2.0.0b4")
    settings = {"REPLICATE_API_TOKEN": TOKEN, "REPLICATE_BASE_URL": replicate.url + path}
    assert run("use_replicate.py", "tests/echo", ECHO, **settings) == {
        "account": "local",
        "models.get": "echo",
        "models.list": True,
        "models.versions.list": [ECHO],
        "run": "a",
        "predictions.create and wait": {"said": "c", "suffix": None},
        "predictions.cancel": "canceled",
        "predictions.list": True,
        "files.create": {"a": "1"},
        "files.list": 5,
        "a file as input": "from a file",
        "webhooks secret": SECRET,
    }

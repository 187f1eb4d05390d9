"""Fixtures: one server for the tests that do it no harm, and one of its own for those that do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from replicate.client import Client

from tests.replicate.world import MODELS, Receiver, Server


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("replicate") / "data",
        "--webhook-pause",
        "0.1",
        FETCH_ALLOW="127.0.0.1",
    )
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def client(shared: Server) -> Client:
    return shared.client()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill, of the model `echo` alone. Not started."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "echo").symlink_to(MODELS / "echo")
    server = Server(tmp_path / "data", "--webhook-pause", "0.5", models=tmp_path / "models")
    yield server
    server.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()

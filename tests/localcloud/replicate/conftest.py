"""Fixtures: one server for the tests that do it no harm, and one of its own for those that do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from replicate.client import Client

from tests.localcloud.replicate.replicate_process import MODELS, Receiver, Server


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


@pytest.fixture(scope="session")
def echo_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with one in it."""
    models = tmp_path_factory.mktemp("models")
    (models / "echo").symlink_to(MODELS / "echo")
    return models


@pytest.fixture
def make_server(
    tmp_path: Path, shared: Server, echo_alone: Path
) -> Iterator[Callable[..., Server]]:
    """Makes a server of the model `echo`, with options and environment, and starts it.

    It finds the model's schema as a server's second start does.
    """
    made = []

    def make(*options: str, **environment: str) -> Server:
        made.append(Server(tmp_path / "data", *options, models=echo_alone, **environment))
        shutil.copytree(shared.folder / "models", tmp_path / "data" / "models", symlinks=True)
        return made[-1].start()

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def own(make_server: Callable[..., Server]) -> Server:
    """A server that the test may kill."""
    return make_server("--webhook-pause", "0.5")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()

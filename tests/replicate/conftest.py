"""Fixtures: one server for the tests that do it no harm, and one of its own for those that do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from replicate.client import Client

from tests.replicate.world import MODELS, Receiver, Server, until


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
def make_server(tmp_path: Path, echo_alone: Path) -> Iterator[Callable[..., Server]]:
    """Makes a server of the model `echo`, with options and environment, and starts it."""
    made = []

    def make(*options: str, **environment: str) -> Server:
        made.append(Server(tmp_path / "data", *options, models=echo_alone, **environment))
        return made[-1].start()

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def mortal(tmp_path_factory: pytest.TempPathFactory, echo_alone: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("victim") / "data"
    server = Server(folder, "--webhook-pause", "0.5", models=echo_alone)
    yield server
    if server.process is not None:
        server.stop()


@pytest.fixture
def own(mortal: Server) -> Server:
    """A server of the model `echo` that the test may kill."""
    if mortal.process is None or mortal.process.poll() is not None:
        mortal.start()
    until(mortal.healthy)
    return mortal


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()

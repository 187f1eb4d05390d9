"""The real local database, without the proxy that adds the searches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import count

import pytest
from pymongo import monitoring

from allthethings.errors import ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.replicate.client import ReplicateClient
from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from tests.faults.apart import NOWHERE, pipeline_of
from tools.harness.waiting import wait_for

fresh = count()


class Commands(monitoring.CommandListener):
    """Keeps the names of the commands that a client sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing is kept of answers."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """As `succeeded`."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    folder, port = tmp_path_factory.mktemp("secantus"), pick_port()
    process = spawn(Program("secantus", secantus_argv(port, folder / "db"), folder / "log"))
    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    database = Database(uri, "ready")

    def ready() -> bool:
        with contextlib.suppress(ServiceUnavailable):
            database.check()
            return True
        return False

    try:
        wait_for(ready, "the server")
        yield uri
    finally:
        database.close()
        process.terminate()
        process.wait(20)


@pytest.fixture
def database(server: str) -> Iterator[Database]:
    """A database of its own for each test."""
    database = Database(server, f"of-test-{next(fresh)}")
    yield database
    database.close()


@pytest.fixture
def steps(database: Database) -> Iterator[Pipeline]:
    """The app's own steps, with no Replicate."""
    with contextlib.closing(ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")) as replicate:
        yield pipeline_of(database, replicate, NOWHERE, "127.0.0.1")

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pymongo.collection import Collection

from tests.localcloud.secantus.servers import PLANNED, UNPLANNED, Document, Server

_numbers = itertools.count()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """One with our planner, one with SecantusDB's own."""
    with ExitStack() as running:
        both = []
        for program in (PLANNED, UNPLANNED):
            server = Server(tmp_path_factory.mktemp("secantus"), program)
            running.callback(server.stop)
            both.append(server)
        for server in both:
            server.wait()
        yield both[0], both[1]


@pytest.fixture
def pair(servers: tuple[Server, Server]) -> tuple[Collection[Document], Collection[Document]]:
    """Two empty collections of the same name, the first on the server with our planner."""
    name = f"c{next(_numbers)}"
    return servers[0].collection(name), servers[1].collection(name)


@pytest.fixture
def collection(pair: tuple[Collection[Document], Collection[Document]]) -> Collection[Document]:
    """An empty collection on the server with our planner."""
    return pair[0]

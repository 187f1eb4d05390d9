from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection

from tests.localcloud.atlas.server import Atlas

_numbers = itertools.count()


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """One pair of servers for the tests that leave them running."""
    yield from _run(tmp_path_factory.mktemp("atlas"))


@pytest.fixture(scope="module")
def mortal_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    yield from _run(tmp_path_factory.mktemp("mortal"))


@pytest.fixture
def mortal(mortal_pair: Atlas) -> Iterator[Atlas]:
    """A pair of servers that a test may kill."""
    yield mortal_pair
    mortal_pair.start(*({"secantus", "atlas"} - set(mortal_pair.processes)))


@pytest.fixture
def doomed(mortal: Atlas) -> Collection[dict[str, Any]]:
    """An empty collection on it."""
    return mortal.client.test.create_collection(f"c{next(_numbers)}")


def _run(directory: Path) -> Iterator[Atlas]:
    servers = Atlas(directory)
    try:
        servers.start("secantus", "atlas")
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def collection(atlas: Atlas) -> Iterator[Collection[dict[str, Any]]]:
    """An empty collection of its own, dropped afterwards: each index costs a follower."""
    collection = atlas.client.test.create_collection(f"c{next(_numbers)}")
    yield collection
    collection.drop()

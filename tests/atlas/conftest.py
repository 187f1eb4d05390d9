from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection

from tests.atlas.server import Atlas

_numbers = itertools.count()


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """One pair of servers for the tests that leave them running."""
    yield from _run(tmp_path_factory.mktemp("atlas"))


@pytest.fixture
def own_atlas(tmp_path: Path) -> Iterator[Atlas]:
    """A pair of servers to kill."""
    yield from _run(tmp_path)


def _run(directory: Path) -> Iterator[Atlas]:
    servers = Atlas(directory)
    try:
        servers.start("secantus", "atlas")
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def collection(atlas: Atlas) -> Collection[dict[str, Any]]:
    """An empty collection of its own."""
    return atlas.client.test.create_collection(f"c{next(_numbers)}")

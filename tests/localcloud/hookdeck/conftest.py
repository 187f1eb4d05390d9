from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.hookdeck.gateway_process import Gateway, Receiver


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for the tests that do not stop it; each uses connections of its own."""
    with Gateway(tmp_path_factory.mktemp("hookdeck")) as gateway:
        yield gateway


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that the test may kill."""
    with Gateway(tmp_path / "data") as gateway:
        yield gateway


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()

"""A model that runs several predictions at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from replicate.client import Client

from tests.localcloud.replicate.replicate_process import MODELS, Server
from tools.harness.waiting import wait_for

CROWD = "c1" * 32
# More than ever run at once.
NEVER = 99


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = tmp_path_factory.mktemp("models")
    (models / "crowd").symlink_to(MODELS / "crowd")
    server = Server(tmp_path_factory.mktemp("crowd") / "data", models=models).start()
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Client:
    return server.client()


def test_several_run_at_once_and_a_place_is_kept(client: Client) -> None:
    waiting = [client.predictions.create(CROWD, {"company": 4}) for _ in range(5)]
    assert client.run(f"tests/crowd:{CROWD}", input={"company": 4}) == 4
    for prediction in waiting:
        prediction.wait()
        assert prediction.output == 4


def test_one_is_cancelled_and_the_others_go_on(client: Client, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    endless = client.predictions.create(CROWD, {"company": NEVER, "diary": str(diary)})
    wait_for(diary.exists, "a prediction that runs")
    endless.cancel()
    assert client.run(f"tests/crowd:{CROWD}", input={"company": 1})
    endless.reload()
    assert endless.status == "canceled"


def test_one_that_kills_the_model_ends_no_other(client: Client, tmp_path: Path) -> None:
    """Those that ran beside it are run again, each alone."""
    diary = tmp_path / "diary"
    deadly = client.predictions.create(CROWD, {"die": True, "company": 1, "diary": str(diary)})
    others = [client.predictions.create(CROWD, {"company": 1}) for _ in range(5)]
    for prediction in (deadly, *others):
        prediction.wait()
    assert [each.status for each in others] == ["succeeded"] * 5
    assert deadly.status == "failed"
    assert "stopped 4 times" in str(deadly.error)
    assert diary.read_text().splitlines() == ["1"] * 4

"""kill -9 of everything, at the worst moment."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.ports import INNER_PORTS
from tests.localcloud.replicate.replicate_process import BROKEN_MODELS, ECHO, Receiver, Server, said
from tools.harness.waiting import wait_for


def test_the_server_is_killed(own: Server, receiver: Receiver, tmp_path: Path) -> None:
    """A running and a queued prediction finish once after the restart; webhooks arrive."""
    diary = tmp_path / "diary"
    client = own.client()
    given: Any = {"mode": "sleep", "seconds": 1.5, "diary": str(diary)}
    hook: Any = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
    running = client.predictions.create(ECHO, given, **hook)
    queued = client.predictions.create(ECHO, {"text": "queued"}, **hook)
    wait_for(diary.exists, "a prediction that runs")
    cog = own.cog("echo")
    own.kill()
    if sys.platform == "linux":
        wait_for(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in cog), "the end of the model"
        )
    own.start()
    running.wait()
    queued.wait()
    assert (running.status, queued.status) == ("succeeded", "succeeded")
    wait_for(lambda: len(receiver.received) == 2, "both webhooks")
    assert receiver.statuses() == ["succeeded", "succeeded"]
    assert {one["id"] for one in receiver.payloads()} == {running.id, queued.id}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a process's environment")
def test_no_outgoing_connection_can_take_the_port_of_a_model_that_starts_again(
    shared: Server,
) -> None:
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in shared.cog("echo")]
    ports = [int(port) for port in re.findall(rb"(?:^|\0)PORT=(\d+)\0", b"".join(environments))]
    assert ports
    assert all(port in INNER_PORTS for port in ports)


def test_a_webhook_survives_the_server(own: Server, receiver: Receiver) -> None:
    receiver.answers = [503]
    client = own.client()
    done = client.predictions.create(
        ECHO, {}, webhook=receiver.url, webhook_events_filter=["completed"]
    )
    wait_for(lambda: len(receiver.received) == 1, "the webhook")
    own.kill()
    own.start()
    wait_for(lambda: len(receiver.received) == 2, "the webhook again")
    assert {one["id"] for one in receiver.payloads()} == {done.id}


@pytest.mark.parametrize("victim", [0, 1], ids=["server", "worker"])
def test_a_model_is_killed(own: Server, tmp_path: Path, victim: int) -> None:
    diary = tmp_path / "diary"
    client = own.client()
    given: Any = {"mode": "sleep", "seconds": 1, "diary": str(diary)}
    running = client.predictions.create(ECHO, given)
    wait_for(diary.exists, "a prediction that runs")
    os.kill(own.cog("echo")[victim], signal.SIGKILL)
    running.wait()
    assert running.status == "succeeded"
    assert len(diary.read_text().splitlines()) == 2
    wait_for(lambda: len(own.cog("echo")) == 2, "the model started again")


def test_an_idle_model_is_killed(own: Server) -> None:
    client = own.client()
    for victim in (0, 1):
        os.kill(own.cog("echo")[victim], signal.SIGKILL)
        assert said(client.run("tests/echo", input={"text": "a"})) == "a"
        wait_for(lambda: len(own.cog("echo")) == 2, "the model started again")


def test_a_prediction_that_kills_its_model(own: Server, tmp_path: Path) -> None:
    """It is tried four times; others go on."""
    diary = tmp_path / "diary"
    client = own.client()
    deadly = client.predictions.create(ECHO, {"mode": "die", "diary": str(diary)})
    harmless = client.predictions.create(ECHO, {"text": "after"})
    wait_for(
        lambda: client.predictions.get(harmless.id).status == "succeeded",
        "the other prediction",
    )
    deadly.reload()
    assert deadly.status == "failed"
    assert "stopped 4 times" in str(deadly.error)
    assert len(diary.read_text().splitlines()) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a process's memory")
def test_a_prediction_that_takes_all_memory(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    """It is stopped and not tried again; others go on."""
    diary = tmp_path / "diary"
    client = make_server("--model-memory", "0.4").client()
    greedy = client.predictions.create(ECHO, {"mode": "eat", "diary": str(diary)})
    assert said(client.run("tests/echo", input={"text": "after"})) == "after"
    greedy.reload()
    assert greedy.status == "failed"
    assert greedy.error == "The model ran out of memory: it used more than 0.4 GiB. (E1001)"
    assert len(diary.read_text().splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how willing a process is to die")
def test_the_kernel_takes_a_model_first(shared: Server) -> None:
    for pid in shared.cog("echo"):
        assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 500


def test_health_names_the_model_that_is_away(own: Server) -> None:
    os.kill(own.cog("echo")[0], signal.SIGKILL)
    wait_for(lambda: _failing(own) == ["tests/echo"], "the model that is away")
    wait_for(own.healthy, "the model back")


@pytest.mark.slow("starts a server of its own with a model that fails again and again: 8 s")
def test_a_model_that_cannot_be_set_up(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", models=BROKEN_MODELS).start(ready=False)
    try:
        hopeless = server.client().predictions.create("tests/broken", {})
        hopeless.wait()
        assert hopeless.status == "failed"
        reason = "The model could not be set up: RuntimeError: no weights here"
        assert hopeless.error == reason
        health = server.health()
        assert health is not None
        assert health.status_code == 503
        assert health.json()["reasons"] == {"tests/broken": reason}
    finally:
        assert server.stop() == 0


def _failing(server: Server) -> Any:
    answer = server.health()
    return answer.json()["failing"] if answer is not None else None


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "replicate.sqlite3"
    path.write_bytes(b"no database " * 1000)
    process = Server(tmp_path).launch()
    assert process.wait(60) == 1
    last = (tmp_path / "server.log").read_text().splitlines()[-1]
    assert last.startswith(f"{path} is damaged (file is not a database). Restore it")

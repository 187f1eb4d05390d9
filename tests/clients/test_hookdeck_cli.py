"""The Hookdeck CLI logs in at the local gateway and carries its deliveries, as in the tutorial."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.hookdeck.signing import signature
from tests.localcloud.hookdeck.gateway_process import (
    API_KEY,
    PROVIDER_SECRET,
    SECRET,
    Gateway,
    Receiver,
    Reply,
    signed,
)
from tools.harness.waiting import wait_for

pytestmark = pytest.mark.slow("downloads the clients for Node once; no other test runs the CLI")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="session")
def cli(node_modules: Path) -> Path:
    """The program, which the package brings for each platform."""
    name = f"{platform.system().lower()}-{MACHINES[platform.machine()]}"
    return node_modules / "hookdeck-cli" / "binaries" / name / "hookdeck"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("hookdeck")) as gateway:
        yield gateway


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


class Cli:
    """The program with a configuration of its own."""

    def __init__(self, program: Path, gateway: Gateway, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._flags = ["--api-base", gateway.url, "--hookdeck-config", str(folder / "config.toml")]
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "HOOKDECK_CLI_TELEMETRY_OPTOUT": "1",
        }

    def run(self, *words: str) -> str:
        ended = subprocess.run(
            [str(self._program), *words, *self._flags],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def listen(self, gateway: Gateway, port: str) -> subprocess.Popen[bytes]:
        socket = gateway.url.replace("http", "ws") + "/"
        flags = ["--ws-base", socket, "--no-wss", "--output", "compact", *self._flags]
        with (self._folder / "listen.log").open("wb") as log:
            return subprocess.Popen(
                [str(self._program), "listen", port, "*", *flags],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def connect(gateway: Gateway) -> dict[str, object]:
    """What the app's script asks for where Hookdeck cannot reach the app."""
    found: dict[str, object] = gateway.call(
        "PUT",
        "/connections",
        {
            "name": "embedding",
            "source": {
                "name": "embedding",
                "type": "REPLICATE",
                "config": {"auth": {"webhook_secret_key": PROVIDER_SECRET}},
            },
            "destination": {
                "name": "cli-embedding",
                "type": "CLI",
                "config": {"path": "/webhooks/embedding"},
            },
            "rules": [{"type": "retry", "strategy": "linear", "interval": 20_000, "count": 50}],
        },
    )
    return found


def test_listen_carries_the_deliveries(
    cli: Path, gateway: Gateway, receiver: Receiver, tmp_path: Path
) -> None:
    connection = connect(gateway)
    program = Cli(cli, gateway, tmp_path)
    assert "local" in program.run("ci", "--api-key", API_KEY)
    body = json.dumps({"id": "p1", "text": "naïve ☃"}, ensure_ascii=False).encode()

    gateway.send(connection, body, "/early", headers=signed(body))
    waiting = gateway.event_with(connection, "FAILED", error_code="CLI_UNAVAILABLE")
    listening = program.listen(gateway, receiver.url.rpartition(":")[2])
    try:
        [early] = receiver.wait_for(1)
        assert early.target == "/webhooks/embedding/early"
        assert early.body == body
        assert early.headers["x-hookdeck-signature"] == signature(SECRET, body)
        assert early.headers["x-hookdeck-eventid"] == waiting["id"]
        gateway.event_with(connection, "SUCCESSFUL", response_status=200)

        receiver.replies.put(Reply(503))
        gateway.send(connection, body, "/again?x=1", headers=signed(body))
        _, *both = receiver.wait_for(3)
        assert [one.target for one in both] == ["/webhooks/embedding/again?x=1"] * 2
        newest = gateway.events(connection)[0]["id"]
        wait_for(
            lambda: [one["response_status"] for one in gateway.attempts(newest)] == [503, 200],
            "both attempts",
        )
    finally:
        listening.terminate()
        listening.wait(20)
    gateway.send(connection, body, "/late", headers=signed(body))
    wait_for(
        lambda: gateway.events(connection)[0]["error_code"] == "CLI_UNAVAILABLE",
        "an event that nobody takes",
    )


def test_lists(cli: Path, gateway: Gateway, tmp_path: Path) -> None:
    connect(gateway)
    program = Cli(cli, gateway, tmp_path)
    program.run("ci", "--api-key", API_KEY)
    assert "embedding" in program.run("gateway", "connection", "list")
    assert "embedding" in program.run("gateway", "source", "list")

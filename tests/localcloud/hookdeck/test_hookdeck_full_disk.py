"""A full disk: what cannot be kept is not accepted, and what was accepted is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.hookdeck.gateway_process import Gateway, Receiver, Reply
from tests.support.small_disk import SmallDisk, small_disk
from tools.harness.waiting import wait_for

RETRY = {"type": "retry", "strategy": "linear", "count": 50, "interval": 50_000}
ACCEPTED = 200
BODY = b"x" * 20_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 64) as disk:
        yield disk


def test_what_is_accepted_around_a_full_disk_is_delivered(
    tmp_path: Path, disk: SmallDisk, receiver: Receiver
) -> None:
    with Gateway(tmp_path, disk=disk) as gateway:
        connection = gateway.connect(receiver.url, RETRY)
        receiver.reply = Reply(503)
        accepted = {gateway.send(connection, BODY) for _ in range(5)}
        receiver.wait_for(5)
        refused = 0
        for _ in range(2):
            disk.fill()
            for _ in range(20):
                answer = gateway.web.post(connection["source"]["url"], content=BODY)
                if answer.status_code == ACCEPTED:
                    accepted.add(answer.json()["request_id"])
                else:
                    refused += 1
            disk.empty()
            wait_for(
                lambda: gateway.web.get(f"{gateway.url}/healthz").status_code == ACCEPTED, "health"
            )
            accepted.add(gateway.send(connection, BODY))
        assert refused
        receiver.reply = Reply()

        def delivered() -> bool:
            events = gateway.events(connection, limit=250)
            done = {each["request_id"] for each in events if each["status"] == "SUCCESSFUL"}
            return accepted <= done

        wait_for(delivered, "every accepted request delivered")
        assert gateway.process is not None
        assert gateway.process.poll() is None

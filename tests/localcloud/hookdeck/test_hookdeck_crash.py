"""kill -9 and restarts: what was accepted is delivered, whatever happens to the process."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from localcloud.hookdeck.delivery import CONCURRENCY
from localcloud.ports import pick_port
from tests.localcloud.hookdeck.gateway_process import Gateway, Receiver, Reply
from tools.harness.waiting import wait_for

RETRY = {"type": "retry", "strategy": "linear", "count": 5, "interval": 50_000}


def test_killed_between_acceptance_and_delivery(own_gateway: Gateway, receiver: Receiver) -> None:
    gateway = own_gateway
    busy = gateway.connect(receiver.url, name="busy")
    hold = threading.Event()
    receiver.reply = Reply(hold=hold)
    for _ in range(CONCURRENCY):
        gateway.send(busy)
    receiver.wait_for(CONCURRENCY)
    request = gateway.send(busy, b"\xffkept", "/a?b=c", headers={"x-p": "1"})
    gateway.kill()
    hold.set()
    gateway.start()
    seen = receiver.wait_for(2 * CONCURRENCY + 1)
    [kept] = [one for one in seen if one.headers["x-hookdeck-requestid"] == request]
    assert (kept.body, kept.target, kept.headers["x-p"]) == (b"\xffkept", "/a?b=c", "1")
    assert kept.headers["x-hookdeck-attempt-count"] == "1"


def test_killed_during_an_attempt(own_gateway: Gateway, receiver: Receiver) -> None:
    gateway = own_gateway
    hold = threading.Event()
    receiver.replies.put(Reply(hold=hold))
    connection = gateway.connect(receiver.url)
    gateway.send(connection)
    receiver.wait_for(1)
    gateway.kill()
    hold.set()
    gateway.start()
    first, second = receiver.wait_for(2)
    assert first.headers["x-hookdeck-eventid"] == second.headers["x-hookdeck-eventid"]
    assert second.headers["x-hookdeck-attempt-count"] == "1"
    gateway.event_with(connection, "SUCCESSFUL", attempts=1)


def test_schedules_survive(own_gateway: Gateway, receiver: Receiver) -> None:
    gateway = own_gateway
    receiver.replies.put(Reply(500))
    connection = gateway.connect(receiver.url, {**RETRY, "interval": 300_000})
    gateway.send(connection)
    before = gateway.event_with(connection, "FAILED", attempts=1)
    gateway.kill()
    gateway.start()
    [after] = gateway.events(connection)
    if after["status"] == "FAILED":
        assert after["next_attempt_at"] == before["next_attempt_at"]
    gateway.event_with(connection, "SUCCESSFUL", attempts=2)
    first, second = receiver.deliveries
    assert second.at - first.at > 2.9
    assert second.headers["x-hookdeck-attempt-trigger"] == "AUTOMATIC"


def test_killed_under_load(own_gateway: Gateway, receiver: Receiver) -> None:
    """Every request that was answered 200 before a kill is delivered after it."""
    gateway = own_gateway
    connection = gateway.connect(receiver.url, RETRY)
    accepted: set[int] = set()
    numbers = iter(range(100_000))
    done = threading.Event()

    def send_until_done() -> None:
        with httpx.Client(trust_env=False) as client:
            while not done.is_set():
                number = next(numbers)
                try:
                    answer = client.post(connection["source"]["url"], content=b"%d" % number)
                except httpx.TransportError:
                    done.wait(0.01)
                    continue
                if answer.status_code == 200:
                    accepted.add(number)

    def accepted_at_least(goal: int) -> Callable[[], bool]:
        return lambda: len(accepted) >= goal

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send_until_done) for _ in range(4)]
        for goal in (50, 150, 250):
            wait_for(accepted_at_least(goal), "requests accepted")
            gateway.kill()
            gateway.start()
        done.set()
        for sender in senders:
            sender.result()
    wait_for(
        lambda: not accepted - {int(seen.body) for seen in list(receiver.deliveries)},
        "every accepted request delivered",
    )
    wait_for(lambda: gateway.events(connection, status="QUEUED", limit=1) == [], "an empty queue")


def test_a_clean_stop_finishes_the_attempt_under_way(
    own_gateway: Gateway, receiver: Receiver
) -> None:
    gateway = own_gateway
    hold = threading.Event()
    receiver.replies.put(Reply(hold=hold))
    connection = gateway.connect(receiver.url)
    gateway.send(connection)
    receiver.wait_for(1)
    threading.Timer(0.3, hold.set).start()
    gateway.stop()
    gateway.start()
    gateway.event_with(connection, "SUCCESSFUL", attempts=1)
    assert len(receiver.deliveries) == 1


def test_the_configuration_survives_and_follows_the_port(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        before = gateway.connect("http://127.0.0.1:9/", RETRY, name="kept")
    with Gateway(tmp_path) as gateway:
        [after] = gateway.call("GET", "/connections")["models"]
        url = after["source"].pop("url")
        assert url == f"{gateway.url}/e/{after['source']['id']}"
        del before["source"]["url"]
        assert after == before


@pytest.mark.parametrize("missing", ["HOOKDECK_PROJECT_API_KEY", "HOOKDECK_WEBHOOK_SECRET"])
def test_no_start_without_its_secrets(tmp_path: Path, missing: str) -> None:
    env = {**os.environ, "HOOKDECK_PROJECT_API_KEY": "k", "HOOKDECK_WEBHOOK_SECRET": "s"}
    argv = [sys.executable, "-m", "localcloud.hookdeck", "--port", str(pick_port())]
    done = subprocess.run(
        [*argv, "--data-dir", str(tmp_path)],
        env={**env, missing: " "},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert missing in done.stderr

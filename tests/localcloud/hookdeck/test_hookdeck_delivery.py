"""Deliveries: headers, bytes, retries, attempts, limits."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Any

import pytest

from localcloud.hookdeck.delivery import CONCURRENCY
from localcloud.hookdeck.signing import signature
from tests.localcloud.hookdeck.gateway_process import SECRET, Gateway, Receiver, Reply, as_json
from tools.harness.waiting import wait_for


def retry(**changes: Any) -> dict[str, Any]:
    """A retry rule; the gateway of the tests runs intervals at a hundredth."""
    return {"type": "retry", "strategy": "linear", "count": 2, "interval": 1000, **changes}


def test_the_body_byte_for_byte_and_its_signature(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    body = bytes(range(256)) + b'{"a" :1,\r\n "b":"\xc3\xa9"}\x00'
    gateway.send(connection, body, headers={"content-type": "application/octet-stream"})
    [seen] = receiver.wait_for(1)
    assert seen.body == body
    assert seen.headers["x-hookdeck-signature"] == signature(SECRET, body)
    assert seen.headers["content-type"] == "application/octet-stream"


def test_the_headers_of_a_delivery(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    spoofed = {"x-hookdeck-verified": "true", "x-hookdeck-eventid": "evt_x", "te": "trailers"}
    request = gateway.send(connection, headers={"X-Provider": "kept", **spoofed})
    [seen] = receiver.wait_for(1)
    event = gateway.event_with(connection, "SUCCESSFUL")
    ours = {k: v for k, v in seen.headers.items() if k.startswith("x-hookdeck-")}
    del ours["x-hookdeck-signature"]
    assert ours == {
        "x-hookdeck-eventid": event["id"],
        "x-hookdeck-requestid": request,
        "x-hookdeck-source-name": connection["source"]["name"],
        "x-hookdeck-destination-name": connection["destination"]["name"],
        "x-hookdeck-connection-name": connection["name"],
        "x-hookdeck-verified": "false",
        "x-hookdeck-attempt-count": "1",
        "x-hookdeck-attempt-trigger": "INITIAL",
    }
    assert seen.headers["idempotency-key"] == event["id"]
    assert seen.headers["x-provider"] == "kept"
    assert "te" not in seen.headers
    assert seen.headers["host"] == receiver.url.removeprefix("http://")


def test_path_and_query_reach_the_destination(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(f"{receiver.url}/webhooks/embedding?k=v")
    gateway.send(connection, path="/64b/0-31/a%2Fb%20c?x=1&x=%C3%A9")
    [seen] = receiver.wait_for(1)
    assert seen.target == "/webhooks/embedding/64b/0-31/a%2Fb%20c?k=v&x=1&x=%C3%A9"
    event = gateway.event_with(connection, "SUCCESSFUL")
    request = gateway.call("GET", f"/requests/{event['request_id']}")
    assert request["data"]["path"] == "/64b/0-31/a%2Fb%20c"
    [attempt] = gateway.attempts(event["id"])
    assert attempt["requested_url"] == receiver.url + seen.target


@pytest.mark.parametrize(
    ("codes", "status", "attempts"),
    [
        (None, 500, 3),
        (None, 302, 3),
        (["!404"], 404, 1),
        (["!404"], 503, 3),
        (["500-599"], 502, 3),
        (["500-599"], 429, 1),
        (["404"], 404, 3),
        (["500-599", "!503"], 503, 1),
    ],
)
def test_which_answers_are_retried(
    gateway: Gateway, receiver: Receiver, codes: list[str] | None, status: int, attempts: int
) -> None:
    rule = retry() if codes is None else retry(response_status_codes=codes)
    receiver.reply = Reply(status)
    connection = gateway.connect(receiver.url, rule)
    gateway.send(connection)
    event = gateway.event_with(connection, "FAILED", next_attempt_at=None)
    assert event["attempts"] == attempts == len(receiver.deliveries)
    assert event["response_status"] == status
    assert event["error_code"] is None


def test_without_a_retry_rule_there_is_one_attempt(gateway: Gateway, receiver: Receiver) -> None:
    receiver.reply = Reply(503, {"retry-after": "0"})
    connection = gateway.connect(receiver.url)
    gateway.send(connection)
    event = gateway.event_with(connection, "FAILED")
    assert (event["attempts"], event["next_attempt_at"]) == (1, None)


def test_exponential_pauses_until_success(gateway: Gateway, receiver: Receiver) -> None:
    for status in (500, 503, 502):
        receiver.replies.put(Reply(status, body=as_json({"error": status})))
    rule = retry(strategy="exponential", count=5, interval=20000, response_status_codes=["!404"])
    connection = gateway.connect(receiver.url, rule)
    gateway.send(connection, b"same")
    seen = receiver.wait_for(4)
    event = gateway.event_with(connection, "SUCCESSFUL")
    pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(seen)]
    for pause, expected in zip(pauses, (0.2, 0.4, 0.8), strict=True):
        assert expected - 0.02 < pause < expected + 0.5
    assert {one.body for one in seen} == {b"same"}
    assert {one.headers["x-hookdeck-eventid"] for one in seen} == {event["id"]}
    assert [one.headers["x-hookdeck-attempt-count"] for one in seen] == ["1", "2", "3", "4"]
    attempts = gateway.attempts(event["id"])
    assert [one["trigger"] for one in attempts] == ["INITIAL"] + ["AUTOMATIC"] * 3
    assert [one["response_status"] for one in attempts] == [500, 503, 502, 200]
    assert [one["status"] for one in attempts] == ["FAILED"] * 3 + ["SUCCESSFUL"]
    assert [one["attempt_number"] for one in attempts] == [1, 2, 3, 4]
    assert attempts[0]["requested_url"] == f"{receiver.url}/"


def test_retry_after_replaces_the_interval(gateway: Gateway, receiver: Receiver) -> None:
    receiver.replies.put(Reply(503, {"retry-after": "50"}))  # half a second at the tests' scale
    receiver.replies.put(Reply(429, {"retry-after": "0"}))
    rule = retry(interval=3_600_000, count=2)
    connection = gateway.connect(receiver.url, rule)
    gateway.send(connection)
    waiting = gateway.event_with(connection, "FAILED", attempts=1)
    assert waiting["next_attempt_at"] is not None
    seen = receiver.wait_for(3)
    assert 0.48 < seen[1].at - seen[0].at < 1.0
    assert seen[2].at - seen[1].at < 0.4
    gateway.event_with(connection, "SUCCESSFUL")


def test_a_refused_connection_is_retried(gateway: Gateway, receiver: Receiver) -> None:
    port = int(receiver.url.rsplit(":", 1)[1])
    receiver.close()
    connection = gateway.connect(receiver.url, retry(count=50, response_status_codes=["500"]))
    gateway.send(connection)
    event = gateway.event_with(connection, "FAILED", error_code="CONNECTION_REFUSED")
    assert event["response_status"] is None
    revived = Receiver(port)
    gateway.event_with(connection, "SUCCESSFUL", error_code=None)
    revived.close()
    first = gateway.attempts(event["id"])[0]
    assert first["error_code"] == "CONNECTION_REFUSED"
    assert first["responded_at"] is None


def test_names_of_network_failures(gateway: Gateway, receiver: Receiver) -> None:
    receiver.reply = Reply(hang_up=True)
    hung_up = gateway.connect(receiver.url)
    gateway.send(hung_up)
    unknown = gateway.connect("http://no-such-host.invalid/")
    gateway.send(unknown)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        strange = gateway.connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        gateway.send(strange)
        peer, _ = listener.accept()
        peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
        gateway.event_with(strange, "FAILED", error_code="PROTOCOL_ERROR")
        peer.close()
    gateway.event_with(hung_up, "FAILED", error_code="SOCKET_CLOSED")
    gateway.event_with(unknown, "FAILED", error_code="DNS_LOOKUP_FAILED")


def test_a_long_answer_is_not_read_to_its_end(gateway: Gateway, receiver: Receiver) -> None:
    receiver.reply = Reply(200, body=b"x" * 10_000_000)
    connection = gateway.connect(receiver.url)
    gateway.send(connection)
    gateway.event_with(connection, "SUCCESSFUL")


def test_deliveries_at_once(gateway: Gateway, receiver: Receiver) -> None:
    hold = threading.Event()
    receiver.reply = Reply(hold=hold)
    connection = gateway.connect(receiver.url)
    for _ in range(20):
        gateway.send(connection)
    wait_for(lambda: receiver.under_way == CONCURRENCY, "as many at once as may be")
    hold.set()
    receiver.wait_for(20)
    assert receiver.most_under_way == CONCURRENCY


def test_a_slow_destination_holds_up_no_other(gateway: Gateway, receiver: Receiver) -> None:
    hold = threading.Event()
    receiver.reply = Reply(hold=hold)
    slow = gateway.connect(receiver.url)
    for _ in range(30):
        gateway.send(slow)
    other = Receiver()
    gateway.send(gateway.connect(other.url))
    other.wait_for(1)
    other.close()
    hold.set()
    receiver.wait_for(30)

"""What a person can do with events and requests: retry, bulk retry, replay."""

from __future__ import annotations

import threading
from typing import Any

from tests.localcloud.hookdeck.gateway_process import Gateway, Receiver, Reply
from tools.harness.waiting import wait_for

SLOW_RETRY = {"type": "retry", "strategy": "linear", "count": 3, "interval": 100_000_000}
FAST_RETRY = {"type": "retry", "strategy": "linear", "count": 2, "interval": 10_000}


def failed(gateway: Gateway, receiver: Receiver, *rules: Any) -> tuple[Any, Any]:
    """A connection and its one event, which has failed once; from now on all is well."""
    receiver.reply = Reply(500)
    connection = gateway.connect(receiver.url, *rules)
    gateway.send(connection)
    event = gateway.event_with(connection, "FAILED")
    receiver.reply = Reply()
    return connection, event


def test_a_manual_retry_keeps_the_event(gateway: Gateway, receiver: Receiver) -> None:
    connection, event = failed(gateway, receiver)
    queued = gateway.call("POST", f"/events/{event['id']}/retry")
    assert (queued["id"], queued["status"]) == (event["id"], "QUEUED")
    gateway.event_with(connection, "SUCCESSFUL", attempts=2)
    seen = receiver.deliveries
    assert [one.headers["x-hookdeck-eventid"] for one in seen] == [event["id"]] * 2
    assert seen[1].headers["x-hookdeck-attempt-trigger"] == "MANUAL"
    assert [one["trigger"] for one in gateway.attempts(event["id"])] == ["INITIAL", "MANUAL"]
    assert gateway.api.post("/events/evt_none/retry").status_code == 404


def test_a_manual_success_ends_the_automatic_retries(gateway: Gateway, receiver: Receiver) -> None:
    connection, event = failed(gateway, receiver, SLOW_RETRY)
    assert event["next_attempt_at"] is not None
    gateway.call("POST", f"/events/{event['id']}/retry")
    gateway.event_with(connection, "SUCCESSFUL", next_attempt_at=None)


def test_a_manual_failure_leaves_the_automatic_retries(
    gateway: Gateway, receiver: Receiver
) -> None:
    connection, event = failed(gateway, receiver, SLOW_RETRY)
    receiver.reply = Reply(500)
    gateway.call("POST", f"/events/{event['id']}/retry")
    after = gateway.event_with(connection, "FAILED", attempts=2)
    assert after["next_attempt_at"] == event["next_attempt_at"]


def test_manual_attempts_do_not_use_up_the_automatic_ones(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.reply = Reply(500)
    connection = gateway.connect(receiver.url, FAST_RETRY)
    gateway.send(connection)
    event = gateway.event_with(connection, "FAILED", attempts=1)
    gateway.call("POST", f"/events/{event['id']}/retry")
    after = gateway.event_with(connection, "FAILED", next_attempt_at=None)
    assert after["attempts"] == 4
    triggers = [one["trigger"] for one in gateway.attempts(event["id"])]
    assert sorted(triggers) == ["AUTOMATIC", "AUTOMATIC", "INITIAL", "MANUAL"]


def test_a_retry_asked_for_during_an_attempt_follows_it(
    gateway: Gateway, receiver: Receiver
) -> None:
    hold = threading.Event()
    receiver.replies.put(Reply(500, hold=hold))
    connection = gateway.connect(receiver.url)
    gateway.send(connection)
    receiver.wait_for(1)
    [event] = gateway.events(connection)
    gateway.call("POST", f"/events/{event['id']}/retry")
    hold.set()
    gateway.event_with(connection, "SUCCESSFUL", attempts=2)
    assert receiver.most_under_way == 1


def test_bulk_retry(gateway: Gateway, receiver: Receiver) -> None:
    receiver.reply = Reply(500)
    connection = gateway.connect(receiver.url)
    for _ in range(6):
        gateway.send(connection)
    wait_for(lambda: len(gateway.events(connection, status="FAILED")) == 6, "six failed events")
    query = {"webhook_id": connection["id"], "status": "FAILED"}
    receiver.reply = Reply()
    receiver.replies.put(Reply(500))
    bulk = gateway.call("POST", "/bulk/events/retry", {"query": query})
    assert (bulk["estimated_count"], bulk["query"]) == (6, query)

    receiver.wait_for(12)
    wait_for(lambda: len(gateway.events(connection, status="SUCCESSFUL")) == 5, "five delivered")
    assert len(gateway.events(connection, status="FAILED")) == 1
    triggers = {one.headers["x-hookdeck-attempt-trigger"] for one in receiver.deliveries[6:]}
    assert triggers == {"BULK_RETRY"}


def test_a_replay_makes_new_events(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    request = gateway.send(connection, b"twice", "/path?q=1")
    receiver.wait_for(1)
    answer = gateway.call("POST", f"/requests/{request}/retry", {})
    assert [one["request_id"] for one in answer["events"]] == [request]
    assert answer["request"]["events_count"] == 2
    first, second = receiver.wait_for(2)
    assert (first.body, first.target) == (second.body, second.target)
    assert first.headers["x-hookdeck-requestid"] == second.headers["x-hookdeck-requestid"]
    assert second.headers["x-hookdeck-eventid"] == answer["events"][0]["id"]
    assert first.headers["x-hookdeck-eventid"] != second.headers["x-hookdeck-eventid"]


def test_a_replay_for_some_connections(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    request = gateway.send(connection)
    wanted = {"webhook_ids": [connection["id"]]}
    assert len(gateway.call("POST", f"/requests/{request}/retry", wanted)["events"]) == 1
    other = {"webhook_ids": ["web_none"]}
    assert gateway.api.post(f"/requests/{request}/retry", json=other).status_code == 422
    assert gateway.api.post("/requests/req_none/retry", json={}).status_code == 404

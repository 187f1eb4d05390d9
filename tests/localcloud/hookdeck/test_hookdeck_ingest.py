"""The sources' URLs: what is accepted, what is rejected, and what is kept of both."""

from __future__ import annotations

import concurrent.futures
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.localcloud.hookdeck.gateway_process import (
    PROVIDER_SECRET,
    Gateway,
    Receiver,
    as_json,
    signed,
)

REPLICATE = {"type": "REPLICATE", "config": {"auth": {"webhook_secret_key": PROVIDER_SECRET}}}
BODY = as_json({"id": "p1", "status": "succeeded"})


def rejected(gateway: Gateway, connection: Any) -> Any:
    models = gateway.call("GET", "/requests", source_id=connection["source"]["id"])["models"]
    assert gateway.events(connection) == []
    return models[0]


def test_a_signed_callback_is_accepted_and_verified(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url, source=REPLICATE)
    response = gateway.web.post(connection["source"]["url"], content=BODY, headers=signed(BODY))
    assert response.status_code == 200
    assert set(response.json()) == {"status", "message", "request_id"}
    [seen] = receiver.wait_for(1)
    assert seen.headers["x-hookdeck-verified"] == "true"
    assert seen.headers["webhook-id"] == "msg_1"
    kept = gateway.call("GET", f"/requests/{response.json()['request_id']}")
    assert kept["verified"] is True
    assert kept["rejection_cause"] is None
    assert kept["data"]["body"] == {"id": "p1", "status": "succeeded"}


@pytest.mark.parametrize("fault", ["none", "old", "other secret", "other body"])
def test_a_bad_signature_is_rejected_and_kept(gateway: Gateway, fault: str) -> None:
    connection = gateway.connect("http://127.0.0.1:9/", source=REPLICATE)
    headers = {
        "none": {},
        "old": signed(BODY, at=datetime.now(tz=UTC) - timedelta(minutes=6)),
        "other secret": signed(BODY, secret="whsec_b3RoZXI="),
        "other body": signed(b"{}"),
    }[fault]
    response = gateway.web.post(connection["source"]["url"], content=BODY, headers=headers)
    assert response.status_code == 403
    kept = rejected(gateway, connection)
    assert kept["id"] == response.json()["request_id"]
    assert kept["rejection_cause"] == "VERIFICATION_FAILED"
    assert kept["verified"] is False
    assert gateway.api.post(f"/requests/{kept['id']}/retry").status_code == 422


def test_a_new_secret_counts_at_once(gateway: Gateway, receiver: Receiver) -> None:
    new = "whsec_bmV3IHNlY3JldA=="
    connection = gateway.connect(receiver.url, source=REPLICATE)
    url = connection["source"]["url"]
    config = {"auth": {"webhook_secret_key": new}}
    gateway.connect(receiver.url, name=connection["name"], source={"config": config})
    assert gateway.web.post(url, content=BODY, headers=signed(BODY)).status_code == 403
    headers = signed(BODY, secret=new)
    assert gateway.web.post(url, content=BODY, headers=headers).status_code == 200


def test_the_largest_body_and_one_byte_more(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    url, largest = connection["source"]["url"], b"x" * (10 * 1024 * 1024)
    assert gateway.web.post(url, content=largest).status_code == 200
    assert gateway.web.post(url, content=largest + b"x").status_code == 413
    assert gateway.web.post(url, content=iter([largest, b"x"])).status_code == 413
    [seen] = receiver.wait_for(1)
    assert seen.body == largest
    models = gateway.call("GET", "/requests", source_id=connection["source"]["id"])["models"]
    causes = [model["rejection_cause"] for model in models]
    assert causes == ["PAYLOAD_TOO_LARGE", "PAYLOAD_TOO_LARGE", None]


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 405), ("PUT", 200), ("PATCH", 200), ("DELETE", 200)]
)
def test_methods(gateway: Gateway, receiver: Receiver, method: str, status: int) -> None:
    connection = gateway.connect(receiver.url)
    response = gateway.web.request(method, connection["source"]["url"])
    assert response.status_code == status
    if status == 200:
        assert receiver.wait_for(1)[0].method == method
    else:
        assert rejected(gateway, connection)["rejection_cause"] == "UNSUPPORTED_HTTP_METHOD"


def test_an_unknown_source(gateway: Gateway) -> None:
    assert gateway.web.post(f"{gateway.url}/e/src_none").status_code == 404


def test_dot_segments_do_not_leave_the_destination(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(f"{receiver.url}/webhooks")
    url = connection["source"]["url"]
    assert gateway.web.post(f"{url}/%2e%2e/admin").status_code == 400
    assert gateway.events(connection) == []


def test_one_event_for_each_connection(gateway: Gateway, receiver: Receiver) -> None:
    first = gateway.connect(f"{receiver.url}/a")
    second = {
        "name": "second",
        "source": {"name": first["source"]["name"], "type": "REPLICATE"},
        "destination": {"name": "second", "type": "HTTP", "config": {"url": f"{receiver.url}/b"}},
    }
    gateway.call("PUT", "/connections", second)
    request = gateway.send(first)
    assert sorted(seen.target for seen in receiver.wait_for(2)) == ["/a", "/b"]
    assert gateway.call("GET", f"/requests/{request}")["events_count"] == 2
    assert gateway.call("GET", f"/requests/{request}/events")["count"] == 2


def test_a_burst_is_kept_whole(gateway: Gateway, receiver: Receiver) -> None:
    connection = gateway.connect(receiver.url)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        requests = set(pool.map(lambda n: gateway.send(connection, b"%d" % n), range(200)))
    assert len(requests) == 200
    seen = receiver.wait_for(200)
    assert {int(one.body) for one in seen} == set(range(200))

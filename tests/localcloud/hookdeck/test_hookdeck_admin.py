"""The admin API: upserts, shapes, errors, filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.hookdeck.gateway_process import (
    API_KEY,
    PROVIDER_SECRET,
    Gateway,
    Receiver,
    as_json,
)
from tests.localcloud.hookdeck.openapi import SPEC, problems_of
from tools.harness.reference import MISSING
from tools.harness.waiting import wait_for

AUDIO: dict[str, Any] = {
    "name": "replicate-audio",
    "source": {
        "name": "replicate-audio",
        "type": "REPLICATE",
        "config": {"auth": {"webhook_secret_key": PROVIDER_SECRET}},
    },
    "destination": {
        "name": "app-audio",
        "type": "HTTP",
        "config": {"url": "http://127.0.0.1:9/webhooks/audio"},
    },
    "rules": [
        {
            "type": "retry",
            "strategy": "exponential",
            "count": 5,
            "interval": 30000,
            "response_status_codes": ["!400", "!404", "!413"],
        }
    ],
}


RETRY = AUDIO["rules"][0]


def changed(**changes: Any) -> dict[str, Any]:
    return {**AUDIO, **changes}


def to(url: str, **more: Any) -> dict[str, Any]:
    """The connection with a destination at the URL."""
    config = {"url": url, **more}
    return changed(destination={"name": "x", "type": "HTTP", "config": config})


def test_upsert_answers_the_whole_connection(gateway: Gateway) -> None:
    answer = gateway.call("PUT", "/connections", AUDIO)
    assert answer["name"] == "replicate-audio"
    assert answer["rules"] == AUDIO["rules"]
    assert answer["source"]["url"] == f"{gateway.url}/e/{answer['source']['id']}"
    assert answer["source"]["type"] == "REPLICATE"
    assert answer["source"]["authenticated"] is True
    assert answer["destination"]["config"]["url"] == "http://127.0.0.1:9/webhooks/audio"
    assert PROVIDER_SECRET not in str(answer)


def test_upsert_again_changes_nothing(gateway: Gateway) -> None:
    first = gateway.call("PUT", "/connections", AUDIO)
    assert gateway.call("PUT", "/connections", AUDIO) == first


def test_upsert_changes_the_connection_of_that_name(gateway: Gateway) -> None:
    first = gateway.connect("http://127.0.0.1:9/a", name="kept")
    second = gateway.connect("http://127.0.0.1:9/b", RETRY, name="kept")
    assert second["id"] == first["id"]
    assert second["source"] == first["source"]
    assert second["destination"]["id"] == first["destination"]["id"]
    assert second["destination"]["config"] == {"url": "http://127.0.0.1:9/b"}
    assert second["rules"] == [RETRY]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (changed(name="with space"), "name"),
        (changed(unknown=1), "unknown"),
        (changed(source=None), "source"),
        (changed(source_id="src_none"), "source_id"),
        (changed(source={"name": "x", "type": "STRIPE"}), "source.type"),
        (changed(source={"name": "x", "type": "STANDARD_WEBHOOKS"}), "source.type"),
        (
            changed(source={"name": "x", "type": "REPLICATE", "config": {"auth": {"key": "x"}}}),
            "source.config.auth.webhook_secret_key",
        ),
        (
            changed(
                source={
                    "name": "x",
                    "type": "REPLICATE",
                    "config": {"auth": {"webhook_secret_key": "whsec_é"}},
                }
            ),
            "source.config.auth.webhook_secret_key",
        ),
        (
            changed(source={"name": "x", "type": "REPLICATE", "config": {"auth_type": "API_KEY"}}),
            "source.config.auth_type",
        ),
        (changed(destination={"name": "x", "type": "MOCK_API"}), "destination"),
        (changed(destination={"name": "x", "type": "CLI"}), "destination.config"),
        (
            changed(destination={"name": "x", "type": "CLI", "config": {"path": "x"}}),
            "destination.config.path",
        ),
        (changed(destination={"name": "x", "type": "HTTP"}), "destination.config"),
        (to("ftp://x"), "destination.config.url"),
        (to("http://[x"), "destination.config.url"),
        (to("http://[::1"), "destination.config.url"),
        (to("http://x:99999/"), "destination.config.url"),
        (to("http://x:port/"), "destination.config.url"),
        (to("http://"), "destination.config.url"),
        (to("http:///x"), "destination.config.url"),
        (to("http://x y/"), "destination.config.url"),
        (to("http://x/\ny"), "destination.config.url"),
        (to("//x/"), "destination.config.url"),
        (to("http://x", path="/"), "destination.config.path"),
        (to("http://x", rate_limit=1), "destination.config.rate_limit"),
        (changed(rules=[{"type": "transform"}]), "rules.0.type"),
        (changed(rules=[{"type": "retry", "strategy": "random"}]), "rules.0.strategy"),
        (
            changed(
                rules=[{"type": "retry", "strategy": "linear", "response_status_codes": ["5xx"]}]
            ),
            "rules.0.response_status_codes.0",
        ),
        (
            changed(
                rules=[{"type": "retry", "strategy": "linear", "response_status_codes": [">400"]}]
            ),
            "rules.0.response_status_codes.0",
        ),
        (changed(rules=[{**RETRY, "count": 51}]), "rules.0.count"),
        (changed(rules=[{"type": "retry", "strategy": "linear"}]), "rules.0.interval"),
        (changed(rules=[{"type": "delay", "delay": 1}]), "rules.0.type"),
        (changed(rules=[RETRY, RETRY]), "rules"),
        ([], "body"),
    ],
)
def test_what_is_refused_and_why(gateway: Gateway, payload: Any, field: str) -> None:
    response = gateway.api.put("/connections", json=payload)
    assert response.status_code == 422, response.text
    error = response.json()
    assert error["code"] == "UNPROCESSABLE_ENTITY"
    assert error["status"] == 422
    assert field in error["data"], error
    assert field in error["message"]


def test_a_refused_upsert_leaves_nothing_behind(gateway: Gateway) -> None:
    payload = changed(name="left-behind", rules=[{"type": "delay"}])
    assert gateway.api.put("/connections", json=payload).status_code == 422
    assert gateway.call("GET", "/connections", name="left-behind")["models"] == []


def test_connections_by_name(gateway: Gateway) -> None:
    connection = gateway.connect("http://127.0.0.1:9/")
    listed = gateway.call("GET", "/connections", name=connection["name"])
    assert listed["models"] == [connection]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer é".encode()},
        {"authorization": f"Basic {API_KEY}"},
        {"authorization": API_KEY},
    ],
)
def test_without_the_key(gateway: Gateway, headers: Any) -> None:
    response = gateway.web.get(f"{gateway.url}/2025-07-01/events", headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "UNAUTHORIZED"


def test_bodies_and_routes_that_are_none(gateway: Gateway) -> None:
    assert gateway.api.put("/connections", content=b"{").status_code == 400
    assert gateway.api.get("/issues").json()["status"] == 404
    assert gateway.api.put("/connections/web_1/pause").json()["status"] == 404
    assert gateway.api.delete("/events").status_code == 405


@pytest.mark.parametrize(
    "query",
    [
        "status=DONE",
        "limit=256",
        "limit=x",
        "dir=up",
        "order_by=created_at",
        "search_term=abc",
        "created_at[gte]=2025-01-01",
        "a[b][c]=1",
        "attempts=1",
        "path[0]=x",
        "path[gt]=x",
    ],
)
def test_filters_that_are_none(gateway: Gateway, query: str) -> None:
    assert gateway.api.get(f"/events?{query}").status_code == 422


@pytest.fixture(scope="module")
def five(gateway: Gateway) -> Any:
    """A connection with five delivered events, and one to a port that refuses."""
    receiver = Receiver()
    connection = gateway.connect(receiver.url)
    for number in range(5):
        gateway.send(connection, as_json({"n": number}))
    receiver.wait_for(5)
    wait_for(
        lambda: len(gateway.events(connection, status="SUCCESSFUL")) == 5,
        "five events delivered",
    )
    receiver.close()
    return connection


def test_pages_forwards_and_back(gateway: Gateway, five: Any) -> None:
    whole = [event["id"] for event in gateway.events(five)]
    assert len(whole) == 5
    pages = []
    answer: Any = {"pagination": {"next": None}}
    while "next" in answer["pagination"]:
        cursor = answer["pagination"]["next"]
        more = {"next": cursor} if cursor else {}
        answer = gateway.call("GET", "/events", webhook_id=five["id"], limit=2, **more)
        pages.append([event["id"] for event in answer["models"]])
    assert pages == [whole[:2], whole[2:4], whole[4:]]
    assert answer["count"] == 1
    back = gateway.call(
        "GET", "/events", webhook_id=five["id"], limit=2, prev=answer["pagination"]["prev"]
    )
    assert [event["id"] for event in back["models"]] == whole[2:4]
    assert gateway.events(five, dir="asc")[0]["id"] == whole[4]


def test_event_filters(gateway: Gateway, five: Any) -> None:
    events = gateway.events(five)
    cases: list[tuple[dict[str, Any], int]] = [
        ({"status": "SUCCESSFUL"}, 5),
        ({"status": ["FAILED", "CANCELLED"]}, 0),
        ({"status[0]": "SUCCESSFUL", "status[1]": "FAILED"}, 5),
        ({"source_id": five["source"]["id"]}, 5),
        ({"destination_id": five["destination"]["id"], "status": "FAILED"}, 0),
        ({"id": [events[0]["id"], events[1]["id"]]}, 2),
        ({"request_id": events[0]["request_id"]}, 1),
    ]
    for params, count in cases:
        assert len(gateway.events(five, **params)) == count, params


def test_request_filters(gateway: Gateway, five: Any) -> None:
    source = five["source"]["id"]
    cases: list[tuple[dict[str, Any], int]] = [
        ({"status": "accepted"}, 5),
        ({"status": "rejected"}, 0),
        ({"rejection_cause": "VERIFICATION_FAILED"}, 0),
    ]
    for params, count in cases:
        answer = gateway.call("GET", "/requests", source_id=source, **params)
        assert answer["count"] == count, params


def test_a_part_of_the_path_finds_events_and_requests(gateway: Gateway) -> None:
    receiver = Receiver()
    connection = gateway.connect(receiver.url)
    for path in ("/first", "/second/0-31", "/second/32-40"):
        gateway.send(connection, b"{}", path)
    receiver.wait_for(3)
    receiver.close()
    source = connection["source"]["id"]
    for part, count in {"second": 2, "/second/0-31": 1, "d/": 2, "%": 0, "third": 0}.items():
        for kind in ("/events", "/requests"):
            found = gateway.api.get(kind, params={"source_id": source, "path": part})
            assert found.json()["count"] == count, (kind, part)


@pytest.mark.skipif(not SPEC.exists(), reason=MISSING)
def test_answers_are_as_the_document_says(gateway: Gateway, five: Any) -> None:
    event = gateway.events(five)[0]
    gateway.call("PUT", "/connections", AUDIO)
    ids = {
        "/events/{id}": event["id"],
        "/requests/{id}": event["request_id"],
        "/requests/{id}/raw_body": event["request_id"],
        "/requests/{id}/events": event["request_id"],
    }
    paths = ["/connections", "/events", "/attempts", "/requests", *ids]
    for path in paths:
        answer = gateway.call("GET", path.replace("{id}", ids.get(path, "")))
        assert problems_of("get", path, 200, answer) == [], path
    for method, path, status, answer in _changes(gateway, event):
        assert problems_of(method, path, status, answer) == [], path


def _changes(gateway: Gateway, event: Any) -> list[tuple[str, str, int, Any]]:
    call, api = gateway.call, gateway.api
    request_id = event["request_id"]
    return [
        ("put", "/connections", 200, call("PUT", "/connections", AUDIO)),
        ("put", "/connections", 422, api.put("/connections", json={}).json()),
        ("put", "/connections", 400, api.put("/connections", content=b"").json()),
        ("get", "/events/{id}", 404, api.get("/events/none").json()),
        ("post", "/events/{id}/retry", 200, call("POST", f"/events/{event['id']}/retry")),
        ("post", "/requests/{id}/retry", 200, call("POST", f"/requests/{request_id}/retry")),
        ("post", "/bulk/events/retry", 200, call("POST", "/bulk/events/retry", {"query": {}})),
    ]


@pytest.mark.skipif(not SPEC.exists(), reason=MISSING)
def test_the_check_itself_finds_faults(gateway: Gateway) -> None:
    answer = gateway.call("PUT", "/connections", AUDIO)
    broken = {**answer, "id": 7, "extra": 1, "created_at": "2025-01-01T00:00:00"}
    del broken["rules"]
    problems = problems_of("put", "/connections", 200, broken)
    assert len(problems) == 4, problems

"""What the app really sends to Replicate and Hookdeck, and what it reads of their answers, is what
tools/contracts/ says; tools.check_contracts compares that with the vendors' documents."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from allthethings import health
from allthethings.errors import ServiceUnavailable
from allthethings.hookdeck.connections import EMBEDDINGS, connection_of, create_connections
from allthethings.hookdeck.gateway import Gateway
from allthethings.hookdeck.records import TRIGGERS
from allthethings.mongo import Database
from allthethings.processors import webhooks
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import TERMINAL, UNDER_WAY, parse_prediction
from allthethings.web.gateway import EVENTS, REQUESTS, STATUSES
from tests.contracts.recorder import Recorder, example, recording
from tools.check_contracts import read_contracts

REPLICATE = read_contracts()["Replicate HTTP API"]
HOOKDECK = read_contracts()["Hookdeck Admin REST API"]
TOKEN = "r8_of_the_tests"
# What an example calls everything.
NAME = "of-the-example"
PREDICTION = example({"$ref": "#/values/prediction"}, REPLICATE, full=True)
SINCE = datetime(2026, 11, 30, tzinfo=UTC)
PAGE = {"next": "a-cursor", "prev": "another"}

# What is done with each public method of the clients; it raises where an answer is not understood.
OF_REPLICATE: Mapping[str, Callable[[ReplicateClient], object]] = {
    "create": lambda client: client.create("v" * 64, {"text": "a"}, "https://x.test/hook"),
    "run": lambda client: client.run("v" * 64, {"text": "a"}),
    "get": lambda client: client.get(NAME),
    "look_up": lambda client: client.look_up(NAME),
    "find": lambda client: client.find("v", SINCE, lambda values: not values),
    "one_list": lambda client: client.one_list(),
    "cancel": lambda client: client.cancel(NAME),
    "upload": lambda client: client.upload(b"\x89PNG", "page 3.png", "image/png"),
    "remove": lambda client: client.remove(NAME),
    "webhooks_secret": lambda client: client.webhooks_secret(),
    "close": lambda client: client.close(),
}
OF_GATEWAY: Mapping[str, Callable[[Gateway], object]] = {
    "link": lambda gateway: gateway.link(NAME),
    "watch": lambda gateway: gateway.watch("0" * 24).events[0],
    "events": lambda gateway: [
        (
            gateway.events({"status": status, "path": "/x", **PAGE}),
            gateway.events({"status": status, **PAGE}, NAME),
        )
        for status in STATUSES[EVENTS]
    ],
    "attempts": lambda gateway: gateway.attempts({"event_id": NAME, **PAGE}),
    "requests": lambda gateway: [
        gateway.requests({"status": status, "path": "/x", **PAGE}) for status in STATUSES[REQUESTS]
    ],
    "retry": lambda gateway: gateway.retry(NAME),
    "retry_failed": lambda gateway: gateway.retry_failed(),
}


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_every_method_of_the_clients_is_tried() -> None:
    assert public(ReplicateClient) == {*OF_REPLICATE}
    assert public(Gateway) == {*OF_GATEWAY}


def use_replicate(recorder: Recorder) -> None:
    """Everything that the app asks of Replicate."""
    client = ReplicateClient(TOKEN, recorder.address)
    for use in OF_REPLICATE.values():
        use(client)
    with closing(Database("mongodb://127.0.0.1:9/", "x")) as database:
        health.checks(database, recorder.address, TOKEN, recorder.address)["replicate"]()


def use_hookdeck(recorder: Recorder) -> None:
    """Everything that the app asks of Hookdeck."""
    gateway = Gateway(recorder.address, TOKEN, [NAME])
    for use in OF_GATEWAY.values():
        use(gateway)
    connections = [*map(connection_of, webhooks()), EMBEDDINGS]
    for app_url in ("https://x.test", ""):
        create_connections(connections, recorder.address, TOKEN, "whsec_x", app_url)


@pytest.mark.parametrize("full", [True, False], ids=["with all fields", "with the promised ones"])
@pytest.mark.parametrize(
    ("contract", "use"),
    [(REPLICATE, use_replicate), (HOOKDECK, use_hookdeck)],
    ids=["Replicate", "Hookdeck"],
)
def test_the_app_sends_what_it_may_and_understands_what_it_gets(
    contract: Mapping[str, Any], use: Callable[[Recorder], None], full: bool
) -> None:
    """Both ways of an answer: whatever a vendor may tell, and only what it promises."""
    finished = {**example({"$ref": "#/values/prediction"}, REPLICATE, full=full)}
    finished["status"] = "succeeded"  # who runs a prediction waits for its end
    answers = {"POST /predictions": finished} if contract is REPLICATE else {}
    with recording(contract, full=full, answers=answers) as recorder:
        use(recorder)
    assert recorder.problems() == []
    assert {each.call for each in recorder.requests} == {*contract["calls"]}
    assert {each.headers["Authorization"] for each in recorder.requests} == {f"Bearer {TOKEN}"}


def test_who_waits_for_a_prediction_says_so() -> None:
    answers = {"POST /predictions": {**PREDICTION, "status": "succeeded"}}
    with recording(REPLICATE, answers=answers) as recorder:
        OF_REPLICATE["run"](ReplicateClient(TOKEN, recorder.address))
    assert [each.headers["Prefer"] for each in recorder.requests] == ["wait=8"]


def test_an_answer_without_what_the_app_needs_is_not_understood() -> None:
    """The marks `x-needed` are true: the app cannot do without."""
    with recording(REPLICATE, answers={"GET /predictions": {"next": None}}) as recorder:
        client = ReplicateClient(TOKEN, recorder.address)
        with pytest.raises(ServiceUnavailable, match="not understood"):
            OF_REPLICATE["find"](client)


def test_every_status_and_trigger_is_known() -> None:
    told = REPLICATE["values"]["prediction"]["properties"]["status"]["enum"]
    assert {*told} == UNDER_WAY | TERMINAL
    triggers = HOOKDECK["values"]["attempt"]["properties"]["trigger"]["enum"]
    assert {*triggers} - {None} == {*TRIGGERS}


@pytest.mark.parametrize("full", [True, False])
def test_a_callback_of_any_status_is_understood(full: bool) -> None:
    """A callback has the body of `GET /predictions/{prediction_id}`."""
    payload = example({"$ref": "#/values/prediction"}, REPLICATE, full=full)
    for status in UNDER_WAY | TERMINAL:
        told = parse_prediction({**payload, "status": status})
        assert (told.id, told.status) == (payload["id"], status)

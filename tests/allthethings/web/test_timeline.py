"""A thing's way from what the app, the models and the gateway noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.hookdeck.deliveries import Callback
from allthethings.hookdeck.records import Attempt, Event, Request, Watched
from allthethings.web.timeline import Hop, build

BEGAN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
ROWS = [{"position": n, "replicate_embedding_id": "p2"} for n in range(3)]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def entry(status: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"status": status, "at": at(seconds), **more}


def make_asset(*history: dict[str, Any], **fields: Any) -> Asset:
    status = AssetStatus(history[-1]["status"])
    given: dict[str, Any] = {"content_length": None, "created_at": BEGAN, "updated_at": BEGAN}
    return Asset(
        id="a" * 24,
        url="http://x.test/",
        content_type="audio/mpeg",
        status=status,
        history=history,
        **{**given, **fields},
    )


def make_delivery(event: str, seconds: float, **more: Any) -> dict[str, Any]:
    given = {"attempt": 1, "trigger": "INITIAL", "seconds": 0.2, "status": "succeeded"}
    return {"event": event, "at": at(seconds), **given, **more}


def make_event(identity: str, status: str = "SUCCESSFUL", **more: Any) -> Event:
    given: dict[str, Any] = {
        "attempts": 1,
        "response_status": 200,
        "error_code": None,
        "request_id": "req_1",
        "created_at": at(4.8),
        "last_at": at(4.9),
        "next_at": None,
        "successful_at": at(5.1) if status == "SUCCESSFUL" else None,
    }
    return Event(id=identity, status=status, **{**given, **more})


def make_attempt(
    event: str, number: int, seconds: float, status: int | None, **more: Any
) -> Attempt:
    given: dict[str, Any] = {
        "trigger": "INITIAL" if number == 1 else "AUTOMATIC",
        "error_code": None if status else "CONNECTION_REFUSED",
        "callback": Callback("a" * 24),
        "seconds": 0.05,
    }
    return Attempt(
        id=f"atm_{number}",
        event_id=event,
        number=number,
        successful=status == 200,
        response_status=status,
        at=at(seconds),
        **{**given, **more},
    )


def whats(hops: list[Hop]) -> list[str]:
    return [hop.what for hop in hops]


STORY = (
    entry("SUBMITTED", 0),
    entry("PROCESSING", 0.5, prediction="p1"),
    entry("PROCESSED", 5.1, passages=3),
    entry("GENERATING_EMBEDDINGS", 5.3),
    entry("SEARCHABLE", 8.1),
)
RAN = {"created_at": at(0.4), "started_at": at(1), "completed_at": at(4.5), "prediction": "p1"}


def test_a_recording_from_its_submission_to_the_search() -> None:
    deliveries = (
        make_delivery("evt_1", 5, verified=True, **RAN),
        make_delivery("evt_2", 8, passages="0-2", prediction="p2"),
    )
    hops = build(make_asset(*STORY, deliveries=deliveries), ROWS, Watched([make_event("evt_1")]))
    assert whats(hops) == [
        "Submitted",
        "Prediction created: text",
        "Text requested",
        "Model started: text",
        "Model finished: text",
        "Callback accepted and queued",
        "Callback received: text",
        "Text received",
        "Vectors requested",
        "Callback received: the vectors of passages 1 to 3",
        "All passages embedded: searchable",
    ]
    finished, received = hops[4], hops[6]
    assert (finished.seconds, finished.details) == (3.5, ("prediction p1",))
    assert received.event == "evt_1"
    assert received.details == (
        "attempt 1",
        "first delivery",
        "signature valid",
        "sender verified by the gateway",
    )
    assert hops[7].details == ("3 passages cut",)
    assert hops[8].details == ("1 prediction",)
    assert not [hop for hop in hops if hop.failed]


def test_times_are_since_the_start_and_since_the_hop_before() -> None:
    hops = build(make_asset(*STORY), ROWS, Watched())
    assert [hop.since_start for hop in hops] == [0, 0.5, 5.1, 5.3, 8.1]
    assert hops[0].after is None
    assert [hop.after for hop in hops[1:]] == pytest.approx([0.5, 4.6, 0.2, 2.8])


def test_a_page_is_fetched_and_a_failed_thing_tried_again() -> None:
    history = (
        entry("SUBMITTED", 0),
        entry("PROCESSING", 1, prediction="p1"),
        entry("PROCESSING_ERROR", 2),
        entry("SUBMITTED", 9, again=True),
        entry("PROCESSED", 10, passages=1),
        entry("EMBEDDINGS_ERROR", 11),
        entry("PROCESSED", 20, again=True),
        entry("EMBEDDINGS_ERROR", 21),
    )
    hops = build(make_asset(*history, error="No vectors."), ROWS[:1], Watched())
    assert whats(hops) == [
        "Submitted",
        "Text requested",
        "Text failed",
        "Retried",
        "Fetched and read",
        "Vectors failed",
        "Vectors retried",
        "Vectors failed",
    ]
    assert [hop.what for hop in hops if hop.failed] == [whats(hops)[n] for n in (2, 5, 7)]
    assert [hop.details for hop in hops if hop.failed] == [(), (), ("No vectors.",)]


def test_failed_attempts_say_how_they_were_answered_and_when_the_next_is() -> None:
    waiting = make_event(
        "evt_1", "FAILED", attempts=2, response_status=503, next_at=at(60), successful_at=None
    )
    attempts = [make_attempt("evt_1", 2, 35, 503), make_attempt("evt_1", 1, 5, None)]
    hops = build(make_asset(*STORY[:2]), [], Watched([waiting], attempts))
    first, second = (hop for hop in hops if hop.failed)
    assert first.details == ("attempt 1", "first delivery", "connection refused")
    assert first.next_at is None
    assert second.details == ("attempt 2", "automatic retry", "answered 503")
    assert (second.next_at, second.seconds, second.event) == (at(60), 0.05, "evt_1")


def test_a_delivery_that_is_given_up_says_so() -> None:
    given_up = make_event("evt_1", "FAILED", response_status=404, successful_at=None)
    hops = build(
        make_asset(*STORY[:2]), [], Watched([given_up], [make_attempt("evt_1", 1, 5, 404)])
    )
    assert hops[-1].details[-1] == "no more automatic attempts"


def test_a_delivery_stands_there_once_whoever_noted_it() -> None:
    attempts = [make_attempt("evt_1", 1, 5, 503), make_attempt("evt_1", 2, 35, 200)]
    watched = Watched([make_event("evt_1", attempts=2)], attempts)
    deliveries = (make_delivery("evt_1", 35, attempt=2, trigger="AUTOMATIC"),)
    known = whats(build(make_asset(*STORY[:2], deliveries=deliveries), [], watched))
    assert known[-3:] == [
        "Callback accepted and queued",
        "Delivery failed",
        "Callback received: text",
    ]
    unknown = whats(build(make_asset(*STORY[:2]), [], watched))
    assert unknown[-2:] == ["Delivery failed", "Delivered"]
    at_once = whats(build(make_asset(*STORY[:2]), [], Watched([make_event("evt_1")])))
    assert at_once[-2:] == ["Callback accepted and queued", "Delivered"]


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ("QUEUED", "Delivery queued"),
        ("SCHEDULED", "Delivery scheduled"),
        ("HOLD", "Delivery on hold: the connection is paused"),
        ("CANCELLED", "Delivery cancelled"),
    ],
)
def test_what_is_not_delivered_yet(status: str, what: str) -> None:
    event = make_event("evt_1", status, attempts=0, response_status=None, last_at=None)
    assert whats(build(make_asset(*STORY[:2]), [], Watched([event])))[-1] == what


def test_what_the_gateway_refused() -> None:
    refused = Request("req_1", at(3), False, "VERIFICATION_FAILED")
    hop = build(make_asset(*STORY[:2]), [], Watched(rejected=[refused]))[-1]
    assert (hop.what, hop.details, hop.failed) == (
        "Callback rejected",
        ("verification failed",),
        True,
    )


@pytest.mark.parametrize(("status", "word"), [("failed", "failed"), ("canceled", "cancelled")])
def test_a_prediction_that_failed_is_told_once_for_all_its_callbacks(
    status: str, word: str
) -> None:
    failed = {**RAN, "status": status}
    deliveries = tuple(make_delivery(f"evt_{n}", 5 + n, **failed) for n in range(3))
    hops = build(make_asset(*STORY[:2], deliveries=deliveries), [], Watched())
    (ended,) = (hop for hop in hops if hop.what == "Model finished: text")
    assert (ended.failed, ended.details) == (True, ("prediction p1", word))


def test_attempts_are_told_with_their_reasons_and_the_next_one() -> None:
    first = entry("SUBMITTED", 1, again=True, attempt=2, error="It answered 503.", next_at=at(31))
    second = entry("SUBMITTED", 32, again=True, attempt=3, error="It broke off.", next_at=at(152))
    waiting = build(make_asset(entry("SUBMITTED", 0), first, second), [], Watched())
    assert [(hop.what, hop.details, hop.next_at, hop.failed) for hop in waiting] == [
        ("Submitted", (), None, False),
        ("Attempt 1 of 5 failed", ("It answered 503.",), None, True),
        ("Attempt 2 of 5 failed", ("It broke off.",), at(152), True),
    ]
    end = entry("PROCESSING_ERROR", 200, attempt=3, error="Nothing is there.")
    failed = build(make_asset(entry("SUBMITTED", 0), first, second, end), [], Watched())
    assert [(hop.what, hop.details) for hop in failed][-1] == (
        "Text failed",
        ("Nothing is there.",),
    )
    assert not any(hop.next_at for hop in failed)

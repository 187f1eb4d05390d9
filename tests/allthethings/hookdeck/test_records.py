"""What is taken from the gateway's answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.errors import ServiceUnavailable
from allthethings.hookdeck.deliveries import Callback
from allthethings.hookdeck.records import (
    ATTEMPTS,
    EVENTS,
    REQUESTS,
    Attempt,
    Event,
    Listing,
    Request,
    answer_of,
    cause_of,
    read_list,
)

NOON = "2025-03-01T12:00:00.123456Z"
AT = datetime(2025, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
THING = "0123456789abcdef01234567"
KINDS = [EVENTS, ATTEMPTS, REQUESTS]


def test_an_event_is_read() -> None:
    model = {
        "id": "evt_1",
        "status": "FAILED",
        "request_id": "req_1",
        "created_at": NOON,
        "attempts": 2,
        "response_status": 503,
        "error_code": None,
        "last_attempt_at": NOON,
        "next_attempt_at": None,
        "successful_at": None,
        "data": {"more": "than is read"},
    }
    answer = {"models": [model], "pagination": {"next": "c1", "prev": "not a cursor"}}
    assert read_list(EVENTS, answer) == Listing(
        (Event("evt_1", "FAILED", "req_1", AT, 2, 503, last_at=AT),), next="c1"
    )


def test_an_attempt_is_read() -> None:
    model = {
        "id": "atm_1",
        "event_id": "evt_1",
        "status": "SUCCESSFUL",
        "created_at": NOON,
        "attempt_number": 1,
        "trigger": "INITIAL",
        "response_status": 200,
        "requested_url": f"https://things.example/webhooks/audio/{THING}",
        "response_latency": 51,
    }
    (attempt,) = read_list(ATTEMPTS, {"models": [model]}).entries
    assert attempt == Attempt(
        "atm_1", "evt_1", True, AT, 1, "INITIAL", 200, None, Callback(THING), 0.051
    )


@pytest.mark.parametrize("ingested", [{"ingested_at": NOON}, {"ingested_at": None}, {}])
def test_a_request_is_read(ingested: dict[str, Any]) -> None:
    model = {"id": "req_1", "verified": False, "rejection_cause": "VERIFICATION_FAILED"}
    (request,) = read_list(
        REQUESTS, {"models": [{**model, **ingested, "created_at": NOON, "events_count": 0}]}
    ).entries
    assert request == Request("req_1", AT, False, "VERIFICATION_FAILED")
    assert request.refusal == "verification failed"


def test_events_for_the_cli_count_too() -> None:
    model = {"id": "req_1", "created_at": NOON, "events_count": 1, "cli_events_count": 2}
    (request,) = read_list(REQUESTS, {"models": [model]}).entries
    assert request.events == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "model", [[], "x", {}, {"id": 5}, {"id": "a", "status": "FAILED", "created_at": "soon"}]
)
def test_what_is_no_record_of_the_gateway(kind: Any, model: object) -> None:
    with pytest.raises(ServiceUnavailable, match=r"The gateway .* answered .* object"):
        read_list(kind, {"models": [model]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_in_a_list_is_left_out(kind: Any) -> None:
    """Hookdeck's document allows them among the attempts."""
    assert read_list(kind, {"models": [None]}).entries == ()


@pytest.mark.parametrize("models", [None, {}, "text", 5])
def test_what_is_no_list(models: object) -> None:
    with pytest.raises(ServiceUnavailable, match="something other than a list"):
        read_list(EVENTS, {"models": models})


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(["id", "status", "request_id", "event_id", "created_at", "attempts"]),
        st.text() | st.integers() | st.floats() | st.none() | st.just(NOON) | st.lists(st.none()),
    ),
)
def test_any_json_is_a_record_or_a_known_error(kind: Any, model: dict[str, Any]) -> None:
    try:
        (record,) = read_list(kind, {"models": [model]}).entries
    except ServiceUnavailable:
        return
    assert 1 <= len(record.id) <= 100


def test_answers_in_words() -> None:
    assert answer_of(503, None) == "answered 503"
    assert answer_of(None, "CONNECTION_REFUSED") == "connection refused"
    assert answer_of(None, None) == "no answer yet"


def test_causes_in_words() -> None:
    assert cause_of("BULK_RETRY") == "bulk retry"
    assert cause_of("SOMETHING_NEW") == "something new"
    assert cause_of(None) == ""

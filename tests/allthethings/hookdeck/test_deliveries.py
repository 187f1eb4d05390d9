"""What is noted of a delivery, and what a callback is for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import BSON

from allthethings.hookdeck.deliveries import callback_of, noted
from allthethings.hookdeck.values import moment

AT = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
THING = "0123456789abcdef01234567"
HEADERS = {
    "x-hookdeck-eventid": "evt_1",
    "x-hookdeck-attempt-count": "2",
    "x-hookdeck-attempt-trigger": "AUTOMATIC",
    "x-hookdeck-verified": "true",
}
PAYLOAD = {
    "id": "p1",
    "status": "succeeded",
    "created_at": "2025-03-01T12:29:00.123456789Z",
    "started_at": "2025-03-01T12:29:01Z",
    "completed_at": "2025-03-01T14:29:03+02:00",
}


def test_what_is_kept_of_a_delivery() -> None:
    path = f"/webhooks/embedding/{THING}/0-31"
    assert noted(HEADERS, PAYLOAD, path, AT, 0.12345) == {
        "at": AT,
        "seconds": 0.123,
        "event": "evt_1",
        "attempt": 2,
        "trigger": "AUTOMATIC",
        "verified": True,
        "passages": "0-31",
        "prediction": "p1",
        "status": "succeeded",
        "created_at": datetime(2025, 3, 1, 12, 29, 0, 123_000, tzinfo=UTC),
        "started_at": datetime(2025, 3, 1, 12, 29, 1, tzinfo=UTC),
        "completed_at": datetime(2025, 3, 1, 12, 29, 3, tzinfo=UTC),
    }


def test_what_came_by_no_gateway_is_not_kept() -> None:
    assert noted({}, PAYLOAD, f"/webhooks/audio/{THING}", AT, 0.1) is None
    assert noted({"x-hookdeck-eventid": ""}, PAYLOAD, "/", AT, 0.1) is None


@pytest.mark.parametrize("value", ["x" * 100_000, "\ud800", "a\x00b", "9" * 5_000, "-1", "None"])
@pytest.mark.parametrize("payload", [None, [], {"id": []}, {"id": "i" * 99_999, "status": 10**99}])
def test_what_is_kept_is_small_and_can_be_stored(value: str, payload: Any) -> None:
    headers = {**dict.fromkeys(HEADERS, value), "x-hookdeck-eventid": "evt_1"}
    times = dict.fromkeys(("created_at", "started_at", "completed_at"), value)
    full = {**payload, **times} if isinstance(payload, dict) else payload
    kept = noted(headers, full, f"/webhooks/embedding/{THING}/0-{value}", AT, 1.0)
    assert kept is not None
    assert len(BSON.encode(kept)) < 2_000


@pytest.mark.parametrize(
    "text", ["", "soon", "2025-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", 5, None, "1" * 5_000]
)
def test_what_is_no_time(text: object) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("url", "asset_id", "subject"),
    [
        (f"http://x.test/webhooks/audio/{THING}", THING, "text"),
        (f"http://x.test/webhooks/audio/{THING}?a=b", THING, "text"),
        (f"/{'embedding'}/{THING}/0-31", THING, "the vectors of passages 1 to 32"),
        (f"/embedding/{THING}/1200-1200", THING, "the vector of passage 1,201"),
        (f"/audio/{THING}0", None, "text"),
        ("", None, "text"),
    ],
)
def test_what_a_callback_is_for(url: str, asset_id: str | None, subject: str) -> None:
    found = callback_of(url)
    assert (found.asset_id, found.subject) == (asset_id, subject)

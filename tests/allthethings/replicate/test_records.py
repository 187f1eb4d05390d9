"""What is kept of a prediction can be stored, whatever Replicate tells, and has no bulk."""

from __future__ import annotations

import json
from typing import Any

import bson
import pytest

from allthethings.replicate.predictions import parse_prediction
from allthethings.replicate.records import MAX_ENTRIES, MAX_TEXT, record, request_in

ASKED = {
    "id": "p1",
    "model": "openai/whisper",
    "version": "v1",
    "status": "starting",
    "input": {"audio": "http://x.test/a.mp3", "temperature": 0.5, "translate": False},
    "created_at": "2026-11-24T17:18:48.133Z",
    "urls": {"get": "https://api.replicate.test/v1/predictions/p1"},
}


def test_what_was_asked_for_is_kept_as_it_was_told() -> None:
    assert request_in(record({**ASKED, "webhook": "https://x.test/", "output": None})) == ASKED


def test_the_output_is_left_out_and_the_log_is_cut() -> None:
    logs = "first " + "x" * MAX_TEXT + " last"
    ended = {**ASKED, "status": "succeeded", "logs": logs, "metrics": {"predict_time": 1.5}}
    kept = parse_prediction({**ended, "output": {"transcription": "A whole book."}}).told
    assert kept == {**ended, "logs": kept["logs"]}
    assert kept["logs"] == logs[-MAX_TEXT:]
    assert "A whole book." not in json.dumps(kept)


@pytest.mark.parametrize(
    "hostile",
    [
        {"text_batch": "x" * 1_000_000},
        {"many": list(range(1_000_000))},
        {str(number): number for number in range(1_000)},
        {"$set": {"a.b": 1, "\0": 2, "\ud800": "\ud800"}},
        {"large": 10**5_000, "infinite": float("inf"), "none": float("nan")},
        json.loads("[" * 90 + "]" * 90),
        b"bytes",
    ],
)
def test_whatever_is_told_can_be_stored(hostile: Any) -> None:
    kept = record({**ASKED, "input": hostile, "urls": hostile, "metrics": [hostile]})
    document = bson.encode({"replicate_request": kept})
    assert len(document) < 4 * MAX_ENTRIES * MAX_TEXT
    assert not any(mark in json.dumps(kept["input"]) for mark in ("$", "a.b", "\\u0000"))
    json.dumps(kept, allow_nan=False)

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replicate.prediction import Prediction as SdkPrediction
from tqdm import tqdm

from allthethings.assets.transcripts import Line
from allthethings.errors import MalformedPrediction, UnusableThing
from allthethings.replicate.predictions import (
    DIMENSIONS,
    parse_embeddings,
    parse_prediction,
    parse_progress,
    parse_transcript,
)

VECTOR = [0.5] * DIMENSIONS
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_a_prediction_is_read() -> None:
    prediction = parse_prediction(
        {"id": "abc", "status": "succeeded", "output": {"x": 1}, "error": None, "logs": "…"}
    )
    assert (prediction.id, prediction.output, prediction.error) == ("abc", {"x": 1}, None)
    assert prediction.finished
    assert prediction.succeeded


@pytest.mark.parametrize(
    ("status", "word"),
    [("failed", "failed"), ("canceled", "cancelled"), ("aborted", "aborted")],
)
def test_a_failure_has_a_reason_in_words(status: str, word: str) -> None:
    assert word in parse_prediction({"id": "abc", "status": status}).why_it_failed()
    told = parse_prediction({"id": "abc", "status": status, "error": "no audio in it"})
    assert told.why_it_failed() == "no audio in it"


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {},
        {"id": "abc"},
        {"status": "succeeded"},
        {"id": 5, "status": "succeeded"},
        {"id": "", "status": "succeeded"},
        {"id": "abc", "status": "done"},
        {"id": "abc", "status": ["succeeded"]},
    ],
)
def test_what_is_no_prediction_is_refused(payload: object) -> None:
    with pytest.raises(MalformedPrediction):
        parse_prediction(payload)


def test_a_transcript_keeps_its_segments() -> None:
    transcript = parse_transcript(
        {
            "transcription": " Hello there. ",
            "segments": [
                {"start": 0, "end": 1.5, "text": " Hello there. ", "id": 0},
                {"start": "x", "end": 2, "text": "lost"},
                {"start": float("nan"), "end": 2, "text": "lost"},
                {"start": 0, "end": 10**400, "text": "lost"},
                "lost",
            ],
        }
    )
    assert transcript.text == "Hello there."
    assert transcript.segments == (Line(0.0, 1.5, "Hello there."),)


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored() -> None:
    output = {"transcription": "a\ud800b", "segments": [{"start": 0, "end": 1, "text": "\ud800c"}]}
    transcript = parse_transcript(output)
    assert (transcript.text, transcript.segments[0].text) == ("a?b", "?c")
    assert parse_prediction({"id": "p", "status": "failed", "error": "\udfff"}).error == "?"


@pytest.mark.parametrize("output", [None, [], {}, {"transcription": None}, "text", 5])
def test_no_transcription_is_said_in_words(output: object) -> None:
    with pytest.raises(UnusableThing, match="without a transcription"):
        parse_transcript(output)


def test_embeddings_are_read_in_order() -> None:
    other = [1] * DIMENSIONS
    assert parse_embeddings([{"embedding": VECTOR}, {"embedding": other}], 2) == [
        VECTOR,
        [1.0] * DIMENSIONS,
    ]


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        {},
        "text",
        [{"embedding": VECTOR}, {"embedding": VECTOR}],
        [{"embedding": VECTOR[1:]}],
        [{"embedding": None}],
        [VECTOR],
        [{"embedding": [*VECTOR[1:], float("nan")]}],
        [{"embedding": [*VECTOR[1:], 10**400]}],
        [{"embedding": [*VECTOR[1:], -1e300]}],
        [{"embedding": [*VECTOR[1:], "0.5"]}],
        [{"embedding": [*VECTOR[1:], True]}],
    ],
)
def test_wrong_embeddings_are_refused_in_words(output: object) -> None:
    with pytest.raises(UnusableThing, match="The embedding model answered"):
        parse_embeddings(output, 1)


@pytest.mark.parametrize(
    ("logs", "share"),
    [
        ("", None),
        (None, None),
        (7, None),
        ("Transcribe with large-v3 model.\nDetected language: English\n", None),
        ("  0%|          | 0/1102 [00:00<?, ?frames/s]", 0.0),
        ("  0%| | 0/1102 [00:00<?, ?frames/s]\r 38%|███▊      | 421/1102 [00:01<00:02]", 0.38),
        (" 38%|███▊  | 421/1102 [00:01<00:02]\nDetected language: English\n", 0.38),
        ("0% 0/300 s\n37% 111/300 s\n", 0.37),
        ("100%|██████████| 2.88G/2.88G [00:34<00:00, 88.6MiB/s]", None),
        (" 40%|████      | 40/100M [00:34<00:00]", None),
        ("model.bin: 100%|██████████| 7/7 [00:34<00:00]", None),
        ("100% of nothing", None),
        ("999%|x| 9/1", 1.0),
        ("%|||| 5%|", None),
    ],
)
def test_progress_is_read_from_a_log(logs: object, share: float | None) -> None:
    assert parse_progress(logs) == share


@given(st.integers(0, 100_000), st.integers(1, 100_000), st.floats(0, 1e6))
def test_what_tqdm_prints_is_read_as_replicates_own_client_reads_it(
    done: int, total: int, elapsed: float
) -> None:
    line = tqdm.format_meter(min(done, total), total, elapsed, unit="s")
    theirs = SdkPrediction.Progress.parse(line)
    assert theirs
    assert parse_progress(f"Hello\n{line}\n") == theirs.percentage


@given(st.text() | st.text("0123456789%|/. \n"))
def test_any_log_is_a_share_or_none(logs: str) -> None:
    share = parse_progress(logs)
    assert share is None or 0 <= share <= 1


@given(json_values)
def test_any_json_is_a_value_or_a_known_error(value: Any) -> None:
    for parse in (parse_prediction, parse_transcript, lambda given: parse_embeddings(given, 1)):
        try:
            parse(value)
        except (MalformedPrediction, UnusableThing):
            continue

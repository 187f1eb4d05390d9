"""How a thing stands, in words: for every state, and for every error that a thing can end with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.pipeline import CANCELLED
from allthethings.pipeline.progress import Progress
from allthethings.pipeline.reconciler import FORGOTTEN, STUCK, UNASKED, UNFORESEEN
from allthethings.replicate.predictions import WHY, Prediction
from allthethings.web.status_text import NEXT, advice, standing
from guardedfetch import errors as fetch_errors
from tests.allthethings.web.in_memory import BEGAN, make_asset

AWAY = str(ServiceUnavailable("Replicate", "no answer from its API"))
PAGE = {"content_type": "text/html"}


def thing(status: S, **changed: Any) -> Asset:
    return make_asset(1, status, **changed)


@pytest.mark.parametrize(
    ("asset", "progress", "percent", "doing"),
    [
        (thing(S.SUBMITTED), Progress(), 2, "On its way to the model"),
        (thing(S.SUBMITTED, **PAGE), Progress(), 5, "Being read"),
        (thing(S.PROCESSING), Progress(), 5, "A model was asked for its text"),
        (thing(S.PROCESSING), Progress(running=False), 5, "Waiting for a model"),
        (
            thing(S.PROCESSING),
            Progress(ahead=1, running=False),
            5,
            "Waiting for a model. 1 thing is before it.",
        ),
        (
            thing(S.PROCESSING),
            Progress(ahead=1234),
            5,
            "Waiting for a model. 1,234 things are before it.",
        ),
        (thing(S.PROCESSING), Progress(running=True), 5, "The model listens to it"),
        (thing(S.PROCESSING), Progress(running=True, share=0.0), 5, "0% transcribed"),
        (thing(S.PROCESSING), Progress(running=True, share=0.37), 25, "37% transcribed"),
        (thing(S.PROCESSING), Progress(running=True, share=1.0), 60, "100% transcribed"),
        (thing(S.PROCESSED), Progress(total=1), 60, "Cut into 1 passage"),
        (thing(S.PROCESSED, **PAGE), Progress(total=40), 25, "Cut into 40 passages"),
        (
            thing(S.GENERATING_EMBEDDINGS),
            Progress(total=40, ahead=2),
            64,
            "Waiting for the embedding model. 2 things are before it.",
        ),
        (
            thing(S.GENERATING_EMBEDDINGS, **PAGE),
            Progress(12, 40),
            49,
            "12 of 40 passages embedded",
        ),
        (thing(S.GENERATING_EMBEDDINGS), Progress(1, 1), 99, "1 of 1 passage embedded"),
    ],
)
def test_what_happens_to_a_thing_under_way(
    asset: Asset, progress: Progress, percent: int, doing: str
) -> None:
    seen = standing(asset, progress, BEGAN)
    assert (seen.percent, seen.doing, seen.trouble, seen.advice) == (percent, doing, "", "")


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/html"])
def test_the_way_leads_forward(kind: str) -> None:
    def percent(status: S, progress: Progress) -> int:
        found = standing(thing(status, content_type=kind), progress, BEGAN).percent
        assert found is not None
        return found

    way = [percent(S.SUBMITTED, Progress())]
    if kind == "audio/mpeg":
        shares = [None, *(number / 100 for number in range(101))]
        way += [percent(S.PROCESSING, Progress(share=share)) for share in shares]
    way.append(percent(S.PROCESSED, Progress(0, 40)))
    way += [percent(S.GENERATING_EMBEDDINGS, Progress(done, 40)) for done in range(41)]
    assert way == sorted(way)
    assert way[0] > 0
    assert way[-1] < 100


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (None, "at any moment"),
        (-60, "at any moment"),
        (1, "at any moment"),
        (4, "in about 5 s"),
        (16.5, "in about 20 s"),
        (60, "in about 60 s"),
    ],
)
def test_what_waits_says_for_what_and_how_long(seconds: float | None, when: str) -> None:
    until = None if seconds is None else BEGAN + timedelta(seconds=seconds)
    asset = thing(S.SUBMITTED, error=AWAY, lease_until=until)
    seen = standing(asset, Progress(), BEGAN)
    assert seen.trouble == "It waits: Replicate is not available: no answer from its API."
    assert seen.advice == f"It is tried again by itself {when}."
    assert seen.doing


def test_a_thing_that_is_searchable_needs_no_words() -> None:
    seen = standing(thing(S.SEARCHABLE, error="old"), Progress(3, 3), BEGAN)
    assert (seen.percent, seen.doing, seen.trouble, seen.advice) == (None, "", "", "")


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (S.PROCESSING_ERROR, "Cancelled by you, before it was turned into text."),
        (S.EMBEDDINGS_ERROR, "Cancelled by you, before it was searchable."),
    ],
)
def test_what_was_cancelled_says_so(status: S, trouble: str) -> None:
    entry = {"status": status.value, "at": BEGAN, "cancelled": True}
    seen = standing(thing(status, error=CANCELLED, history=(entry,)), Progress(), BEGAN)
    assert seen.trouble == trouble
    assert "Retry" in seen.advice


# What guardedfetch, the pipeline, the processors and the models say, as it ends up with a thing,
# and a word of what a person is told to do.
FAILURES = [
    (f"{fetch_errors.NameNotFound('The name x.test does not exist')}.", "Check the address"),
    ("There is nothing at this URL: the server answered 404.", "Check the address"),
    ("could not download http://x.test/a.mp3: 410 Gone", "Check the address"),
    ("404 Client Error: Not Found for url: http://x.test/a.mp3", "Check the address"),
    ("could not download http://x.test/a: there is no such file (any more)", "Check the address"),
    ("The server answered 403.", "needs a sign-in"),
    ("could not download http://x.test/404/a.mp3: 401 Unauthorized", "needs a sign-in"),
    ("The server answered 503.", "Wait a little"),
    ("The server answered 429.", "Wait a little"),
    ("The server did not answer within 8 s.", "Wait a little"),
    ("The content came too slowly: too little came within 3 s.", "Wait a little"),
    ("The server took too long over all requests.", "Wait a little"),
    ("The connection to the server broke off.", "Wait a little"),
    ("The server closed the connection too early.", "Wait a little"),
    ("The name x.test could not be looked up.", "Wait a little"),
    ("could not download http://x.test/a.mp3: 502 Bad Gateway", "Wait a little"),
    ("x.test points to 10.0.0.1, which is not a public address. Whoever runs this service can "
     "permit it by naming the host in FETCH_ALLOW.", "Another address"),
    ("The certificate of x.test is not valid: certificate has expired.", "Another address"),
    ("The server x.test does not speak TLS as it should.", "Another address"),
    ("More than 5 redirects.", "Another address"),
    ("The server redirects to a URL that is not fetched: The URL names no host.",
     "Another address"),
    ("The server did not answer in proper HTTP.", "Another address"),
    ("The content is larger than 6 MiB.", "too much"),
    ("Its text is too long: more than 4,000,000 characters.", "too much"),
    ("The file could not be decoded as audio: it is longer than 10 hours.", "too much"),
    ("The file could not be decoded as audio: it is damaged, or not a recording of a known "
     "format.", "recording itself"),
    ("The file could not be decoded as audio: it has no audio track.", "recording itself"),
    ("Failed to load audio: ffmpeg ... Invalid data found when processing input",
     "recording itself"),
    ("The file could not be decoded as audio: it holds no sound.", "silence"),
    ("No speech was heard in this recording.", "silence"),
    ("There is no text in it.", "silence"),
    ("Whisper answered without a transcription.", "silence"),
    ("No text was found on this page.", "script"),
    ("This page could not be read.", "script"),
    ("This page is too tangled to be read in time.", "script"),
    ("Replicate refused the request (402): Insufficient credit", "account at Replicate"),
    ("Replicate refused the request (401): Unauthenticated", "account at Replicate"),
    ("Replicate refused the request (422): audio: must be a URL", "not to blame"),
    (FORGOTTEN, "not to blame"),
    (STUCK, "not to blame"),
    (UNASKED, "not to blame"),
    (UNFORESEEN, "log"),
    ("The model could not be set up: no weights", "log"),
    ("The embedding model answered 3 vectors for 4 texts.", "not to blame"),
    ("The model stopped 3 times while it ran this prediction: the model's process ended",
     "not to blame"),
    ("Prediction interrupted; please retry (code: PA)", "not to blame"),
    ("CUDA out of memory. Tried to allocate 2.00 GiB", "not to blame"),
    *((why, "not to blame") for why in WHY.values()),
    ("The prediction was canceled at Replicate.", "not to blame"),  # as it was once spelt
]  # fmt: skip


@pytest.mark.parametrize(("error", "words"), FAILURES)
def test_a_failure_tells_what_failed_and_what_to_do(error: str, words: str) -> None:
    failed = thing(S.PROCESSING_ERROR, error=error)
    seen = standing(failed, Progress(), BEGAN)
    assert seen.trouble == f"It could not be turned into text: {error}"
    assert words in seen.advice
    assert seen.percent is None


@pytest.mark.parametrize("status", [S.PROCESSING_ERROR, S.EMBEDDINGS_ERROR])
@pytest.mark.parametrize("error", [None, "", "ValueError: told to fail", "no audio in it"])
def test_any_other_failure_can_be_tried_again(status: S, error: str | None) -> None:
    failed = thing(status, error=error)
    assert advice(failed) == NEXT[status]
    assert standing(failed, Progress(), BEGAN).trouble.endswith(error or "no reason was given.")


def test_every_end_of_a_prediction_has_words() -> None:
    for status in ("failed", "canceled", "aborted"):
        why = Prediction("p", status).why_it_failed()
        assert "not to blame" in advice(replace(thing(S.EMBEDDINGS_ERROR), error=why))

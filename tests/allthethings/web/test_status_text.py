"""How a thing stands, in words: for every state, and for every error that a thing can end with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.errors import ErrorCode as E
from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.lifecycle import CANCELLED
from allthethings.pipeline.progress import Progress
from allthethings.web.advice import ADVICE, BY_STAGE, RETRY, WAITED_TOO_LONG
from allthethings.web.status_text import standing
from tests.allthethings.web.in_memory import BEGAN, make_asset

AWAY = str(ServiceUnavailable("Replicate", "no answer from its API"))
PAGE = {"content_type": "text/html"}


def thing(status: S, **changed: Any) -> Asset:
    return make_asset(1, status, **changed)


@pytest.mark.parametrize(
    ("asset", "progress", "percent", "doing"),
    [
        (thing(S.SUBMITTED), Progress(), 2, "Being sent to the model"),
        (thing(S.SUBMITTED, **PAGE), Progress(), 5, "Being read"),
        (thing(S.PROCESSING), Progress(), 5, "Text requested from a model"),
        (thing(S.PROCESSING), Progress(running=False), 5, "Waiting for a model"),
        (
            thing(S.PROCESSING),
            Progress(ahead=1, running=False),
            5,
            "Waiting for a model. 1 thing is ahead of it.",
        ),
        (
            thing(S.PROCESSING),
            Progress(ahead=1234),
            5,
            "Waiting for a model. 1,234 things are ahead of it.",
        ),
        (thing(S.PROCESSING), Progress(running=True), 5, "Being transcribed"),
        (thing(S.PROCESSING), Progress(running=True, share=0.0), 5, "0% transcribed"),
        (thing(S.PROCESSING), Progress(running=True, share=0.37), 25, "37% transcribed"),
        (thing(S.PROCESSING), Progress(running=True, share=1.0), 60, "100% transcribed"),
        (thing(S.PROCESSED), Progress(total=1), 60, "Cut into 1 passage"),
        (thing(S.PROCESSED, **PAGE), Progress(total=40), 25, "Cut into 40 passages"),
        (
            thing(S.GENERATING_EMBEDDINGS),
            Progress(total=40, ahead=2),
            64,
            "Waiting for the embedding model. 2 things are ahead of it.",
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
    assert seen.trouble == "Waiting: Replicate is not available: no answer from its API."
    assert seen.advice == f"It will be tried again automatically {when}."
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


@pytest.mark.parametrize("code", [code for code in E if code is not E.MODEL_FAILED])
def test_a_failure_tells_what_failed_and_what_to_do(code: E) -> None:
    failed = thing(S.PROCESSING_ERROR, error="The server answered 404.", error_code=code)
    seen = standing(failed, Progress(), BEGAN)
    assert seen.trouble == "It could not be turned into text: The server answered 404."
    assert seen.advice == {**ADVICE, **WAITED_TOO_LONG}[code]
    assert seen.percent is None


@pytest.mark.parametrize("status", [S.PROCESSING_ERROR, S.EMBEDDINGS_ERROR])
@pytest.mark.parametrize("code", [None, E.MODEL_FAILED])
@pytest.mark.parametrize("error", [None, "", "ValueError: told to fail", "no audio in it"])
def test_any_other_failure_can_be_tried_again(status: S, code: E | None, error: str | None) -> None:
    """A model's own words, and what failed before there were codes: the sentence, and advice by
    the stage."""
    failed = thing(status, error=error, error_code=code)
    seen = standing(failed, Progress(), BEGAN)
    assert seen.advice == BY_STAGE[status]
    assert seen.trouble.endswith(error or "unknown reason.")


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (-60, "at any moment"),
        (1, "at any moment"),
        (30, "in about 30 s"),
        (88, "in about 90 s"),
        (100, "in about 2 min"),
        (1_800, "in about 30 min"),
    ],
)
def test_what_waits_for_another_attempt_says_which_and_when(seconds: float, when: str) -> None:
    begins = BEGAN + timedelta(seconds=seconds)
    asset = thing(
        S.SUBMITTED,
        error="The server answered 503.",
        error_code=E.SERVER_UNAVAILABLE,
        retryable=True,
        attempt=2,
        next_attempt_at=begins,
        lease_until=begins,
    )
    seen = standing(asset, Progress(), BEGAN)
    assert seen.trouble == "The server answered 503."
    assert seen.advice == f"Attempt 2 of 5 {when}."
    assert seen.doing == "Waiting"


def test_a_later_attempt_under_way_says_so() -> None:
    asset = thing(S.PROCESSING, attempt=3)
    assert standing(asset, Progress(running=True), BEGAN).doing.endswith("(attempt 3 of 5)")


def test_what_failed_after_some_attempts_says_how_many() -> None:
    failed = thing(
        S.PROCESSING_ERROR,
        error="The server answered 503.",
        error_code=E.SERVER_UNAVAILABLE,
        attempt=5,
    )
    seen = standing(failed, Progress(), BEGAN)
    assert seen.advice == f"It was tried 5 times. {ADVICE[E.SERVER_UNAVAILABLE]}"


def test_a_full_database_says_what_to_do_while_it_waits() -> None:
    asset = thing(S.SUBMITTED, error="MongoDB is not available", error_code=E.DATABASE_FULL)
    seen = standing(asset, Progress(), BEGAN)
    assert seen.advice.endswith(ADVICE[E.DATABASE_FULL])


@pytest.mark.parametrize("code", WAITED_TOO_LONG)
def test_what_waited_too_long_is_not_said_to_continue(code: E) -> None:
    asset = thing(S.PROCESSING_ERROR, error="MongoDB is not available.", error_code=code)
    seen = standing(asset, Progress(), BEGAN)
    assert seen.advice == WAITED_TOO_LONG[code]
    assert seen.advice.endswith(RETRY)
    assert "continues" not in seen.advice

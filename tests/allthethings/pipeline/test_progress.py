"""Replicate is asked seldom, and never waited for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from allthethings.errors import ServiceUnavailable
from allthethings.pipeline import progress
from allthethings.pipeline.progress import Answers
from allthethings.replicate.predictions import Prediction
from tools.harness.waiting import wait_for

RUNNING = Prediction("p", "processing")


def test_many_who_watch_are_one_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_TO_WAIT", 30.0)
    asked: list[str] = []

    def get(prediction_id: str) -> Prediction:
        asked.append(prediction_id)
        return RUNNING

    answers = Answers(get)
    assert answers.latest("p") is RUNNING
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(answers.latest, ["p"] * 50)) == {RUNNING}
    assert asked == ["p"]


def test_it_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_TO_WAIT", 30.0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    told = iter([RUNNING, Prediction("p", "succeeded")])
    answers = Answers(lambda _prediction_id: next(told))
    statuses = [answers.latest("p"), answers.latest("p")]
    assert [each.status for each in statuses if each] == ["processing", "succeeded"]


def test_nobody_waits_for_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_TO_WAIT", 0.01)
    go, asked = threading.Event(), []

    def get(prediction_id: str) -> Prediction:
        asked.append(prediction_id)
        go.wait(60)
        return RUNNING

    answers = Answers(get)
    names = [f"p{number}" for number in range(progress.MAX_REQUESTS + 3)]
    # While it hangs: no answer, no second question, and no more than some questions in all.
    assert [answers.latest(name) for name in names + names] == [None] * (2 * len(names))
    assert sorted(asked) == names[: progress.MAX_REQUESTS]
    go.set()
    wait_for(lambda: answers.latest(names[0]), "the answer that came late")
    wait_for(lambda: answers.latest(names[-1]), "an answer to who was not asked for at first")


def test_an_answer_of_before_is_kept_while_replicate_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "SECONDS_TO_WAIT", 30.0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    asked = []

    def get(prediction_id: str) -> Prediction:
        asked.append(prediction_id)
        if len(asked) > 1:
            raise ServiceUnavailable("Replicate", "no answer from its API")
        return RUNNING

    answers = Answers(get)
    assert [answers.latest("p") for _ in range(5)] == [RUNNING] * 5
    assert len(asked) == 2


def test_what_was_watched_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_TO_WAIT", 30.0)
    monkeypatch.setattr(progress, "MAX_ANSWERS", 2)
    asked: list[str] = []

    def get(prediction_id: str) -> Prediction:
        asked.append(prediction_id)
        return RUNNING

    answers = Answers(get)
    for name in ("a", "b", "c", "c", "a"):
        answers.latest(name)
    assert asked == ["a", "b", "c", "a"]

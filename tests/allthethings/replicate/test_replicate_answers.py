"""What the client makes of answers that the SDK was not made for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allthethings.errors import ServiceUnavailable
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction
from tools.harness.servers import answer, serving

ABORTED = {"id": "p1", "model": "m", "version": "v", "status": "aborted", "input": {}, "urls": {}}


def answered(body: bytes, ask: Callable[[ReplicateClient], Any]) -> Any:
    """What comes of asking a Replicate that answers so."""
    headers = ["Content-Type: application/json", "Connection: close"]
    with serving(answer(body, *headers)) as server:
        return ask(ReplicateClient("r8_of_the_tests", server.url("")))


def test_an_aborted_prediction_has_ended() -> None:
    found = answered(json.dumps(ABORTED).encode(), lambda client: client.get("p1"))
    assert found == Prediction("p1", "aborted", version="v")


def test_cancelling_an_aborted_prediction_is_nothing() -> None:
    answered(json.dumps(ABORTED).encode(), lambda client: client.cancel("p1"))


@pytest.mark.parametrize("removed", [True, False])
def test_replicate_says_itself_that_an_output_is_removed(removed: bool) -> None:
    """However long ago it was made: an operator can keep outputs for longer, or for less time."""
    ended = datetime.now(UTC) - timedelta(seconds=0 if removed else 86_400)
    told = {**ABORTED, "status": "succeeded", "output": None, "completed_at": ended.isoformat()}
    body = json.dumps({**told, "data_removed": removed}).encode()
    found = answered(body, lambda client: client.get("p1"))
    assert found.lost_its_output is removed


def test_a_time_that_is_none_is_left_out() -> None:
    body = json.dumps({**ABORTED, "status": "succeeded", "started_at": "soon"}).encode()
    found = answered(body, lambda client: client.get("p1"))
    assert (found.status, found.started_at) == ("succeeded", None)


@pytest.mark.parametrize("identity", ["", "..", "a/../b", "p1?x", "p1#", "é", "a b", "x" * 201])
def test_what_cannot_be_an_id_is_not_asked_for(identity: str) -> None:
    assert ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9").get(identity) is None


def found_among(page: Any) -> str | None:
    """The id of the prediction of version `v` that a list of predictions has."""
    since = datetime(2025, 3, 1, tzinfo=UTC)
    found = answered(
        json.dumps(page).encode(),
        lambda client: client.find("v", since, lambda values: values == {"text": "x"}),
    )
    return found.id if found else None


def test_rows_of_another_shape_are_passed_over() -> None:
    row = {"id": "p1", "status": "succeeded", "version": "v", "input": {"text": "x"}}
    row["created_at"] = "2025-03-01T12:29:00.123456Z"
    odd = [None, {}, {**row, "id": 5}, {**row, "created_at": "soon"}, {**row, "input": None}]
    assert found_among({"results": [*odd, row], "next": None}) == "p1"
    assert found_among({"results": [{**row, "status": "aborted"}], "next": None}) is None


@pytest.mark.parametrize("page", [[], {}, {"results": None}, {"results": [], "next": 5}])
def test_a_list_of_another_shape_is_refused(page: Any) -> None:
    with pytest.raises(ServiceUnavailable, match="its answer was not understood"):
        found_among(page)


@pytest.mark.parametrize("body", [b"{}", b'{"id": 5}', b"<html>", b'{"detail": "no"}'])
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get("p1"),
        lambda client: client.create("v", {}, "http://gateway.test/"),
        lambda client: client.run("v", {}),
    ],
)
def test_an_answer_that_is_no_prediction(
    body: bytes, ask: Callable[[ReplicateClient], Any]
) -> None:
    with pytest.raises(ServiceUnavailable, match="its answer was not"):
        answered(body, ask)

"""What the client makes of answers that the SDK was not made for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from allthethings.errors import ServiceUnavailable
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction
from tests.guardedfetch.servers import answer, serving

ABORTED = {"id": "p1", "model": "m", "version": "v", "status": "aborted", "input": {}, "urls": {}}


def answered(body: bytes, ask: Callable[[ReplicateClient], Any]) -> Any:
    """What comes of asking a Replicate that answers so."""
    headers = ["Content-Type: application/json", "Connection: close"]
    with serving(answer(body, *headers)) as server:
        return ask(ReplicateClient("r8_of_the_tests", server.url("")))


def test_an_aborted_prediction_has_ended() -> None:
    found = answered(json.dumps(ABORTED).encode(), lambda client: client.get("p1"))
    assert found == Prediction("p1", "aborted")


def test_cancelling_an_aborted_prediction_is_nothing() -> None:
    answered(json.dumps(ABORTED).encode(), lambda client: client.cancel("p1"))


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

"""Each request has its rule, and what the gateway sends fits its rule."""

from __future__ import annotations

import pytest

from allthethings.web.rules import RULES
from guardedserve.lanes import Lane, lane_of
from localcloud.hookdeck import delivery, ingest

LANES = [Lane(rule) for rule in RULES]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "pages"),
        ("/assets/1", "pages"),
        ("/static/app.js", "pages"),
        ("*", "pages"),
        ("/healthz", "health"),
        ("/webhooks/audio/1", "callbacks"),
        ("/webhooks/embedding/1/0-0", "callbacks"),
        ("/search", "search"),
        ("/search.atom", "search"),
        ("/process", "submissions"),
        ("/check", "submissions"),
    ],
)
def test_the_rule_of_a_path(path: str, name: str) -> None:
    assert lane_of(LANES, path).rule.name == name


def test_deliveries_of_the_gateway_are_taken() -> None:
    rule = lane_of(LANES, "/webhooks/audio/1").rule
    assert rule.max_body == ingest.MAX_BODY
    assert rule.threads + rule.waiting >= delivery.CONCURRENCY

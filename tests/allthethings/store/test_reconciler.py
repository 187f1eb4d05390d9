"""How often the reconciler acts while many things wait for their models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import pytest

from allthethings.mongo import Database
from allthethings.pipeline import reconciler
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import SELDOM, Reconciler
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction, parse_prediction
from allthethings.store.documents import now
from tests.allthethings.store.assets import insert

PATIENCE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


class LongQueue(ReplicateClient):
    """A Replicate where no prediction begins."""

    def get(self, prediction_id: str) -> Prediction | None:
        return parse_prediction({"id": prediction_id, "status": "starting"})


@pytest.fixture
def waiting(database: Database, steps: Pipeline) -> Iterator[Reconciler]:
    with contextlib.closing(LongQueue("r8_of_the_tests", "http://127.0.0.1:9")) as replicate:
        yield Reconciler(database, replicate, steps, PATIENCE, timedelta(hours=1))


@pytest.mark.parametrize(
    ("waited", "pause"),
    [(PATIENCE, PATIENCE), (3 * MINUTE, 3 * MINUTE), (90 * MINUTE, SELDOM * PATIENCE)],
)
def test_what_waits_long_is_asked_for_seldom(
    database: Database, waiting: Reconciler, waited: timedelta, pause: timedelta
) -> None:
    since, fields = now() - waited, {"replicate_process_id": "p", "lease_until": now()}
    thing = insert(database, status="PROCESSING", updated_at=since, history=[], **fields)
    assert waiting.reconcile() == 1
    until = database.assets.existing(thing).lease_until
    assert until is not None
    assert abs(until - now() - pause) < timedelta(seconds=10)
    assert waiting.reconcile() == 0


def test_owners_that_have_ended_are_looked_for_now_and_then(
    database: Database, waiting: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[int]()
    monkeypatch.setattr(database.leases, "shorten", lambda: looks.append(1))
    for _ in range(3):
        waiting.reconcile()
    assert len(looks) == 1
    monkeypatch.setattr(reconciler, "SHORTEN_EVERY", 0.0)
    waiting.reconcile()
    assert len(looks) == 2

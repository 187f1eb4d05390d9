"""The reconciler and a callback act on one thing at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from bson import ObjectId

from allthethings.errors import ErrorCode
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import SENTENCES, Reconciler
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.store.passages import PassageStore
from tests.faults.apart import PATIENCE, OwnReplicate, left, own_database, pipeline_of
from tests.faults.things import recording
from tools.harness.cloud import Cloud
from tools.harness.site import Site
from tools.harness.waiting import wait_for

DEADLINE = timedelta(hours=1)


class Quick(OwnReplicate):
    """The callback of a cancelled prediction is there before the answer to the cancel."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.call_back: Callable[[str], None] = lambda _prediction_id: None

    def cancel(self, prediction_id: str) -> None:
        super().cancel(prediction_id)
        self.call_back(prediction_id)


class LastMoment(PassageStore):
    """A callback brings all vectors just before it is asked which are still owed."""

    def owed(self, asset_id: str) -> list[tuple[str, int, int]]:
        self.embed(asset_id, 0, [[0.5] * 768], "p1")
        return super().owed(asset_id)


@pytest.fixture
def database(cloud: Cloud) -> Iterator[Database]:
    with own_database(cloud, "interleaved") as database:
        database.passages = LastMoment(database.passages.collection)
        yield database


@pytest.fixture
def replicate(cloud: Cloud) -> Iterator[Quick]:
    with closing(Quick(cloud)) as replicate:
        yield replicate


@pytest.fixture
def pipeline(database: Database, replicate: Quick) -> Pipeline:
    return pipeline_of(database, replicate, callbacks="")


@pytest.fixture
def reconciler(database: Database, replicate: Quick, pipeline: Pipeline) -> Reconciler:
    return Reconciler(database, replicate, pipeline, PATIENCE, DEADLINE)


def test_vectors_that_come_while_they_are_asked_after(
    database: Database, reconciler: Reconciler
) -> None:
    asset_id = left(database, "GENERATING_EMBEDDINGS", timedelta(minutes=1))
    database.passages.collection.insert_one(
        {
            "_id": f"{asset_id}:0",
            "asset_id": ObjectId(asset_id),
            "position": 0,
            "text": "It came late.",
            "locator": {},
            "replicate_embedding_id": "p1",
            "replicate_embedding_range": [0, 0],
        }
    )
    assert reconciler.reconcile() == 1
    assert outcome(database, asset_id) == ("SEARCHABLE", None)


def test_what_was_given_up_says_so_although_its_callback_comes_at_once(
    database: Database, replicate: Quick, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/stuck.mp3", recording("It hangs.", "wait"))
    asked = replicate.create(WHISPER_VERSION, {"audio": url}, "http://127.0.0.1:9/nobody")
    ago = timedelta(minutes=1)
    asset_id = left(database, "PROCESSING", ago, replicate_process_id=asked.id)
    replicate.call_back = lambda prediction_id: pipeline.text.record(
        asset_id, {"id": prediction_id, "status": "canceled", "output": None}
    )
    wait_for(lambda: begun(replicate, asked.id), "the model at work")
    assert Reconciler(database, replicate, pipeline, PATIENCE, timedelta(0)).reconcile() == 1
    assert outcome(database, asset_id) == (
        "PROCESSING_ERROR",
        SENTENCES[ErrorCode.PREDICTION_TIMED_OUT],
    )
    cancelled = replicate.get(asked.id)
    assert cancelled is not None
    assert cancelled.status == "canceled"


def begun(replicate: Quick, prediction_id: str) -> bool:
    prediction = replicate.get(prediction_id)
    return prediction is not None and prediction.status == "processing"


def outcome(database: Database, asset_id: str) -> tuple[str, str | None]:
    asset = database.assets.get(asset_id)
    assert asset is not None
    return asset.status, asset.error


def test_a_reconciler_that_is_slow_takes_up_everything_all_the_same(
    database: Database, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allthethings.store.leases.LEASE", timedelta(0))
    ids = [
        left(database, "GENERATING_EMBEDDINGS", timedelta(minutes=1), url_key=f"http://a/{number}")
        for number in range(3)
    ]
    assert reconciler.reconcile() == len(ids)
    assert {outcome(database, asset_id)[0] for asset_id in ids} == {"EMBEDDINGS_ERROR"}

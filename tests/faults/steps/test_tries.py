"""A thing is cancelled and begun again while somebody acts on it: the first try ends with that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from bson import ObjectId

from allthethings.assets.asset import AssetStatus
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.generators import EMBEDDING_VERSION
from allthethings.mongo import Database
from allthethings.pipeline.embedding_stage import BATCH
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import SENTENCES, Reconciler
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.replicate.predictions import Prediction, parse_prediction
from allthethings.sources.fetch import Download
from allthethings.store.documents import now
from allthethings.store.passages import PassageStore
from tests.faults.apart import (
    NOWHERE,
    PATIENCE,
    Watched,
    as_it_is,
    existing,
    in_parts,
    left,
    nothing,
)
from tests.faults.things import recording
from tools.harness.site import Site
from tools.harness.waiting import wait_for

S = AssetStatus


class Interrupted(PassageStore):
    """Something happens before it is said which predictions are owed."""

    before_owed: Callable[[], object] = staticmethod(nothing)

    def owed(self, asset_id: str) -> list[tuple[str, int, int]]:
        meanwhile, self.before_owed = self.before_owed, nothing
        meanwhile()
        return super().owed(asset_id)


def reconciler_of(
    database: Database, replicate: Watched, pipeline: Pipeline, deadline: timedelta
) -> Reconciler:
    return Reconciler(database, replicate, pipeline, PATIENCE, deadline)


def free(database: Database, asset_id: str) -> None:
    """Nobody holds it."""
    database.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": now(), "lease_owner": None}}
    )


def begun_again(database: Database, asset_id: str, status: AssetStatus) -> None:
    """A person has cancelled it, and another try has just begun."""
    failed = S.PROCESSING_ERROR if status is S.SUBMITTED else S.EMBEDDINGS_ERROR
    assert database.transitions.move(asset_id, failed, note={"cancelled": True})
    assert database.transitions.start_again(existing(database, asset_id), status, [])


def test_vectors_are_asked_for_by_one_try_alone(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    """The first try notices within one batch; the second asks for all that is wanted."""
    asset_id = in_parts(database, 4 * BATCH)
    asking, over = threading.Event(), threading.Event()
    second = threading.Thread(target=lambda: pipeline.lifecycle.retry(asset_id))

    def meanwhile(number: int) -> None:
        if threading.current_thread() is second:
            asking.set()
            over.wait(60)
        elif number == 3:
            pipeline.lifecycle.cancel(asset_id)
            second.start()
            assert asking.wait(60)

    replicate.after_create = meanwhile
    pipeline.embeddings.request(asset_id)
    over.set()
    second.join(60)
    first, others = replicate.created[:3], replicate.created[3:]
    assert existing(database, asset_id).status is S.GENERATING_EMBEDDINGS
    owed = database.passages.owed(asset_id)
    assert {prediction_id for prediction_id, _, _ in owed} == set(others)
    assert [span for _, *span in sorted(owed, key=lambda each: each[1])] == [
        [begin, begin + BATCH - 1] for begin in range(0, 4 * BATCH, BATCH)
    ]
    wait_for(lambda: {*map(replicate.status, first)} == {"canceled"}, "the first one's end")


def test_what_was_stuck_is_not_waited_for_again(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    asset_id = in_parts(database, 1)
    pipeline.embeddings.request(asset_id)
    (stuck,) = replicate.created
    wait_for(lambda: replicate.status(stuck) == "processing", "the model at work")
    free(database, asset_id)
    assert reconciler_of(database, replicate, pipeline, timedelta(0)).reconcile() == 1
    asset = existing(database, asset_id)
    assert (asset.status, asset.error) == (
        S.EMBEDDINGS_ERROR,
        SENTENCES[ErrorCode.PREDICTION_TIMED_OUT],
    )
    pipeline.lifecycle.retry(asset_id)
    late = {"id": stuck, "status": "canceled", "output": None}
    pipeline.embeddings.record(asset_id, 0, 0, late)
    assert existing(database, asset_id).status is S.GENERATING_EMBEDDINGS
    assert database.passages.owed(asset_id) == [(replicate.created[1], 0, 0)]


def test_what_waits_for_its_turn_is_not_stuck(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    pipeline.embeddings.request(in_parts(database, 1))
    wait_for(lambda: replicate.status(replicate.created[0]) == "processing", "its turn")
    behind = in_parts(database, 1, "http://127.0.0.1/behind")
    pipeline.embeddings.request(behind)
    free(database, behind)
    assert reconciler_of(database, replicate, pipeline, timedelta(0)).reconcile() == 1
    asset = existing(database, behind)
    assert (asset.status, asset.error) == (S.GENERATING_EMBEDDINGS, None)
    assert replicate.status(replicate.created[1]) == "starting"


def test_a_model_that_runs_on_after_a_failure_is_stopped_by_retry(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    """It was given up while Replicate could not be asked for it."""
    url = site.add("/runs-on.mp3", recording("It runs on.", "wait"))
    first = replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE).id
    wait_for(lambda: replicate.status(first) == "processing", "the model at work")
    failed = {"replicate_process_id": first, "error_code": "replicate_unavailable"}
    asset_id = left(database, "PROCESSING_ERROR", timedelta(0), url=url, **failed)
    pipeline.lifecycle.retry(asset_id)
    assert existing(database, asset_id).replicate_process_id == replicate.created[1]
    wait_for(lambda: replicate.status(first) == "canceled", "its end")


def test_a_verdict_on_the_first_try_does_not_end_the_second(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/verdict.mp3", recording("It hangs.", "wait"))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=url)
    pipeline.text.process(existing(database, asset_id))
    (first,) = replicate.created
    wait_for(lambda: replicate.status(first) == "processing", "the model at work")
    free(database, asset_id)

    def meanwhile(prediction: Prediction) -> Prediction:
        replicate.seen = as_it_is
        pipeline.lifecycle.cancel(asset_id)
        pipeline.lifecycle.retry(asset_id)
        return prediction

    replicate.seen = meanwhile
    assert reconciler_of(database, replicate, pipeline, timedelta(0)).reconcile() == 1
    asset = existing(database, asset_id)
    assert (asset.status, asset.replicate_process_id) == (S.PROCESSING, replicate.created[1])


def test_vectors_that_nobody_has_asked_for_yet_are_no_error(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    """The reconciler looks when the second try has not asked yet."""
    asset_id = in_parts(database, 1)
    pipeline.embeddings.request(asset_id)
    free(database, asset_id)
    database.passages = Interrupted(database.passages.collection)

    def meanwhile() -> None:
        begun_again(database, asset_id, S.PROCESSED)
        database.passages.forget_requests(asset_id, replicate.created)

    database.passages.before_owed = meanwhile
    assert reconciler_of(database, replicate, pipeline, timedelta(0)).reconcile() == 1
    asset = existing(database, asset_id)
    assert (asset.status, asset.error) == (S.PROCESSED, None)


def test_vectors_whose_callback_is_late_are_not_asked_for_again(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    asset_id = in_parts(database, 1, ending="text")
    pipeline.embeddings.request(asset_id)
    (first,) = replicate.created
    wait_for(lambda: replicate.status(first) == "succeeded", "its vectors")
    failed = {"status": "EMBEDDINGS_ERROR", "error": "Another batch failed."}
    database.assets.collection.update_one({}, {"$set": failed})
    pipeline.lifecycle.retry(asset_id)
    assert existing(database, asset_id).status is S.SEARCHABLE
    assert replicate.created == [first]


@pytest.mark.parametrize("fails", [True, False])
def test_a_page_that_comes_too_late_is_not_the_second_tries(
    database: Database, pipeline: Pipeline, fails: bool
) -> None:
    asset_id = left(database, "SUBMITTED", timedelta(0), content_type="text/html")

    def download(url: str, _max_bytes: int) -> Download:
        begun_again(database, asset_id, S.SUBMITTED)
        if fails:
            raise UnusableThing("The server took too long.")
        return Download(url, b"<p>What the first try was answered with.</p>" * 20, "utf-8")

    pipeline.text._tools = replace(pipeline.text._tools, download=download)
    pipeline.text.process(existing(database, asset_id))
    asset = existing(database, asset_id)
    assert (asset.status, asset.error, asset.text) == (S.SUBMITTED, None, None)
    assert database.passages.of(asset_id) == []


def test_what_replicate_has_thrown_away_is_asked_for_again(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/thrown-away.mp3", recording("Who comes late."))
    asked = replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE)
    wait_for(lambda: replicate.status(asked.id) == "succeeded", "its end")
    asset_id = left(
        database, "PROCESSING", timedelta(hours=2), url=url, replicate_process_id=asked.id
    )

    replicate.seen = lambda told: replace(told, output=None, data_removed=True)
    assert reconciler_of(database, replicate, pipeline, timedelta(hours=1)).reconcile() == 1
    asset = existing(database, asset_id)
    assert (asset.status, asset.replicate_process_id) == (S.PROCESSING, replicate.created[1])
    assert asset.replaced_process_ids == (asked.id,)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_vectors_of_an_older_text_change_nothing(
    database: Database,
    replicate: Watched,
    pipeline: Pipeline,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody has noted the request, as after a crash, and the text is another by now."""
    asset_id = in_parts(database, 1)
    output = [{"embedding": [0.5] * 768}] if status == "succeeded" else None
    late = {"id": "of-the-older-text", "status": status, "output": output}

    def told_with(text: str) -> Prediction:
        texts = {"text_batch": json.dumps([text])}
        return replace(
            parse_prediction(late), input=texts, version=EMBEDDING_VERSION, error="told to fail"
        )

    monkeypatch.setattr(replicate, "get", lambda _: told_with("What stood there before."))
    pipeline.embeddings.record(asset_id, 0, 0, late)
    assert existing(database, asset_id).status is S.PROCESSED
    monkeypatch.setattr(replicate, "get", lambda _: told_with("vectors:wait 0"))
    pipeline.embeddings.record(asset_id, 0, 0, late)
    outcome = S.SEARCHABLE if status == "succeeded" else S.EMBEDDINGS_ERROR
    assert existing(database, asset_id).status is outcome


def test_a_worker_that_lost_its_lease_writes_nothing(
    database: Database, pipeline: Pipeline
) -> None:
    """Its download took longer than the lease, and another worker has claimed the asset."""
    asset_id = left(database, "SUBMITTED", timedelta(minutes=1), content_type="text/html")

    def download(url: str, _max_bytes: int) -> Download:
        free(database, asset_id)
        assert database.leases.claim(asset_id, S.SUBMITTED) is not None
        return Download(url, b"<p>What the first worker was answered with.</p>" * 20, "utf-8")

    pipeline.text._tools = replace(pipeline.text._tools, download=download)
    held = database.leases.claim(asset_id, S.SUBMITTED)
    assert held is not None
    pipeline.text.process(held)
    assert existing(database, asset_id).status is S.SUBMITTED
    assert database.passages.of(asset_id) == []


@pytest.fixture
def shared(database: Database, replicate: Watched, pipeline: Pipeline) -> tuple[str, str]:
    """Two things of the same text that wait for one prediction: the second has looked for a record
    that was lost, and found the first one's."""
    first, second = (in_parts(database, 1, f"http://127.0.0.1/{each}") for each in ("a", "b"))
    pipeline.embeddings.request(first)
    pipeline.embeddings.request(second, look_for_lost=True)
    assert database.passages.owed(first) == database.passages.owed(second)
    assert len(replicate.created) == 1
    return first, second


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_who_found_a_prediction_of_another_asks_again_when_that_is_ended(
    database: Database, replicate: Watched, pipeline: Pipeline, shared: tuple[str, str], act: str
) -> None:
    first, second = shared
    getattr(pipeline.lifecycle, act)(first)
    wait_for(lambda: replicate.status(replicate.created[0]) == "canceled", "the cancellation")
    reconciler = reconciler_of(database, replicate, pipeline, timedelta(hours=1))
    for status in (S.PROCESSED, S.GENERATING_EMBEDDINGS):
        free(database, second)
        reconciler.reconcile()
        assert existing(database, second).status is status
    assert existing(database, second).attempt == 2
    assert database.passages.owed(second) == [(replicate.created[1], 0, 0)]


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_who_found_a_prediction_of_another_leaves_it_running(
    database: Database, replicate: Watched, pipeline: Pipeline, shared: tuple[str, str], act: str
) -> None:
    first, second = shared
    getattr(pipeline.lifecycle, act)(second)
    told = replicate.get(replicate.created[0])
    assert told is not None
    assert not told.finished
    assert existing(database, first).status is S.GENERATING_EMBEDDINGS


def test_a_deletion_that_was_interrupted_leaves_it_running_too(
    database: Database, replicate: Watched, pipeline: Pipeline, shared: tuple[str, str]
) -> None:
    _, second = shared
    database.deletions.remove_asset(database.deletions.begin(existing(database, second)))
    reconciler_of(database, replicate, pipeline, timedelta(hours=1)).reconcile()
    assert replicate.status(replicate.created[0]) in ("starting", "processing")
    assert database.deletions.pending(5) == []

"""A model that fails in passing is asked again, a handful of times."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from allthethings.assets.asset import AssetStatus
from allthethings.errors import ErrorCode
from allthethings.mongo import Database
from allthethings.pipeline.attempts import MAX_ATTEMPTS
from allthethings.replicate.predictions import Prediction
from allthethings.store.documents import now
from tests.faults.apart import (
    Watched,
    existing,
    in_parts,
    left,
)
from tests.faults.steps.attempting import Make, ended
from tests.faults.things import recording
from tools.harness.site import Site

S, E = AssetStatus, ErrorCode
INTERRUPTED = "Prediction interrupted; please retry (code: PA)"


def test_a_model_that_was_interrupted_is_asked_once_more(
    database: Database, make: Make, replicate: Watched, site: Site
) -> None:
    url = site.add("/interrupted.mp3", recording("It was interrupted."))
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=url)
    reconciler.reconcile()
    (first,) = replicate.created
    failed = {"id": first, "status": "failed", "error": INTERRUPTED}
    for _ in range(3):  # a callback may come more than once
        pipeline.text.record(asset_id, failed)
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt, asset.error) == (S.SUBMITTED, 2, INTERRUPTED)
    assert (asset.error_code, asset.replaced_process_ids) == (E.MODEL_INTERRUPTED, (first,))
    assert replicate.created == [first]

    reconciler.reconcile()
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt, asset.error) == (S.PROCESSING, 2, None)
    assert [asset.replicate_process_id] == replicate.created[1:]
    pipeline.text.record(asset_id, failed)
    assert existing(database, asset_id).status is S.PROCESSING


def test_batches_that_are_interrupted_together_are_one_failed_attempt(
    database: Database, make: Make, replicate: Watched
) -> None:
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 70)
    reconciler.reconcile()
    assert len(replicate.created) == 3
    first, second, third = replicate.created
    failed = {"status": "failed", "error": INTERRUPTED}
    pipeline.embeddings.record(asset_id, 0, 31, {"id": first, **failed})
    pipeline.embeddings.record(asset_id, 32, 63, {"id": second, **failed})
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.PROCESSED, 2)
    assert asset.replaced_process_ids == (first, second)

    # What is still under way brings its vectors in between.
    vectors = [{"embedding": [0.5] * 768}] * 6
    told = {"id": third, "status": "succeeded", "output": vectors}
    pipeline.embeddings.record(asset_id, 64, 69, told)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.GENERATING_EMBEDDINGS, 2)
    assert len(replicate.created) == 5
    owed = database.passages.owed(asset_id)
    assert {prediction for prediction, _, _ in owed} == set(replicate.created[3:])


def test_a_batch_that_fails_while_the_next_attempt_requests_is_tried_again(
    database: Database, make: Make, replicate: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 70)
    reconciler.reconcile()
    failed = {"status": "failed", "error": INTERRUPTED}
    for number, (first, last) in enumerate([(0, 31), (32, 63)]):
        told = {"id": replicate.created[number], **failed}
        pipeline.embeddings.record(asset_id, first, last, told)
    create = replicate.create

    def created(version: str, values: Any, webhook: str) -> Prediction:
        prediction = create(version, values, webhook)
        if len(replicate.created) == 5:  # the second batch of the second attempt
            told = {"id": replicate.created[3], **failed}
            pipeline.embeddings.record(asset_id, 0, 31, told)
        return prediction

    monkeypatch.setattr(replicate, "create", created)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.PROCESSED, 3)
    assert asset.next_attempt_at is not None
    reconciler.reconcile()
    assert existing(database, asset_id).status is S.GENERATING_EMBEDDINGS
    positions = {
        place for _, first, last in database.passages.owed(asset_id) for place in (first, last)
    }
    assert positions == {0, 31, 32, 63, 64, 69}


def test_a_batch_that_fails_while_the_others_are_looked_at_is_requested_anew(
    database: Database, make: Make, replicate: Watched
) -> None:
    """Its callback comes right after Replicate has told that it still runs."""
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 70)
    reconciler.reconcile()
    first, second, third = replicate.created
    failed = {"status": "failed", "error": "told to fail"}
    pipeline.embeddings.record(asset_id, 0, 31, {"id": first, **failed})
    assert existing(database, asset_id).status is S.EMBEDDINGS_ERROR
    told: list[str] = []

    def seen(prediction: Prediction) -> Prediction:
        if prediction.id == first or (prediction.id == second and told):
            return replace(prediction, status="failed", error="told to fail")
        if prediction.id == second:
            told.append(second)
            pipeline.embeddings.record(asset_id, 32, 63, {"id": second, **failed})
        return prediction

    replicate.seen = seen
    pipeline.lifecycle.retry(asset_id)
    assert existing(database, asset_id).status is S.GENERATING_EMBEDDINGS
    owed = {prediction for prediction, _, _ in database.passages.owed(asset_id)}
    assert owed == {third, *replicate.created[3:]}
    assert len(replicate.created) == 5


def test_embeddings_that_fail_again_and_again_are_an_error(
    database: Database, make: Make, replicate: Watched
) -> None:
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 1)
    for number in range(MAX_ATTEMPTS):
        reconciler.reconcile()
        assert len(replicate.created) == number + 1
        failed = {"id": replicate.created[-1], "status": "failed", "error": INTERRUPTED}
        pipeline.embeddings.record(asset_id, 0, 0, failed)
    asset = existing(database, asset_id)
    assert (asset.status, asset.error_code) == (S.EMBEDDINGS_ERROR, E.MODEL_INTERRUPTED)
    assert reconciler.reconcile() == 0


def test_a_late_word_of_an_interrupted_model_starts_nothing(
    database: Database, make: Make, replicate: Watched
) -> None:
    pipeline, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 1)
    reconciler.reconcile()
    (asked,) = replicate.created
    pipeline.lifecycle.cancel(asset_id)
    cancelled = existing(database, asset_id)
    late = {"id": asked, "status": "failed", "error": INTERRUPTED}
    pipeline.embeddings.record(asset_id, 0, 0, late)
    assert existing(database, asset_id) == cancelled
    assert replicate.created == [asked]


def test_a_model_that_fails_after_such_a_fault_is_the_next_attempt(
    database: Database, make: Make, replicate: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt after the fault goes on where it was: nothing of it is planned."""
    pipeline, reconciler = make()
    asset_id = in_parts(database, 1)
    reconciler.reconcile()
    (asked,) = replicate.created

    def fault(_: str) -> Prediction:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(replicate, "get", fault)
        reconciler.reconcile()
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.GENERATING_EMBEDDINGS, 2)
    failed = {"id": asked, "status": "failed", "error": INTERRUPTED}
    pipeline.embeddings.record(asset_id, 0, 0, failed)
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.PROCESSED, 3)
    assert asset.error_code is E.MODEL_INTERRUPTED


def test_outputs_that_expired_together_are_asked_for_once(
    database: Database, make: Make, replicate: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 70)
    reconciler.reconcile()
    looks = []

    def expired(prediction_id: str) -> Prediction:
        looks.append(prediction_id)
        return Prediction(prediction_id, "succeeded", data_removed=True)

    monkeypatch.setattr(replicate, "get", expired)
    database.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": now()}}
    )
    reconciler.reconcile()
    assert (len(replicate.created), len(looks)) == (6, 4)
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.GENERATING_EMBEDDINGS, 2)


def test_an_output_that_expires_again_and_again_is_an_error(
    database: Database, make: Make, replicate: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reconciler = make()

    def expired(prediction_id: str) -> Prediction:
        return Prediction(prediction_id, "succeeded", data_removed=True)

    monkeypatch.setattr(replicate, "get", expired)
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id="p")
    asset = ended(database, reconciler, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.OUTPUT_EXPIRED)
    assert len(replicate.created) == MAX_ATTEMPTS - 1

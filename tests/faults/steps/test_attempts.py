"""Passing faults are tried again without anybody's help, a handful of times; others end at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS, MAX_ATTEMPTS
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.processors.processor import MAX_TEXT
from allthethings.replicate.predictions import Prediction
from allthethings.store.documents import now, too_large
from allthethings.store.transitions import Transitions
from tests.faults.apart import (
    Watched,
    existing,
    left,
)
from tests.faults.steps.attempting import Make, ended, flaky
from tools.harness.servers import Server, answer, serving
from tools.harness.site import Site

S, E = AssetStatus, ErrorCode


def again(asset: Asset) -> list[tuple[str, int, str]]:
    """The attempts that the history tells of, with their reasons."""
    return [
        (entry["status"], entry["attempt"], entry["error_code"])
        for entry in asset.history
        if entry.get("again")
    ]


def test_a_flaky_server_needs_nobody(database: Database, make: Make) -> None:
    pipeline, reconciler = make()
    with serving(flaky(3)) as server:
        asset = existing(database, pipeline.submission.submit(server.url("/flaky")).id)
        assert (asset.status, asset.attempt, asset.error) == (
            S.SUBMITTED,
            2,
            "The server answered 503.",
        )
        assert (asset.error_code, asset.retryable) == (E.SERVER_UNAVAILABLE, True)
        assert asset.next_attempt_at is not None
        asset = ended(database, reconciler, asset.id)
    assert asset.status is S.SEARCHABLE
    assert again(asset) == [
        ("SUBMITTED", 2, "server_unavailable"),
        ("SUBMITTED", 3, "server_unavailable"),
    ]
    assert (asset.error, asset.error_code, asset.next_attempt_at) == (None, None, None)
    assert (asset.attempt, asset.retryable) == (1, False)


def test_after_a_handful_of_attempts_it_is_an_error(
    database: Database, make: Make, replicate: Watched
) -> None:
    pipeline, reconciler = make()
    with serving(flaky(1_000)) as server:
        asset_id = pipeline.submission.submit(server.url("/down")).id
        asset = ended(database, reconciler, asset_id)
        assert asset.status is S.PROCESSING_ERROR
        assert (asset.attempt, asset.error_code) == (MAX_ATTEMPTS, E.SERVER_UNAVAILABLE)
        assert len(again(asset)) == MAX_ATTEMPTS - 1
        asked = server.connections
        assert reconciler.reconcile() == 0
        assert server.connections == asked == 2 + MAX_ATTEMPTS  # two before the first

        pipeline.lifecycle.retry(asset_id)
        asset = existing(database, asset_id)
        assert (asset.status, asset.attempt) == (S.SUBMITTED, 2)  # the count began anew
        ended(database, reconciler, asset_id)
        assert server.connections == 2 + 2 * MAX_ATTEMPTS
    assert replicate.created == []


@pytest.fixture
def waiting(make: Make) -> Iterator[tuple[str, Pipeline, Reconciler, Server]]:
    """An asset whose second attempt begins in half a minute; its server answers well by now."""
    pipeline, reconciler = make(INTERVALS)
    with serving(flaky(2)) as server:
        asset_id = pipeline.submission.submit(server.url("/flaky")).id
        assert reconciler.reconcile() == 0
        yield asset_id, pipeline, reconciler, server


def test_the_wait_grows_and_nobody_takes_it_up_before(
    database: Database, waiting: tuple[str, Pipeline, Reconciler, Server]
) -> None:
    asset_id, _, reconciler, server = waiting
    assert sorted(INTERVALS) == list(INTERVALS)
    asset = existing(database, asset_id)
    assert asset.next_attempt_at is not None
    assert INTERVALS[0] - (asset.next_attempt_at - now()) < timedelta(seconds=20)
    assert reconciler.reconcile() == 0
    assert server.connections == 3  # two before the first attempt, and that


def test_retry_does_not_wait(
    database: Database, waiting: tuple[str, Pipeline, Reconciler, Server]
) -> None:
    asset_id, pipeline, _, _ = waiting
    asset = pipeline.lifecycle.retry(asset_id)
    assert (asset.status, asset.attempt) == (S.GENERATING_EMBEDDINGS, 1)
    assert existing(database, asset_id).next_attempt_at is None


def test_cancel_ends_the_wait(
    database: Database, waiting: tuple[str, Pipeline, Reconciler, Server]
) -> None:
    asset_id, pipeline, reconciler, server = waiting
    asset = pipeline.lifecycle.cancel(asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.CANCELLED)
    assert asset.next_attempt_at is None
    database.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": now()}}
    )
    assert reconciler.reconcile() == 0
    assert server.connections == 3


def test_a_fault_that_nobody_foresaw_is_an_attempt_too(
    database: Database, make: Make, replicate: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prediction that runs is left alone."""
    _, reconciler = make()
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id="p")

    def fault(_: str) -> Prediction:
        raise ZeroDivisionError

    monkeypatch.setattr(replicate, "get", fault)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt, asset.replicate_process_id) == (S.PROCESSING, 2, "p")
    asset = ended(database, reconciler, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.UNFORESEEN)
    assert asset.attempt == MAX_ATTEMPTS


def test_what_is_wrong_for_good_ends_at_once(database: Database, make: Make, site: Site) -> None:
    pipeline, _ = make()
    asset_id = left(
        database, "SUBMITTED", timedelta(0), url=site.url("/none"), content_type="text/html"
    )
    claimed = database.leases.claim(asset_id, S.SUBMITTED)
    assert claimed is not None
    pipeline.text.process(claimed)
    asset = existing(database, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.NOT_FOUND)
    assert asset.history[-1]["error_code"] == "not_found"


class Full(Transitions):
    """The document of an asset is as large as MongoDB lets it be."""

    def move(self, asset_id: str, to: AssetStatus, **changes: Any) -> bool:
        if "text" in changes:
            raise too_large()
        return super().move(asset_id, to, **changes)

    def note_delivery(self, *_: object) -> None:
        raise too_large()


def test_a_text_that_no_document_holds_ends_it(database: Database, make: Make) -> None:
    database.transitions = Full(database.assets.collection)
    pipeline, _ = make()
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id="p1")
    told = {"id": "p1", "status": "succeeded", "output": {"transcription": "Words."}}
    pipeline.text.record(asset_id, told)
    asset = existing(database, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.TEXT_TOO_LONG)
    assert asset.error == "Its text is too long to be stored."
    pipeline.lifecycle.note_delivery(asset_id, {"event": "e1"})  # is answered well all the same


def test_a_text_of_few_characters_and_many_bytes_is_too_long(
    database: Database, make: Make
) -> None:
    pipeline, _ = make()
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id="p1")
    text = "\U0001d4b3" * (MAX_TEXT - 1)
    told = {"id": "p1", "status": "succeeded", "output": {"transcription": text}}
    pipeline.text.record(asset_id, told)
    asset = existing(database, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.TEXT_TOO_LONG)
    assert "14,680,064 bytes" in (asset.error or "")


def test_who_submits_to_a_busy_server_is_told_to_come_again(make: Make) -> None:
    pipeline, _ = make()
    busy = answer(b"", status="503 Service Unavailable")
    with serving(busy) as server, pytest.raises(UnusableThing) as caught:
        pipeline.submission.submit(server.url("/"))
    assert caught.value.refusal == "The server answered 503. Trying again later can help."


def test_an_asset_of_the_version_before_has_no_code(database: Database) -> None:
    asset = existing(database, left(database, "PROCESSING_ERROR", timedelta(0), error="It broke."))
    assert (asset.error, asset.error_code, asset.retryable) == ("It broke.", None, False)
    assert (asset.attempt, asset.next_attempt_at) == (1, None)


def test_a_code_of_a_later_version_is_no_fault(database: Database) -> None:
    fields = {"error": "New.", "error_code": "not_yet_invented", "retryable": True}
    asset = existing(database, left(database, "PROCESSING_ERROR", timedelta(0), **fields))
    assert (asset.error, asset.error_code, asset.retryable) == ("New.", None, True)

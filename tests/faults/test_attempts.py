"""Passing faults are tried again without anybody's help, a handful of times; others end at once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, ServiceUnavailable, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS, MAX_ATTEMPTS, OUTAGE_LIMIT
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import KEPT, Prediction
from allthethings.store.documents import now
from tests.faults.apart import (
    OwnReplicate,
    existing,
    in_parts,
    left,
    own_database,
    pipeline_of,
)
from tests.faults.things import make_thing, recording
from tools.harness.cloud import Cloud
from tools.harness.servers import Server, answer, serving
from tools.harness.site import Site
from tools.harness.waiting import wait_for

S, E = AssetStatus, ErrorCode
NOWHERE = "http://127.0.0.1:9/nobody"
AT_ONCE: Sequence[timedelta] = (timedelta(0),) * len(INTERVALS)
THING = make_thing("flaky", Random(11))
INTERRUPTED = "Prediction interrupted; please retry (code: PA)"


class Counting(OwnReplicate):
    """Counts what is asked for; all of it ends with the test."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.created: list[str] = []

    def create(self, version: str, values: Any, webhook: str) -> Prediction:
        prediction = super().create(version, values, webhook)
        self.created.append(prediction.id)
        return prediction

    def close(self) -> None:
        for prediction_id in self.created:
            self.cancel(prediction_id)
        super().close()


@pytest.fixture
def database(cloud: Cloud) -> Iterator[Database]:
    with own_database(cloud, "attempts") as database:
        yield database


@pytest.fixture
def replicate(cloud: Cloud) -> Iterator[Counting]:
    with closing(Counting(cloud)) as replicate:
        yield replicate


Make = Callable[..., tuple[Pipeline, Reconciler]]


@pytest.fixture
def make(database: Database, replicate: Counting) -> Make:
    """The steps and a reconciler that lets no time pass between two attempts."""

    def make(
        intervals: Sequence[timedelta] = AT_ONCE,
        patience: timedelta = timedelta(0),
        client: ReplicateClient = replicate,
    ) -> tuple[Pipeline, Reconciler]:
        pipeline = pipeline_of(database, client, NOWHERE, "127.0.0.1", intervals, patience)
        hour = timedelta(hours=1)
        return pipeline, Reconciler(database, client, pipeline, patience, hour)

    return make


def flaky(failures: int) -> Callable[[socket.socket, bytes], None]:
    """A server that answers GET so many times 503, and then well; HEAD always well."""
    seen: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        fails = head.startswith(b"GET") and len(seen) < failures
        if head.startswith(b"GET"):
            seen.append(head)
        kind = "Content-Type: text/html; charset=utf-8"
        page = THING.page().body
        status = "503 Service Unavailable" if fails else "200 OK"
        answer(page, kind, status=status)(connection, head)

    return script


def ended(database: Database, reconciler: Reconciler, asset_id: str) -> Asset:
    """The asset, when the reconciler has brought it to an end."""

    def end() -> bool:
        reconciler.reconcile()
        return existing(database, asset_id).finished

    wait_for(end, "an end")
    return existing(database, asset_id)


def again(asset: Asset) -> list[tuple[str, int, str]]:
    """The attempts that the history tells of, with their reasons."""
    return [
        (entry["status"], entry["attempt"], entry["error_code"])
        for entry in asset.history
        if entry.get("again")
    ]


def test_a_flaky_server_needs_nobody(database: Database, make: Make) -> None:
    pipeline, reconciler = make()
    with serving(flaky(2)) as server:
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
    database: Database, make: Make, replicate: Counting
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
        assert server.connections == asked == 1 + MAX_ATTEMPTS  # one probe

        pipeline.lifecycle.retry(asset_id)
        asset = existing(database, asset_id)
        assert (asset.status, asset.attempt) == (S.SUBMITTED, 2)  # the count began anew
        ended(database, reconciler, asset_id)
        assert server.connections == 1 + 2 * MAX_ATTEMPTS
    assert replicate.created == []


@pytest.fixture
def waiting(make: Make) -> Iterator[tuple[str, Pipeline, Reconciler, Server]]:
    """An asset whose second attempt begins in half a minute; its server answers well by now."""
    pipeline, reconciler = make(INTERVALS)
    with serving(flaky(1)) as server:
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
    assert server.connections == 2  # the probe, and the first attempt


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
    assert server.connections == 2


def test_a_model_that_was_interrupted_is_asked_once_more(
    database: Database, make: Make, replicate: Counting, site: Site
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
    database: Database, make: Make, replicate: Counting
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


def test_embeddings_that_fail_again_and_again_are_an_error(
    database: Database, make: Make, replicate: Counting
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
    database: Database, make: Make, replicate: Counting
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


@pytest.mark.parametrize("status", ["SUBMITTED", "PROCESSING"])
def test_credentials_that_are_refused_end_it_at_once(
    cloud: Cloud, database: Database, make: Make, status: str
) -> None:
    stranger = ReplicateClient("r8_of_nobody", cloud.endpoints["REPLICATE_BASE_URL"])
    _, reconciler = make(client=stranger)
    asset_id = left(database, status, timedelta(minutes=1), replicate_process_id="a" * 26)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    stranger._sdk._client.close()  # the SDK has no other way
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.REPLICATE_ACCOUNT)
    assert (asset.attempt, asset.retryable) == (1, False)
    assert "refused the request (401)" in (asset.error or "")


@pytest.mark.parametrize(("since", "ends"), [(timedelta(minutes=1), False), (OUTAGE_LIMIT, True)])
def test_a_service_that_is_away_is_waited_for_but_not_for_ever(
    database: Database, make: Make, since: timedelta, ends: bool
) -> None:
    away = ReplicateClient("r8_token", "http://127.0.0.1:9")
    _, reconciler = make(client=away)
    fields = {"attempt": 2, "outage_since": now() - since}
    asset_id = left(database, "SUBMITTED", timedelta(0), url="http://x.test/", **fields)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    away._sdk._client.close()
    assert asset.status is (S.PROCESSING_ERROR if ends else S.SUBMITTED)
    assert (asset.error_code, asset.retryable) == (E.REPLICATE_UNAVAILABLE, True)
    assert (asset.attempt, asset.next_attempt_at) == (2, None)
    assert (asset.outage_since is None) is ends


def test_a_fault_that_nobody_foresaw_is_an_attempt_too(
    database: Database, make: Make, replicate: Counting, monkeypatch: pytest.MonkeyPatch
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


def test_a_model_that_fails_after_such_a_fault_is_the_next_attempt(
    database: Database, make: Make, replicate: Counting, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize("since", [timedelta(minutes=1), OUTAGE_LIMIT])
def test_a_document_waits_for_a_full_database_but_not_for_ever(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch, since: timedelta
) -> None:
    _, reconciler = make()
    full = ServiceUnavailable("MongoDB", "its disk is full", E.DATABASE_FULL)

    def put(*_: object) -> bool:
        raise full

    monkeypatch.setattr(database.passages, "put", put)
    with serving(flaky(0)) as server:
        fields = {"url": server.url("/"), "content_type": "text/html"}
        asset_id = left(database, "SUBMITTED", timedelta(0), outage_since=now() - since, **fields)
        reconciler.reconcile()
    asset = existing(database, asset_id)
    ends = since == OUTAGE_LIMIT
    assert asset.status is (S.PROCESSING_ERROR if ends else S.SUBMITTED)
    assert (asset.error, asset.error_code) == (str(full), E.DATABASE_FULL)


def test_outputs_that_expired_together_are_asked_for_once(
    database: Database, make: Make, replicate: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reconciler = make(patience=timedelta(hours=1))
    asset_id = in_parts(database, 70)
    reconciler.reconcile()
    long_ago, looks = now() - KEPT - timedelta(minutes=1), []

    def expired(prediction_id: str) -> Prediction:
        looks.append(prediction_id)
        return Prediction(prediction_id, "succeeded", completed_at=long_ago)

    monkeypatch.setattr(replicate, "get", expired)
    database.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": now()}}
    )
    reconciler.reconcile()
    assert (len(replicate.created), len(looks)) == (6, 4)
    asset = existing(database, asset_id)
    assert (asset.status, asset.attempt) == (S.GENERATING_EMBEDDINGS, 2)


def test_an_output_that_expires_again_and_again_is_an_error(
    database: Database, make: Make, replicate: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reconciler = make()
    long_ago = now() - KEPT - timedelta(minutes=1)

    def expired(prediction_id: str) -> Prediction:
        return Prediction(prediction_id, "succeeded", completed_at=long_ago)

    monkeypatch.setattr(replicate, "get", expired)
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id="p")
    asset = ended(database, reconciler, asset_id)
    assert (asset.status, asset.error_code) == (S.PROCESSING_ERROR, E.OUTPUT_EXPIRED)
    assert len(replicate.created) == MAX_ATTEMPTS - 1


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

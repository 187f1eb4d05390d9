"""A service that is away is waited for, for a day at most; credentials that it refuses end it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allthethings.assets.asset import AssetStatus
from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.attempts import OUTAGE_LIMIT
from allthethings.replicate.client import ReplicateClient
from allthethings.store.documents import now
from tests.faults.apart import (
    existing,
    in_parts,
    left,
)
from tests.faults.steps.attempting import Make, flaky
from tools.harness.cloud import Cloud
from tools.harness.servers import serving

S, E = AssetStatus, ErrorCode


@pytest.mark.parametrize("status", ["PROCESSED", "SUBMITTED"])
def test_a_wait_for_a_service_is_told_once(
    database: Database, make: Make, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    away = ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")
    _, reconciler = make(client=away)
    asset_id = (
        in_parts(database, 1) if status == "PROCESSED" else left(database, status, timedelta(0))
    )
    reconciler.reconcile()
    assert existing(database, asset_id).outage_since is not None
    assert [record.message for record in caplog.records if "waits" in record.message] == [
        f"asset {asset_id} waits: Replicate is not available: no answer from its API"
    ]


@pytest.mark.parametrize("status", ["SUBMITTED", "PROCESSING"])
def test_credentials_that_are_refused_end_it_at_once(
    cloud: Cloud, database: Database, make: Make, status: str
) -> None:
    stranger = ReplicateClient("r8_of_nobody", cloud.endpoints["REPLICATE_BASE_URL"])
    _, reconciler = make(client=stranger)
    asset_id = left(database, status, timedelta(minutes=1), replicate_process_id="a" * 26)
    reconciler.reconcile()
    asset = existing(database, asset_id)
    stranger.close()
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
    away.close()
    assert asset.status is (S.PROCESSING_ERROR if ends else S.SUBMITTED)
    assert (asset.error_code, asset.retryable) == (E.REPLICATE_UNAVAILABLE, True)
    assert (asset.attempt, asset.next_attempt_at) == (2, None)
    assert (asset.outage_since is None) is ends


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

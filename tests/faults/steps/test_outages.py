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
    Watched,
    existing,
    in_parts,
    left,
)
from tests.faults.steps.attempting import Make, flaky
from tests.faults.test_told import tagged
from tests.faults.things import recording
from tools.harness.cloud import Cloud
from tools.harness.servers import serving
from tools.harness.site import Site

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


def test_a_request_whose_answer_was_lost_is_found_after_a_long_outage(
    database: Database,
    replicate: Watched,
    make: Make,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allthethings.replicate.client.CLOCK_SKEW", timedelta(0))  # it was longer
    url = site.add("/lost.mp3", tagged(recording("It goes on.", "wait")))
    asset_id = left(database, "SUBMITTED", timedelta(minutes=5), url=url)

    def lose(number: int) -> None:
        if number == 1:
            raise ServiceUnavailable("Replicate", "no answer from its API")

    replicate.after_create = lose
    away = ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")
    for client in (replicate, away, replicate):
        make(client=client)[1].reconcile()
        database.assets.collection.update_one({}, {"$set": {"lease_until": now()}})
    away.close()
    assert existing(database, asset_id).replicate_process_id == replicate.created[0]
    assert len(replicate.created) == 1


def test_the_server_of_a_thing_is_left_alone_while_replicate_is_away(
    database: Database, make: Make
) -> None:
    away = ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")
    _, reconciler = make(client=away)
    with serving(flaky(0)) as server:
        left(database, "SUBMITTED", timedelta(0), url=server.url("/"))
        reconciler.reconcile()
        assert server.requests == []
    away.close()


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

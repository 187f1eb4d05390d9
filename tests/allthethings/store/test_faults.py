"""A fault of the app's own ends one step, and keeps nothing else waiting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from allthethings.assets.looks import Schedule
from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.store.deletions import Deletion
from allthethings.store.documents import now
from tests.allthethings.store.assets import insert

HOUR = timedelta(hours=1)


def fault(*_: object, **__: object) -> Any:
    raise ZeroDivisionError


def test_a_look_with_a_fault_is_planned_anew(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allthethings.pipeline.looks.download_again", fault)
    asset_id = insert(database)
    database.look_schedule.choose(ObjectId(asset_id), Schedule.DAILY, Schedule.NEVER)
    due = {"look_again_at": database.assets.existing(asset_id).created_at}
    database.assets.collection.update_one({}, {"$set": due})
    steps.looks.take(asset_id)
    asset = database.assets.existing(asset_id)
    assert (asset.looks.error_code, asset.looks.failures) == (ErrorCode.UNFORESEEN, 1)
    assert asset.looking_until is None
    assert database.look_schedule.due(10) == []


def test_a_look_at_a_list_with_a_fault_is_planned_anew(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allthethings.pipeline.following.download_again", fault)
    asset_id = insert(database)
    database.lists.open(asset_id, None)
    database.lists.look_now(asset_id)
    steps.following.take(asset_id)
    made = database.imports.get(asset_id)
    assert made
    assert (made.looks.error_code, made.looks.failures) == (ErrorCode.UNFORESEEN, 1)
    assert database.lists.schedule.due(10) == []


@pytest.mark.parametrize("error", [ZeroDivisionError(), ServiceUnavailable("MongoDB", "a test")])
def test_a_deletion_with_a_fault_keeps_nothing_waiting(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ids = [insert(database) for _ in range(2)]
    for each in ids:
        database.deletions.begin(database.assets.existing(each))
    waiting = insert(database, status="GENERATING_EMBEDDINGS", lease_until=now())
    finish = steps.lifecycle.finish_deletion

    def or_fail(deletion: Deletion) -> None:
        if deletion.asset_id == ids[0]:
            raise error
        finish(deletion)

    monkeypatch.setattr(steps.lifecycle, "finish_deletion", or_fail)
    replicate = steps.text._tools.replicate
    reconciler = Reconciler(database, replicate, steps, timedelta(0), HOUR)
    assert reconciler.reconcile() == 1
    assert [each.asset_id for each in database.deletions.pending(10)] == ids[:1]
    assert database.assets.existing(waiting).failed

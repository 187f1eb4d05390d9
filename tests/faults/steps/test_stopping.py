"""A worker that is told to stop leaves what it has not begun to the others."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from allthethings.mongo import Database
from allthethings.store.documents import now
from tests.faults.apart import existing, in_parts
from tests.faults.steps.attempting import Make


def test_what_was_claimed_and_not_begun_is_free_at_once(database: Database, make: Make) -> None:
    ids = [in_parts(database, 1, f"http://127.0.0.1/{number}") for number in range(3)]
    _, reconciler = make(patience=timedelta(hours=1))
    asked = count()
    # Before the group is claimed, and before the first of it.
    taken = reconciler.reconcile(stopping=lambda: next(asked) > 1)
    assert taken == 1
    left = [existing(database, each) for each in ids]
    assert sorted(each.status for each in left) == ["GENERATING_EMBEDDINGS", *["PROCESSED"] * 2]
    assert len(database.leases.unfinished(10)) == 2
    held = database.assets.collection.count_documents({"lease_owner": {"$ne": None}})
    assert held == 0
    assert all(each.lease_until and each.lease_until <= now() for each in left[1:])


def test_nothing_is_claimed_any_more(database: Database, make: Make) -> None:
    asset_id = in_parts(database, 1)
    _, reconciler = make()
    assert reconciler.reconcile(stopping=lambda: True) == 0
    assert existing(database, asset_id).status == "PROCESSED"

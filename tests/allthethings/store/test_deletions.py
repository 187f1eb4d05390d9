"""A deletion is complete, or known to be interrupted."""

from __future__ import annotations

from allthethings.mongo import Database
from allthethings.store.asset_list import AssetFilter, PageRequest
from allthethings.store.deletions import Deletion
from tests.allthethings.store.assets import insert


def test_a_deleted_asset_is_neither_found_nor_counted(database: Database) -> None:
    asset_id, other = insert(database), insert(database)
    deletion = database.deletions.begin(database.assets.existing(asset_id))
    database.deletions.remove_asset(deletion)  # and nothing after it
    assert database.assets.get(asset_id) is None
    assert list(database.assets.many([asset_id, other])) == [other]
    assert [asset.id for asset in database.assets.page(PageRequest()).assets] == [other]
    assert database.assets.count(AssetFilter()) == 1
    assert database.deletions.pending(5) == [deletion]
    database.deletions.end(deletion)
    assert database.deletions.pending(5) == []


def test_what_runs_for_a_deleted_asset_is_known_after_a_crash(database: Database) -> None:
    asset_id = insert(database, status="PROCESSING", replicate_process_id="p1")
    database.deletions.begin(database.assets.existing(asset_id))
    [pending] = database.deletions.pending(5)
    assert pending == Deletion(asset_id, "p1")
    assert database.deletions.remove_asset(pending) == {"p1"}
    assert database.deletions.remove_asset(pending) == {"p1"}


def test_a_prediction_that_was_asked_for_in_between_is_known_too(database: Database) -> None:
    asset_id = insert(database, status="SUBMITTED")
    deletion = database.deletions.begin(database.assets.existing(asset_id))
    database.assets.collection.update_many(
        {}, {"$set": {"status": "PROCESSING", "replicate_process_id": "p2"}}
    )
    assert database.deletions.remove_asset(deletion) == {"p2"}


def test_the_url_of_a_deleted_asset_is_free(database: Database) -> None:
    made = database.transitions.insert("http://a/", "http://a/", "audio", "audio/mpeg", None)
    database.deletions.remove_asset(database.deletions.begin(made))
    again = database.transitions.insert("http://a/", "http://a/", "audio", "audio/mpeg", None)
    assert again.id != made.id

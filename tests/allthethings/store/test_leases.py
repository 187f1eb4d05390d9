"""Leases have owners: of two workers, one acts on an asset."""

from __future__ import annotations

from datetime import timedelta

from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.store.documents import now
from allthethings.store.leases import LEASE
from tests.allthethings.store.assets import THEN, insert

S = AssetStatus


def left(database: Database, status: AssetStatus = S.PROCESSED) -> str:
    """An asset that nobody holds."""
    return insert(database, status=status.value, lease_until=THEN, history=[])


def claimed(database: Database, asset_id: str) -> Asset:
    asset = database.leases.claim(asset_id, S.PROCESSED)
    assert asset is not None
    return asset


def expire(database: Database, asset_id: str) -> None:
    database.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": THEN}}
    )


def taken_over(database: Database) -> tuple[Asset, Asset]:
    """The asset as its first worker holds it, and as the second does, who came when it expired."""
    asset_id = left(database)
    first = claimed(database, asset_id)
    assert database.leases.claim(asset_id, S.PROCESSED) is None
    expire(database, asset_id)
    return first, claimed(database, asset_id)


def lease_of(database: Database, asset: Asset) -> tuple[str | None, bool]:
    """Who holds the asset, and whether for some time still."""
    document = database.assets.collection.find_one({"_id": ObjectId(asset.id)})
    assert document is not None
    return document["lease_owner"], document["lease_until"] > now() + LEASE / 2


def test_two_claims_have_two_owners(database: Database) -> None:
    first, second = taken_over(database)
    assert first.lease_owner
    assert second.lease_owner
    assert first.lease_owner != second.lease_owner


def test_only_who_holds_a_lease_has_a_fresh_one(database: Database) -> None:
    asset_id = left(database)
    held = claimed(database, asset_id)
    assert database.leases.is_fresh(held)
    database.leases.release_to_model(held, 2 * LEASE)  # nobody takes it up before
    waiting = database.assets.existing(asset_id)
    assert not database.leases.is_fresh(waiting)


def test_an_attempt_that_begins_does_not_wait_any_more(database: Database) -> None:
    told = {"error": "The server answered 503.", "error_code": "server_unavailable"}
    waits = {"next_attempt_at": THEN, "retryable": True, "attempt": 2, **told}
    asset_id = left(database)
    database.assets.collection.update_one({"_id": ObjectId(asset_id)}, {"$set": waits})
    asset = claimed(database, asset_id)
    assert (asset.attempt, asset.next_attempt_at, asset.error) == (2, None, None)
    assert asset.lease_owner


def test_who_waits_for_a_service_still_says_so_when_it_is_claimed(database: Database) -> None:
    asset_id = left(database)
    told = {"error": "Replicate is not available", "outage_since": THEN}
    database.assets.collection.update_one({"_id": ObjectId(asset_id)}, {"$set": told})
    asset = claimed(database, asset_id)
    assert (asset.error, asset.outage_since) == ("Replicate is not available", THEN)


def test_only_the_owner_renews(database: Database) -> None:
    first, second = taken_over(database)
    expire(database, second.id)
    assert not database.leases.renew(first)
    assert lease_of(database, second) == (second.lease_owner, False)
    assert database.leases.renew(second)
    assert lease_of(database, second) == (second.lease_owner, True)


def test_only_the_owner_releases(database: Database) -> None:
    first, second = taken_over(database)
    away = ServiceUnavailable("Replicate", "no answer")
    database.leases.release_in_outage(first, LEASE, away, THEN)
    assert lease_of(database, second) == (second.lease_owner, True)
    assert database.assets.existing(second.id).error is None
    database.leases.release_in_outage(second, timedelta(0), away, THEN)
    assert lease_of(database, second) == (None, False)
    waiting = database.assets.existing(second.id)
    assert (waiting.error, waiting.error_code) == (str(away), ErrorCode.SERVICE_UNAVAILABLE)
    assert (waiting.retryable, waiting.outage_since) == (True, THEN)
    third = claimed(database, second.id)
    database.leases.release_to_model(third, timedelta(0))
    at_the_model = database.assets.existing(second.id)
    assert (at_the_model.error, at_the_model.outage_since) == (None, None)


def test_only_the_owner_moves_it(database: Database) -> None:
    first, second = taken_over(database)
    assert not database.transitions.move(first.id, S.GENERATING_EMBEDDINGS, same_try=first)
    assert database.transitions.start_again(first, S.PROCESSED, []) is None
    assert database.transitions.move(second.id, S.GENERATING_EMBEDDINGS, same_try=second)


def test_a_callback_moves_what_a_worker_holds(database: Database) -> None:
    """It holds no lease; whoever does is too late."""
    asset_id = left(database)
    held, seen = claimed(database, asset_id), database.assets.existing(asset_id)
    assert seen.lease_owner is None
    assert database.transitions.move(asset_id, S.SEARCHABLE, same_try=seen)
    assert not database.leases.renew(held)
    assert not database.transitions.move(asset_id, S.EMBEDDINGS_ERROR, same_try=held)


def test_what_was_started_again_is_held_by_who_did_that(database: Database) -> None:
    asset_id = left(database)
    held = claimed(database, asset_id)
    again = database.transitions.start_again(database.assets.existing(asset_id), S.PROCESSED, [])
    assert again is not None
    assert not database.leases.renew(held)
    assert database.leases.renew(again)
    assert database.leases.claim(asset_id, S.PROCESSED) is None


def test_a_new_asset_is_held_by_who_submitted_it(database: Database) -> None:
    asset = database.transitions.insert("http://a/", "http://a/", "audio", "audio/mpeg", None)
    assert database.leases.claim(asset.id, S.SUBMITTED) is None
    assert database.leases.renew(asset)


def test_what_is_held_off_is_not_claimed(database: Database) -> None:
    asset_id = left(database)
    database.leases.release_to_model(claimed(database, asset_id), timedelta(hours=1))
    assert database.leases.claim(asset_id, S.PROCESSED) is None
    assert database.leases.unfinished(5) == []


def test_documents_of_the_version_before_are_claimed(database: Database) -> None:
    """Theirs have no owner."""
    asset_id = left(database)
    assert [asset.id for asset in database.leases.unfinished(5)] == [asset_id]
    assert claimed(database, asset_id).id == asset_id
    assert database.leases.unfinished(5) == []

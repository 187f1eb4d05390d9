"""Leases: one worker at a time acts on an asset outside of callbacks.

A lease has an owner, a name that only the worker knows who claimed it, and an end, after which
another worker may claim the asset. Between two steps an asset has no owner, and the end of its
lease is when somebody may take it up next.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument
from pymongo.collection import Collection

from allthethings.assets.asset import UNFINISHED, Asset, AssetStatus
from allthethings.errors import IndexingError
from allthethings.store.asset_documents import (
    WITHOUT_TEXT,
    error_fields,
    in_status,
    to_asset,
)
from allthethings.store.documents import Document, available, now
from allthethings.store.owners import is_gone, new_owner

# How long a lease lasts without a renewal. The longest step between two renewals is a download
# with the parse of it: 8 and 25 seconds at most. The cut of the longest text takes about 5 seconds
# of CPU.
LEASE = timedelta(seconds=60)
# How long a lease lasts on once its owner is known to have ended: what it has asked Replicate for
# last has to be there before another worker looks for it.
AFTER_THE_END = timedelta(seconds=10)

_OWNER = {"_id": 0, "lease_owner": 1}


class Leases:
    """Claims assets, and gives them back."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def claim(self, asset_id: str, status: AssetStatus) -> Asset | None:
        """Take the lease of an asset in that status. Returns the asset without its text; None if
        another worker holds it."""
        # An attempt that begins waits for nothing, and does not tell any more why the last one
        # failed. That is rare, so the other claim comes first.
        begins = {**error_fields(None), "next_attempt_at": None}
        return self._claim(asset_id, status, {"next_attempt_at": None}, {}) or self._claim(
            asset_id, status, {"next_attempt_at": {"$ne": None}}, begins
        )

    def _claim(
        self, asset_id: str, status: AssetStatus, waiting: Document, fields: Document
    ) -> Asset | None:
        lease = new_lease()
        with available():
            document = self._collection.find_one_and_update(
                {
                    "_id": ObjectId(asset_id),
                    "status": status.value,
                    "lease_until": {"$lte": now()},
                    **waiting,
                },
                {"$set": {**lease, **fields}},
                WITHOUT_TEXT,
                return_document=ReturnDocument.AFTER,
            )
        return to_asset(document, lease["lease_owner"]) if document else None

    def is_fresh(self, asset: Asset) -> bool:
        """Whether most of the lease is left that the caller claimed, so that no other worker can
        have taken it."""
        until = asset.lease_until if asset.lease_owner is not None else None
        return until is not None and until - now() > LEASE * 0.9

    def renew(self, asset: Asset) -> bool:
        """Hold a claimed asset for the length of another lease. False if another worker has taken
        it, or if it has moved on."""
        with available():
            result = self._collection.update_one(
                {**_held(asset), "status": asset.status.value},
                {"$set": {"lease_until": now() + LEASE}},
            )
        return result.matched_count == 1

    def hold(self, asset: Asset) -> bool:
        """As `renew`, but a fresh lease is left as it is."""
        return self.is_fresh(asset) or self.renew(asset)

    def give_back(self, asset: Asset) -> None:
        """Let another worker take up a claimed asset at once, as it was claimed."""
        self._release(asset, timedelta(0), {})

    def release_to_model(self, asset: Asset, hold_off: timedelta) -> None:
        """Give back a claimed asset that waits for nothing but its model; nobody takes it up
        before `hold_off`. Changes nothing if another worker has taken the asset, or if it has
        moved on."""
        cleared = {"outage_since": None, "next_attempt_at": None}
        self._release(asset, hold_off, {**error_fields(None), **cleared})

    def release_in_outage(
        self, asset: Asset, hold_off: timedelta, error: IndexingError, since: datetime
    ) -> None:
        """As `release_to_model`, for an asset that has waited for a service of the app's own
        `since` then."""
        told = {"outage_since": since, "next_attempt_at": None}
        self._release(asset, hold_off, {**error_fields(error), **told})

    def _release(self, asset: Asset, hold_off: timedelta, fields: Document) -> None:
        changes = {"lease_until": now() + hold_off, "lease_owner": None, **fields}
        with available():
            self._collection.update_one(
                {**_held(asset), "status": in_status(UNFINISHED)}, {"$set": changes}
            )

    def wake(self, asset: Asset) -> None:
        """Let an asset be taken up at once that waits for nothing but its model."""
        query = {"_id": ObjectId(asset.id), "tries": asset.tries, "lease_owner": None}
        waits = {"status": asset.status.value, "next_attempt_at": None, "outage_since": None}
        with available():
            self._collection.update_one({**query, **waits}, {"$set": {"lease_until": now()}})

    def shorten(self) -> None:
        """As `shorten_leases`, for unfinished assets."""
        with available():
            shorten_leases(self._collection, {"status": in_status(UNFINISHED)})

    def unfinished(self, limit: int) -> list[Asset]:
        """The unfinished assets that somebody may claim, without texts; oldest lease first."""
        with available():
            documents = (
                self._collection.find(
                    {"status": in_status(UNFINISHED), "lease_until": {"$lt": now()}}, WITHOUT_TEXT
                )
                .sort("lease_until", ASCENDING)
                .limit(limit)
            )
            return [to_asset(document) for document in documents]


def shorten_leases(collection: Collection[Document], query: Document) -> None:
    """Let documents be claimed after AFTER_THE_END whose owners were processes of this machine and
    have ended, as one that was killed."""
    held = {
        **query,
        "lease_until": {"$gt": now() + AFTER_THE_END},
        "lease_owner": {"$ne": None},
    }
    owners = {each["lease_owner"] for each in collection.find(held, _OWNER)}
    if gone := [owner for owner in owners if is_gone(owner)]:
        ends = {"lease_until": now() + AFTER_THE_END, "lease_owner": None}
        collection.update_many({**held, "lease_owner": {"$in": gone}}, {"$set": ends})


def new_lease() -> Document:
    """The fields of a document that lease it to the caller from now on."""
    return {"lease_until": now() + LEASE, "lease_owner": new_owner()}


def _held(asset: Asset) -> Document:
    """A filter for the asset as long as the caller holds it."""
    return {"_id": ObjectId(asset.id), "tries": asset.tries, "lease_owner": asset.lease_owner}

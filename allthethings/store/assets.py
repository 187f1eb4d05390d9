"""The collection `assets`: one document per thing.

Every change names the states it may come from in its filter, so that late, repeated and
reordered callbacks change nothing. `update_one` and not `find_one_and_update`: the local
server scans the whole collection for the latter. Every change of a status marks the asset as
`stirred`: see tallies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from allthethings.assets.asset import COMES_FROM, UNFINISHED, Asset, AssetStatus
from allthethings.errors import ErrorCode, IndexingError
from allthethings.store.asset_list import WITHOUT_TEXT, Place, Wanted, read_page
from allthethings.store.documents import Document, available, now
from allthethings.store.tallies import BLOCK, Tallies, Tally, mark

LEASE = timedelta(seconds=30)
"""How long one worker may act on a thing before another takes over: longer than a download or
a request with its timeout, after each of which it is renewed or given back; shorter than a
person's patience."""

KEPT_DELIVERIES = 200
"""Of the callbacks that a thing has had, the latest."""

MARKED_DELETED: Document = {"$gte": "deleted ", "$lt": "deleted!"}
"""The `url_key` of what is gone for everybody; it keeps no URL from coming again."""


class AlreadyIndexed(IndexingError):
    """The URL, in one spelling or another, has an asset."""

    code = ErrorCode.ALREADY_INDEXED

    def __init__(self, asset: Asset) -> None:
        super().__init__("This URL has already been indexed.")
        self.asset = asset


@dataclass(frozen=True)
class Page:
    """Some assets of a list, without their texts. `first` is the place of the first, counted from
    1; `total` how many the list has; `tally` counts everything, by status and kind."""

    assets: Sequence[Asset]
    first: int
    total: int
    tally: Tally


class AssetStore:
    """One document per thing."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection
        self.tallies = Tallies(collection)

    def create_indexes(self) -> None:
        """Creates what is missing; the unique index is what makes a URL one thing."""
        self.collection.create_index([("url_key", ASCENDING)], unique=True, name="url_key")
        self.collection.create_index(
            [("status", ASCENDING), ("lease_until", ASCENDING)], name="status_lease"
        )
        self.tallies.create_indexes()

    def insert(
        self, url: str, key: str, kind: str, content_type: str, content_length: int | None
    ) -> Asset:
        """A new asset, SUBMITTED, leased to the caller. Raises AlreadyIndexed."""
        number = self.tallies.next_number()
        moment = now()
        document: Document = {
            "_id": ObjectId(),
            "number": number,
            "stirred": mark(),
            "url": url,
            "url_key": key,
            "kind": kind,
            "content_type": content_type,
            "content_length": content_length,
            "status": AssetStatus.SUBMITTED.value,
            "created_at": moment,
            "updated_at": moment,
            "lease_until": moment + LEASE,
            "history": [{"status": AssetStatus.SUBMITTED.value, "at": moment}],
        }
        with available():
            try:
                self.collection.insert_one(document)
            except DuplicateKeyError:
                existing = self.find_url(key)
                if existing is not None:
                    raise AlreadyIndexed(existing) from None
                self.collection.insert_one(document)  # the other was deleted in between
        return _asset(document)

    def get(self, asset_id: str) -> Asset | None:
        """None when there is no such asset, also for an id that cannot be one."""
        return self._one(asset_id, None)

    def state(self, asset_id: str) -> Asset | None:
        """As `get`, without the text and the segments, which can be megabytes."""
        return self._one(asset_id, WITHOUT_TEXT)

    def _one(self, asset_id: str, fields: Document | None) -> Asset | None:
        if not ObjectId.is_valid(asset_id):
            return None
        with available():
            document = self.collection.find_one({"_id": ObjectId(asset_id)}, fields)
        return _asset(document) if document and "deleted_at" not in document else None

    def find_url(self, key: str) -> Asset | None:
        with available():
            document = self.collection.find_one({"url_key": key}, WITHOUT_TEXT)
        return _asset(document) if document else None

    def page(self, wanted: Wanted, place: Place, size: int) -> Page:
        rows = read_page(self.collection, self.tallies, wanted, place, size)
        assets = [_asset(document) for document in rows.documents]
        return Page(assets, rows.first, rows.total, rows.tally)

    def many(self, asset_ids: Iterable[str]) -> dict[str, Asset]:
        """The assets of those ids that there are, without their texts."""
        keys = [ObjectId(asset_id) for asset_id in asset_ids]
        with available():
            documents = self.collection.find(
                {"_id": {"$in": keys}, "deleted_at": None}, {**WITHOUT_TEXT, "history": 0}
            )
            return {str(document["_id"]): _asset(document) for document in documents}

    def count(self, *groups: Iterable[AssetStatus]) -> list[int]:
        """How many things have one of the statuses, for each group of statuses."""
        tally = self.tallies.total()
        return [Wanted(frozenset(statuses)).count(tally) for statuses in groups]

    def newest_searchable(self, limit: int) -> list[Asset]:
        """Of the latest twice as many things those that became searchable last, newest first,
        without their texts."""
        wanted = Wanted(frozenset({AssetStatus.SEARCHABLE}))
        latest = self.page(wanted, Place(), 2 * limit).assets
        return sorted(latest, key=lambda asset: (asset.updated_at, asset.id), reverse=True)[:limit]

    def unfinished(self, limit: int) -> list[Asset]:
        """Things that nobody works on, and that no state says are done; oldest lease first."""
        with available():
            documents = (
                self.collection.find(
                    {"status": {"$in": _values(UNFINISHED)}, "lease_until": {"$lt": now()}},
                    WITHOUT_TEXT,
                )
                .sort("lease_until", ASCENDING)
                .limit(limit)
            )
            return [_asset(document) for document in documents]

    def move(
        self,
        asset_id: str,
        to: AssetStatus,
        *,
        same_try: Asset | None = None,
        prediction_id: str | None = None,
        lease: timedelta = timedelta(0),
        note: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bool:
        """Compare and set: change the status if it may come from the one it has.

        With `same_try` only if the asset has not been begun again since it was as given there;
        with `prediction_id` only if that is the asset's prediction, or it knows none yet. The
        lease is renewed for `lease`, so by default anybody may act on the asset next. Returns
        whether this call made the change.
        """
        moment = now()
        expected: Document = {
            "_id": ObjectId(asset_id),
            "status": {"$in": _values(COMES_FROM[to])},
            "deleted_at": None,
        }
        if same_try is not None:
            expected["tries"] = same_try.tries
        if prediction_id is not None:
            expected["replicate_process_id"] = {"$in": [prediction_id, None]}
            expected["replaced_process_ids"] = {"$ne": prediction_id}
            fields["replicate_process_id"] = prediction_id
        changes = {
            "status": to.value,
            "stirred": mark(),
            "error": None,
            "updated_at": moment,
            "lease_until": moment + lease,
            **fields,
        }
        entry = {"status": to.value, "at": moment, **(note or {})}
        with available():
            result = self.collection.update_one(
                expected, {"$set": changes, "$push": {"history": entry}}
            )
        return result.modified_count == 1

    def note_delivery(self, asset_id: str, delivery: Mapping[str, Any]) -> None:
        """Keep what a callback's delivery was like; nothing else of the asset changes."""
        with available():
            self.collection.update_one(
                {"_id": ObjectId(asset_id), "deleted_at": None},
                {"$push": {"deliveries": {"$each": [dict(delivery)], "$slice": -KEPT_DELIVERIES}}},
            )

    def start_again(self, asset: Asset, status: AssetStatus, given_up: Sequence[str]) -> bool:
        """Compare and set an asset back to where the stage that it is in, or failed in, began.

        The asset is leased to the caller. The predictions `given_up` are remembered, so that a
        replay of them changes nothing. Returns whether this call made the change.
        """
        moment = now()
        changes: Document = {
            "$set": {
                "status": status.value,
                "stirred": mark(),
                "error": None,
                "updated_at": moment,
                "lease_until": moment + LEASE,
            },
            "$push": {
                "history": {"status": status.value, "at": moment, "again": True},
                "replaced_process_ids": {"$each": list(given_up)},
            },
            "$inc": {"tries": 1},
        }
        if status is AssetStatus.SUBMITTED:
            changes["$set"]["replicate_process_id"] = None
        with available():
            result = self.collection.update_one(
                {**_in_try(asset), "status": asset.status.value, "deleted_at": None}, changes
            )
        return result.modified_count == 1

    def give_up(self, asset_id: str, prediction_ids: Sequence[str]) -> None:
        """Remember predictions whose results are not wanted any more, whenever they come."""
        with available():
            self.collection.update_one(
                {"_id": ObjectId(asset_id)},
                {"$addToSet": {"replaced_process_ids": {"$each": list(prediction_ids)}}},
            )

    def ahead(self, asset: Asset) -> int:
        """How many of the things that came before this one have its status."""
        if asset.number is None:
            return 0
        same = Wanted(frozenset({asset.status}))
        own = asset.number // BLOCK
        earlier = [tally for block, tally in self.tallies.blocks().items() if block < own]
        span = {"number": {"$gte": own * BLOCK, "$lt": asset.number}}
        with available():
            beside = list(self.collection.find(span, {"status": 1, "deleted_at": 1}))
        there = [each for each in beside if "deleted_at" not in each]
        return sum(map(same.count, earlier)) + [each["status"] for each in there].count(
            asset.status
        )

    def mark_deleted(self, asset_id: str) -> Asset | None:
        """From here on it is gone for everybody, and its URL is free. The asset as it stays from
        then on; None if it was gone already."""
        key = ObjectId(asset_id)
        with available():
            result = self.collection.update_one(
                {"_id": key, "deleted_at": None},
                {
                    "$set": {
                        "deleted_at": now(),
                        "url_key": f"deleted {asset_id}",
                        "stirred": mark(),
                    }
                },
            )
            if not result.modified_count:
                return None
            document = self.collection.find_one({"_id": key}, WITHOUT_TEXT)
        return _asset(document) if document else None

    def deleted(self, limit: int) -> list[Asset]:
        """Assets that were marked as deleted, and not removed: somebody died in between."""
        with available():
            documents = self.collection.find({"url_key": MARKED_DELETED}, WITHOUT_TEXT)
            return [_asset(document) for document in documents.limit(limit)]

    def remove(self, asset_id: str) -> None:
        """Remove what is marked as deleted, once the tally of its block says so; what keeps the
        tally from that is left to the next who removes."""
        key = ObjectId(asset_id)
        with available():
            document = self.collection.find_one({"_id": key}, {"number": 1, "stirred": 1})
        if document and "stirred" in document and "number" in document:
            self.tallies.settle({document["number"] // BLOCK})
        with available():
            self.collection.delete_one({"_id": key, "stirred": None})

    def claim(self, asset_id: str, status: AssetStatus) -> Asset | None:
        """Take the asset, in that status, for the length of a lease: as it is then, without its
        text; None if another has it."""
        moment, key = now(), ObjectId(asset_id)
        until = moment + LEASE
        with available():
            result = self.collection.update_one(
                {
                    "_id": key,
                    "status": status.value,
                    "deleted_at": None,
                    "lease_until": {"$lte": moment},
                },
                {"$set": {"lease_until": until}},
            )
            if not result.modified_count:
                return None
            # It may have been begun again in between, and be another's.
            document = self.collection.find_one({"_id": key, "lease_until": until}, WITHOUT_TEXT)
        return _asset(document) if document else None

    def renew(self, asset: Asset) -> bool:
        """Keep a claimed asset for another lease; False when it has that status no more, or was
        begun again."""
        with available():
            result = self.collection.update_one(
                {**_in_try(asset), "status": asset.status.value, "deleted_at": None},
                {"$set": {"lease_until": now() + LEASE}},
            )
        return result.matched_count == 1

    def release(
        self, asset: Asset, *, hold_off: timedelta = timedelta(0), error: str | None = None
    ) -> None:
        """Give the asset back, unless it was begun again; nobody takes it before `hold_off`.
        `error` tells why it waits; an empty one, that it waits for nothing but its model."""
        changes: Document = {"lease_until": now() + hold_off}
        if error is not None:
            changes["error"] = error or None
        with available():
            self.collection.update_one(
                {**_in_try(asset), "status": {"$in": _values(UNFINISHED)}}, {"$set": changes}
            )


def _in_try(asset: Asset) -> Document:
    """A filter for the asset, as long as it is not begun again."""
    return {"_id": ObjectId(asset.id), "tries": asset.tries}


def _values(statuses: Iterable[AssetStatus]) -> list[str]:
    return sorted(status.value for status in statuses)


def _asset(document: Mapping[str, Any]) -> Asset:
    return Asset(
        id=str(document["_id"]),
        url=document["url"],
        status=AssetStatus(document["status"]),
        content_type=document["content_type"],
        number=document.get("number"),
        tries=document.get("tries"),
        content_length=document.get("content_length"),
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        title=document.get("title"),
        text=document.get("text"),
        error=document.get("error"),
        replicate_process_id=document.get("replicate_process_id"),
        replaced_process_ids=tuple(document.get("replaced_process_ids", ())),
        history=tuple(document.get("history", ())),
        deliveries=tuple(document.get("deliveries", ())),
        segments=document.get("segments"),
        lease_until=document.get("lease_until"),
    )

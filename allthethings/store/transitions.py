"""Changes of an asset, each a compare-and-set.

Every filter names the statuses that the change may come from, so that late, repeated and
reordered callbacks change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.errors import IndexingError
from allthethings.store.asset_documents import (
    WITHOUT_TEXT,
    error_fields,
    in_status,
    in_try,
    to_asset,
)
from allthethings.store.documents import Document, available, now
from allthethings.store.insertions import Insertions
from allthethings.store.leases import new_lease

# The most deliveries of callbacks that an asset keeps: the latest ones.
MAX_DELIVERIES = 200

# The fields of a wait for another attempt, or for a service of the app's own, that is over.
NOT_WAITING: Mapping[str, Any] = {"next_attempt_at": None, "outage_since": None}
# The statuses at which a stage has succeeded; attempts are counted anew from there.
STAGE_ENDS = frozenset({AssetStatus.PROCESSED, AssetStatus.SEARCHABLE})


class Transitions(Insertions):
    """Inserts assets and moves them from status to status."""

    def move(
        self,
        asset_id: str,
        to: AssetStatus,
        *,
        same_try: Asset | None = None,
        prediction_id: str | None = None,
        hold_off: timedelta = timedelta(0),
        failure: IndexingError | None = None,
        note: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bool:
        """Change the status if it may come from the one the asset has.

        With `same_try` only if the asset was not started again since it was as given there, and,
        where the caller held its lease then, only while nobody else does. With `prediction_id`
        only if that is the asset's prediction, or it knows none yet. The lease ends; nobody takes
        the asset up before `hold_off`. `failure` is why it fails, and is told in its history too.
        Returns whether this call made the change.
        """
        expected: Document = {
            "_id": ObjectId(asset_id),
            **(in_try(same_try) if same_try else {}),
            "status": in_status(COMES_FROM[to]),
        }
        if prediction_id is not None:
            expected["replicate_process_id"] = {"$in": [prediction_id, None]}
            expected["replaced_process_ids"] = {"$ne": prediction_id}
            fields["replicate_process_id"] = prediction_id
        told = {**(_told(failure) if failure else {}), **(note or {})}
        changes = {**error_fields(failure), **fields}
        with available():
            result = self._collection.update_one(expected, _change(to, hold_off, told, changes))
        return result.modified_count == 1

    def start_again(
        self,
        asset: Asset,
        status: AssetStatus,
        given_up: Sequence[str],
        failed: IndexingError | None = None,
        *,
        unchecked: bool = False,
    ) -> Asset | None:
        """Set an asset back to the beginning of the stage that it is in, or failed in.

        The predictions `given_up` are remembered, so that a replay of them changes nothing. With
        `failed` it is the next attempt, without it the first one. Returns the asset, leased to the
        caller, without its text; None if it has changed. With `unchecked`, the predictions that its
        passages wait for have yet to be looked at: `checked`.
        """
        lease = new_lease()
        fields = {**error_fields(None), **NOT_WAITING, "attempt": 1, **lease}
        fields["unchecked"] = unchecked or None
        entry: Document = {}
        if failed is not None:
            fields["attempt"] = asset.attempt + 1
            entry = {"attempt": asset.attempt + 1, **_told(failed), "next_at": now()}
        return self._again(asset, status, given_up, fields, entry, lease["lease_owner"])

    def plan_attempt(
        self,
        asset: Asset,
        status: AssetStatus,
        failed: IndexingError,
        wait: timedelta,
        given_up: Sequence[str] = (),
    ) -> bool:
        """As `start_again`, but nobody takes up the asset for the next attempt before `wait`, and
        it tells why the last one failed until then. Returns whether this call made the change."""
        begins = now() + wait
        fields = {
            **error_fields(failed),
            **NOT_WAITING,
            "attempt": asset.attempt + 1,
            "next_attempt_at": begins,
            "lease_until": begins,
            "lease_owner": None,
        }
        entry = {"attempt": asset.attempt + 1, **_told(failed), "next_at": begins}
        return self._again(asset, status, given_up, fields, entry) is not None

    def _again(
        self,
        asset: Asset,
        status: AssetStatus,
        given_up: Sequence[str],
        fields: Document,
        entry: Document,
        owner: str | None = None,
    ) -> Asset | None:
        moment = now()
        changes: Document = {
            "$set": {"status": status.value, "updated_at": moment, **fields},
            "$push": {
                "history": {"status": status.value, "at": moment, "again": True, **entry},
                "replaced_process_ids": {"$each": list(given_up)},
            },
            "$inc": {"tries": 1},
        }
        if status is AssetStatus.SUBMITTED:
            changes["$set"] |= dict.fromkeys(("replicate_process_id", "draft", "reading"))
        with available():
            document = self._collection.find_one_and_update(
                {**in_try(asset), "status": asset.status.value},
                changes,
                WITHOUT_TEXT,
                return_document=ReturnDocument.AFTER,
            )
        return to_asset(document, owner) if document else None

    def follow(
        self, asset: Asset, ended: str, next_id: str, hold_off: timedelta, draft: str, **fields: Any
    ) -> bool:
        """Let the asset wait for the prediction `next_id`, now that `ended` has brought a draft of
        its text. Returns whether this call made the change."""
        expected: Document = {
            **in_try(asset),
            "status": in_status(COMES_FROM[AssetStatus.PROCESSED]),
            "replicate_process_id": {"$in": [ended, None]},
            "replaced_process_ids": {"$ne": ended},
        }
        note = {"prediction": next_id, "after": ended}
        fields |= {"replicate_process_id": next_id, "draft": draft}
        change = _change(AssetStatus.PROCESSING, hold_off, note, fields)
        change["$push"]["replaced_process_ids"] = ended
        with available():
            result = self._collection.update_one(expected, change)
        return result.modified_count == 1

    def tell(self, asset: Asset, told: Mapping[str, Any]) -> None:
        """Keep fields by which an asset is described, for as long as the caller's try lasts. Its
        `updated_at` stays: predictions that were lost are looked for from then on."""
        with available():
            self._collection.update_one(in_try(asset), {"$set": dict(told)})

    def name_video(self, asset_id: str, url: str | None) -> None:
        """Keep of which video an asset is the subtitles; None for none."""
        with available():
            self._collection.update_one({"_id": ObjectId(asset_id)}, {"$set": {"video_url": url}})

    def checked(self, asset: Asset, ended: Sequence[str]) -> None:
        """The predictions that passages wait for were looked at. Those that `ended` are given up,
        if the caller's try lasts."""
        change: Document = {
            "$unset": {"unchecked": ""},
            "$addToSet": {"replaced_process_ids": {"$each": list(ended)}},
        }
        with available():
            self._collection.update_one(in_try(asset), change)

    def give_up(self, asset_id: str, prediction_ids: Sequence[str]) -> None:
        """Remember predictions whose results are ignored, whenever they come."""
        self._remember(asset_id, "replaced_process_ids", prediction_ids)

    def found(self, asset_id: str, prediction_id: str) -> None:
        """Remember a prediction that another asset may wait for too."""
        self._remember(asset_id, "found_process_ids", [prediction_id])

    def _remember(self, asset_id: str, field: str, prediction_ids: Sequence[str]) -> None:
        with available():
            self._collection.update_one(
                {"_id": ObjectId(asset_id)},
                {"$addToSet": {field: {"$each": list(prediction_ids)}}},
            )

    def note_delivery(self, asset_id: str, delivery: Mapping[str, Any]) -> None:
        """Keep how a callback was delivered; nothing else of the asset changes."""
        with available():
            self._collection.update_one(
                {"_id": ObjectId(asset_id)},
                {"$push": {"deliveries": {"$each": [dict(delivery)], "$slice": -MAX_DELIVERIES}}},
            )


def _told(error: IndexingError) -> Document:
    """How the history tells of a failure."""
    return {"error": str(error), "error_code": error.code.value}


def _change(
    to: AssetStatus, hold_off: timedelta, told: Document, fields: Mapping[str, Any]
) -> Document:
    """The update that moves an asset to that status; `told` is for its history."""
    moment = now()
    changes = {
        "status": to.value,
        **NOT_WAITING,
        **({"attempt": 1} if to in STAGE_ENDS else {}),
        "updated_at": moment,
        "lease_until": moment + hold_off,
        "lease_owner": None,
        **fields,
    }
    entry = {"status": to.value, "at": moment, **told}
    return {"$set": changes, "$push": {"history": entry}}

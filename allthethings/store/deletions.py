"""Deletions: the collection `deletions` has one document for each that is not complete.

The document is written first, and removed last, so that a deletion that was interrupted anywhere
in between can be completed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bson import ObjectId
from pymongo.collection import Collection

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.store.asset_documents import WITHOUT_TEXT, to_asset
from allthethings.store.documents import Document, available, now

# The `url_key` of an asset that the version before has marked as deleted, and not removed.
_MARKED: Document = {"$gte": "deleted ", "$lt": "deleted!"}


@dataclass(frozen=True)
class Deletion:
    """An asset to be deleted, the prediction that makes its text, if one is running, and those that
    another asset may wait for too. `with_things` deletes the things that a list has added, too.
    `copy_id` is the file at Replicate that its model was lent."""

    asset_id: str
    prediction_id: str | None = None
    found_process_ids: tuple[str, ...] = ()
    with_things: bool = False
    copy_id: str | None = None


class Deletions:
    """Keeps which deletions are not complete."""

    def __init__(self, deletions: Collection[Document], assets: Collection[Document]) -> None:
        self._deletions = deletions
        self._assets = assets

    def begin(self, asset: Asset, *, with_things: bool = False) -> Deletion:
        """From here on the asset will be deleted, even if the caller dies."""
        running = _running(asset)
        copy_id = asset.copy.id if asset.copy else None
        deletion = Deletion(asset.id, running, asset.found_process_ids, with_things, copy_id)
        told = {
            "prediction_id": deletion.prediction_id,
            "found_process_ids": list(deletion.found_process_ids),
            "with_things": with_things,
            "copy_id": copy_id,
            "at": now(),
        }
        with available():
            self._deletions.update_one(
                {"_id": ObjectId(asset.id)},
                {"$set": told},
                upsert=True,
            )
        return deletion

    def remove_asset(self, deletion: Deletion) -> set[str]:
        """Remove the asset, which frees its URL. Returns the predictions that make its text."""
        with available():
            document = self._assets.find_one_and_delete(
                {"_id": ObjectId(deletion.asset_id)}, WITHOUT_TEXT
            )
        running = _running(to_asset(document)) if document else None
        return {each for each in (deletion.prediction_id, running) if each}

    def end(self, deletion: Deletion) -> None:
        """The asset is deleted, with all that belonged to it."""
        with available():
            self._deletions.delete_one({"_id": ObjectId(deletion.asset_id)})

    def pending(self, limit: int) -> list[Deletion]:
        """Deletions that are not complete."""
        with available():
            documents = self._deletions.find().limit(limit)
            return [
                Deletion(
                    str(document["_id"]),
                    document.get("prediction_id"),
                    tuple(document.get("found_process_ids", ())),
                    bool(document.get("with_things")),
                    document.get("copy_id"),
                )
                for document in documents
            ]

    def take_over(self) -> int:
        """Begin the deletions that the version before has left. Returns how many there were."""
        with available():
            documents = list(self._assets.find({"url_key": _MARKED}, WITHOUT_TEXT))
        for document in documents:
            self.remove_asset(self.begin(to_asset(document)))
        return len(documents)


def _running(asset: Asset) -> str | None:
    return asset.replicate_process_id if asset.status is AssetStatus.PROCESSING else None

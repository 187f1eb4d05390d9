"""The collection `changes`: how the texts of things were replaced; of each thing the latest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from allthethings.assets import diffs
from allthethings.assets.diffs import Diff
from allthethings.store.documents import Document, available

# Changes of a thing that are kept.
KEPT_CHANGES = 5


@dataclass(frozen=True)
class Change:
    """How a thing's text was replaced. `revision` is the number of the text that came;
    `former_title` is the title before, where that was another."""

    revision: int
    at: datetime
    diff: Diff
    former_title: str | None = None


class ChangeStore:
    """One document for each change; its `_id` is <asset id>:<revision>, so writing twice is
    once."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def create_indexes(self) -> None:
        """Create the index that is needed."""
        keys = [("asset_id", ASCENDING), ("revision", ASCENDING)]
        self._collection.create_index(keys, name="asset_revision")

    def put(self, asset_id: str, change: Change) -> None:
        """Keep a change. Nobody sees it until its revision is the thing's."""
        fields = {
            "asset_id": ObjectId(asset_id),
            "revision": change.revision,
            "at": change.at,
            "former_title": change.former_title,
            **change.diff.stored(),
        }
        with available():
            self._collection.replace_one(
                {"_id": f"{asset_id}:{change.revision}"}, fields, upsert=True
            )

    def of(self, asset_id: str, revision: int | None) -> list[Change]:
        """The changes of a thing up to that revision, the latest first."""
        if revision is None:
            return []
        query = {"asset_id": ObjectId(asset_id), "revision": {"$lte": revision}}
        with available():
            found = self._collection.find(query).sort("revision", DESCENDING)
            return [
                Change(each["revision"], each["at"], diffs.read(each), each.get("former_title"))
                for each in found.limit(KEPT_CHANGES)
            ]

    def trim(self, asset_id: str, revision: int) -> None:
        """Remove changes that are older than those kept."""
        old = {"asset_id": ObjectId(asset_id), "revision": {"$lte": revision - KEPT_CHANGES}}
        with available():
            self._collection.delete_many(old)

    def delete(self, asset_id: str) -> None:
        """Remove all changes of a thing."""
        with available():
            self._collection.delete_many({"asset_id": ObjectId(asset_id)})

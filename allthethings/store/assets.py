"""Reading the collection `assets`: one document for each asset."""

from __future__ import annotations

from collections.abc import Iterable

from bson import ObjectId
from pymongo import DESCENDING
from pymongo.collection import Collection

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.urls import url_key
from allthethings.errors import NoSuchAsset
from allthethings.store.asset_documents import WITHOUT_TEXT, to_asset
from allthethings.store.asset_list import AssetFilter, AssetList, AssetPage, PageRequest
from allthethings.store.documents import Document, available


class Assets:
    """Finds assets. Every method raises ServiceUnavailable when the database is away."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection
        self._list = AssetList(collection)

    def get(self, asset_id: str) -> Asset | None:
        """The asset with its text; None if there is none of that id, also if it cannot be one."""
        return self._one(asset_id, None)

    def state(self, asset_id: str) -> Asset | None:
        """As `get`, without the text and the segments, which can be megabytes."""
        return self._one(asset_id, WITHOUT_TEXT)

    def existing(self, asset_id: str) -> Asset:
        """As `state`; raises NoSuchAsset."""
        asset = self.state(asset_id)
        if asset is None:
            raise NoSuchAsset
        return asset

    def same_try(self, asset: Asset) -> Asset | None:
        """The asset as it is now; None if it was deleted, cancelled or started again since."""
        latest = self.state(asset.id)
        if latest is None or latest.cancelled or latest.tries != asset.tries:
            return None
        return latest

    def find_key(self, key: str) -> Asset | None:
        """The asset of a normalised URL, without its text."""
        with available():
            document = self.collection.find_one({"url_key": key}, WITHOUT_TEXT)
        return to_asset(document) if document else None

    def find_url(self, url: str) -> Asset | None:
        """The asset of a URL as it is asked for, without its text. Its key may be that of another
        URL, where the thing has several, or has moved."""
        key = url_key(url)
        same: Document = {"$or": [{"url_key": key}, {"url": url}, {"looks.moved_to": key}]}
        with available():
            found = list(self.collection.find(same, WITHOUT_TEXT))
        by_its_key = [each for each in found if each.get("url_key") == key]
        by_its_url = [each for each in found if each.get("url") == url]
        chosen = next(iter([*by_its_key, *by_its_url, *found]), None)
        return to_asset(chosen) if chosen else None

    def many(self, asset_ids: Iterable[str]) -> dict[str, Asset]:
        """The assets of those ids that exist, without texts and histories."""
        keys = [ObjectId(asset_id) for asset_id in asset_ids]
        with available():
            documents = self.collection.find({"_id": {"$in": keys}}, {**WITHOUT_TEXT, "history": 0})
            return {str(document["_id"]): to_asset(document) for document in documents}

    def searchable(self, asset_ids: Iterable[str]) -> set[str]:
        """Which of those ids are of searchable assets."""
        keys = [ObjectId(asset_id) for asset_id in asset_ids]
        query = {"_id": {"$in": keys}, "status": AssetStatus.SEARCHABLE.value}
        with available():
            return {str(document["_id"]) for document in self.collection.find(query, {"_id": 1})}

    def picture(self, asset_id: str) -> bytes | None:
        """The small picture of an asset, a WebP file, if it has one."""
        if not ObjectId.is_valid(asset_id):
            return None
        with available():
            found = self.collection.find_one({"_id": ObjectId(asset_id)}, {"picture.file": 1})
        return bytes(found["picture"]["file"]) if found and found.get("picture") else None

    def of_import(self, import_id: str, limit: int) -> list[Asset]:
        """Assets that an import has added, without texts."""
        with available():
            found = self.collection.find({"import_id": import_id}, WITHOUT_TEXT).limit(limit)
            return [to_asset(document) for document in found]

    def page(self, wanted: PageRequest) -> AssetPage:
        """A page of the list."""
        return self._list.page(wanted)

    def count(self, wanted: AssetFilter) -> int:
        """The number of assets in a list, at most COUNT_LIMIT."""
        return self._list.count(wanted.query())

    def ahead(self, asset: Asset) -> int:
        """The number of assets with the same status that were submitted earlier, at most
        COUNT_LIMIT."""
        return self._list.count(
            {"status": asset.status.value, "created_at": {"$lt": asset.created_at}}
        )

    def newest_searchable(self, limit: int) -> list[Asset]:
        """The assets that became searchable last, newest first, without their texts."""
        with available():
            documents = (
                self.collection.find({"status": AssetStatus.SEARCHABLE.value}, WITHOUT_TEXT)
                .sort([("updated_at", DESCENDING), ("_id", DESCENDING)])
                .limit(limit)
            )
            return [to_asset(document) for document in documents]

    def _one(self, asset_id: str, fields: Document | None) -> Asset | None:
        if not ObjectId.is_valid(asset_id):
            return None
        with available():
            document = self.collection.find_one({"_id": ObjectId(asset_id)}, fields)
        return to_asset(document) if document else None

"""How an asset comes into the database: once for each URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.looks import Version
from allthethings.errors import ErrorCode, IndexingError, ServiceUnavailable
from allthethings.store.asset_documents import WITHOUT_TEXT, new_document, to_asset
from allthethings.store.documents import SERVICE, Document, available, now
from allthethings.store.leases import new_lease

# How often the insert of an asset is tried while assets of its URL come and go.
MAX_INSERTS = 5


class AlreadyIndexed(IndexingError):
    """The URL, in one spelling or another, has an asset; with `elsewhere`, the thing at it has one
    by another URL."""

    code = ErrorCode.ALREADY_INDEXED

    def __init__(self, asset: Asset, *, elsewhere: bool = False) -> None:
        thing = "What is at this URL" if elsewhere else "This URL"
        super().__init__(f"{thing} has already been indexed.")
        self.asset = asset


def told_by_list(list_id: str, told: Mapping[str, Any]) -> Document:
    """The fields of an asset that a list has added, and of which it says this."""
    return {**told, "list_ids": [list_id], "by_list": True}


class Insertions:
    """Inserts assets."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def insert(
        self,
        url: str,
        key: str,
        kind: str,
        content_type: str,
        content_length: int | None,
        import_id: str | None = None,
        of_list: Mapping[str, Any] | None = None,
        version: Version | None = None,
        video_url: str | None = None,
        archive_id: str | None = None,
    ) -> Asset:
        """A new asset, SUBMITTED, leased to the caller; one of an import is left to the reconciler.
        With `of_list`, the import is that of a list, which says this of the thing. What stands in
        an archive goes with it, also if a person submits it. Raises AlreadyIndexed;
        ServiceUnavailable also where others index and delete the URL again and again."""
        free: Document = {"lease_until": now(), "lease_owner": None}
        lease = free if import_id else new_lease()
        in_list = told_by_list(archive_id, {}) if archive_id else {}
        if import_id and of_list is not None:
            in_list = told_by_list(import_id, of_list)
        document: Document = {
            **new_document(url, key, kind, content_type, content_length),
            "import_id": import_id,
            "version": (version or Version()).stored(),
            "video_url": video_url,
            **lease,
            **in_list,
        }
        self._insert(document)
        return to_asset(document, lease["lease_owner"])

    def insert_processed(
        self, asset: Asset, key: str, kind: str, fields: Mapping[str, Any], note: Mapping[str, Any]
    ) -> None:
        """Insert an asset of which the text is known already, with these fields, under its own id.
        Its passages have to be there: the worker asks for their vectors. `note` is for its
        history. Raises AlreadyIndexed and ServiceUnavailable, as `insert`; UnusableThing for a text
        that is too long."""
        submitted = {"status": AssetStatus.SUBMITTED.value, "at": asset.created_at}
        processed = {"status": AssetStatus.PROCESSED.value, "at": asset.updated_at, **note}
        document: Document = {
            **new_document(asset.url, key, kind, asset.content_type, asset.content_length),
            "_id": ObjectId(asset.id),
            "status": AssetStatus.PROCESSED.value,
            "created_at": asset.created_at,
            "updated_at": asset.updated_at,
            "lease_until": asset.updated_at,
            "lease_owner": None,
            **fields,
            "history": [submitted, processed],
        }
        self._insert(document)

    def _insert(self, document: Document) -> None:
        for _ in range(MAX_INSERTS):
            if self._inserted(document):
                return
        raise ServiceUnavailable(
            SERVICE, "others index and delete this URL", ErrorCode.DATABASE_UNAVAILABLE
        )

    def _inserted(self, document: Document) -> bool:
        """Whether the asset is stored; not where another one of its URL stood in the way that was
        deleted since. Raises AlreadyIndexed."""
        with available():
            try:
                self._collection.insert_one(document)
            except DuplicateKeyError:
                same_url = {"url_key": document["url_key"]}
                existing = self._collection.find_one(same_url, WITHOUT_TEXT)
                if existing is not None:
                    raise AlreadyIndexed(to_asset(existing)) from None
                return False
        return True

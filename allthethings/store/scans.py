"""The collection `scans`: the pages of documents that are pictures, while a model reads them.

A reading has one document for each of its pages, and one, under page 0, for what else the asset
says. `_id` is <reading>:<page>. An asset names its reading, so the pages of an earlier one, and
those of one that was begun twice, belong to nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument
from pymongo.collection import Collection

from allthethings.errors import ErrorCode, IndexingError
from allthethings.store.documents import Document, available, now

WITHOUT_TEXT: Document = {"text": 0, "rest": 0}


@dataclass(frozen=True)
class Scan:
    """A page, counted from 1, of a reading.

    `file_id` and `url` are of its picture at Replicate, from when it is there. From `asked_at` on
    a prediction is asked for, whose id is noted then. `ended` says that it has a text, or an error.
    """

    id: str
    page: int
    attempt: int
    ended: bool
    file_id: str | None
    url: str | None
    asked_at: datetime | None
    prediction_id: str | None


@dataclass(frozen=True)
class Reading:
    """What has come of a reading: the rest as it was given, and for each page that has ended its
    text, or the sentence and the code of its error."""

    rest: Mapping[str, Any]
    texts: Mapping[int, str]
    errors: Mapping[int, tuple[str, ErrorCode]]


class ScanStore:
    """Keeps readings. Every change names the state of the page that it may come from; it returns
    whether this call made it."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def create_indexes(self) -> None:
        fields = ("asset_id", "reading", "page")
        self._collection.create_index([(each, ASCENDING) for each in fields], name="asset_reading")

    def begin(self, asset_id: str, pages: Iterable[int], rest: Mapping[str, Any]) -> str:
        """Keep a new reading of these pages. Returns its token."""
        reading = secrets.token_hex(8)
        owner = {"asset_id": ObjectId(asset_id), "reading": reading}
        state = {"attempt": 1, "ended": False, **_UNASKED}
        documents = [
            {"_id": f"{reading}:0", **owner, "page": 0, "rest": dict(rest)},
            *({"_id": f"{reading}:{page}", **owner, "page": page, **state} for page in pages),
        ]
        with available():
            self._collection.insert_many(documents, ordered=False)
        return reading

    def pages(self, asset_id: str, reading: str) -> list[Scan]:
        """The pages of a reading in their order; none if it is over."""
        query = {"asset_id": ObjectId(asset_id), "reading": reading, "page": {"$gt": 0}}
        with available():
            return [_scan(each) for each in self._collection.find(query, WITHOUT_TEXT).sort("page")]

    def read(self, asset_id: str, reading: str) -> Reading:
        """What has come of it so far."""
        query = {"asset_id": ObjectId(asset_id), "reading": reading}
        with available():
            documents = list(self._collection.find(query))
        return Reading(
            next((each["rest"] for each in documents if each["page"] == 0), {}),
            {each["page"]: each["text"] for each in documents if each.get("text") is not None},
            {
                each["page"]: (each["error"], ErrorCode(each["error_code"]))
                for each in documents
                if each.get("error") is not None
            },
        )

    def progress(self, asset_id: str, reading: str) -> tuple[int, int]:
        """How many pages have ended, and how many there are."""
        pages = self.pages(asset_id, reading)
        return sum(each.ended for each in pages), len(pages)

    # -- one page

    def uploaded(self, scan: Scan, file_id: str, url: str) -> bool:
        """Its picture is there."""
        return self._change(scan, {"file_id": None}, {"file_id": file_id, "url": url})

    def claim(self, asset_id: str, reading: str) -> Scan | None:
        """The first page with a picture that nobody has asked for: the caller asks for it."""
        query = {
            "asset_id": ObjectId(asset_id),
            "reading": reading,
            "ended": False,
            "asked_at": None,
            "file_id": {"$ne": None},
        }
        with available():
            found = self._collection.find_one_and_update(
                query,
                {"$set": {"asked_at": now()}},
                WITHOUT_TEXT,
                sort=[("page", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
        return _scan(found) if found else None

    def asked(self, scan: Scan, prediction_id: str) -> bool:
        """This prediction reads it."""
        expected = {"asked_at": scan.asked_at, "prediction_id": None}
        return self._change(scan, expected, {"prediction_id": prediction_id})

    def unasked(self, scan: Scan) -> bool:
        """Nobody got an answer to the request: it is asked for again, with the same picture."""
        expected = {"asked_at": scan.asked_at, "prediction_id": None}
        return self._change(scan, expected, {"asked_at": None})

    def ended(self, scan: Scan, prediction_id: str | None, text: str) -> bool:
        """It says this."""
        expected = {"prediction_id": {"$in": [prediction_id, None]}}
        fields = {"prediction_id": prediction_id, "text": text}
        return self._change(scan, expected, {**fields, "ended": True})

    def failed(self, scan: Scan, error: IndexingError) -> bool:
        """It cannot be read."""
        return self._change(scan, {"prediction_id": scan.prediction_id}, _failure(error))

    def again(self, scan: Scan) -> bool:
        """It is asked for once more, with another picture: a late answer is not taken for the new
        one's."""
        expected = {"prediction_id": scan.prediction_id, "attempt": scan.attempt}
        return self._change(scan, expected, {**_UNASKED, "attempt": scan.attempt + 1})

    def _change(self, scan: Scan, expected: Document, fields: Document) -> bool:
        with available():
            result = self._collection.update_one(
                {"_id": scan.id, "ended": False, **expected}, {"$set": fields}
            )
        return result.modified_count == 1

    # -- all of them

    def fail_rest(self, asset_id: str, reading: str, error: IndexingError) -> None:
        """None of the pages that nobody has asked for can be read."""
        query = {"asset_id": ObjectId(asset_id), "reading": reading, "page": {"$gt": 0}}
        with available():
            self._collection.update_many(
                {**query, "ended": False, "asked_at": None}, {"$set": _failure(error)}
            )

    def remove(
        self, asset_id: str, *, only: str | None = None, but: str | None = None
    ) -> list[Scan]:
        """End and remove the readings of an asset: all, only one, or all but one. Returns their
        pages that had not ended. Who asks for one of them just then is told that it has ended."""
        which: Document = {"reading": only if only else {"$ne": but}}
        query = {"asset_id": ObjectId(asset_id), **which}
        with available():
            left = list(self._collection.find({**query, "ended": False}, {"_id": 1}))
            self._collection.update_many({**query, "ended": False}, {"$set": {"ended": True}})
            ids = {"_id": {"$in": [each["_id"] for each in left]}}
            scans = [_scan(each) for each in self._collection.find(ids, WITHOUT_TEXT)]
            self._collection.delete_many(query)
        return scans


# The fields of a page whose picture is not at Replicate.
_UNASKED: Mapping[str, Any] = {
    "file_id": None,
    "url": None,
    "asked_at": None,
    "prediction_id": None,
}


def _failure(error: IndexingError) -> Document:
    return {"ended": True, "error": str(error), "error_code": error.code.value}


def _scan(document: Mapping[str, Any]) -> Scan:
    return Scan(
        document["_id"],
        document["page"],
        document["attempt"],
        document["ended"],
        document["file_id"],
        document["url"],
        document["asked_at"],
        document["prediction_id"],
    )

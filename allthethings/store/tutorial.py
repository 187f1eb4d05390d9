"""The documents of the tutorial's app, and where they are kept beside the app's own.

The tutorial (https://github.com/hookdeck/index-all-the-things, read on 2026-11-29) has one document
for each thing, in the collection `assets` of the database `iaat`: `url`, `content_type`,
`content_length` as text, `status`, and, as far as it came, `text`, `replicate_response` (the
prediction with Whisper's output), `embedding` (one vector of the whole text) and
`replicate_embeddings_response`; `error` where it failed. Its earlier versions add
`replicate_process_id`, `replicate_request` and `replicate_embedding_id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.store.documents import Document, available

# The tutorial's database and its collection.
DATABASE = "iaat"
COLLECTION = "assets"
# Where its documents are put that are in this app's own collection.
ASIDE = "tutorial_assets"
# Only this app's documents have a key.
OF_TUTORIAL: Document = {"url_key": None}
# Those to move out of this app's own collection, where other programs too may insert documents
# without a key. Only the tutorial's have their length as text and no time.
MOVABLE: Document = {**OF_TUTORIAL, "created_at": None, "content_length": {"$type": "string"}}
# What can be large, and is not needed.
UNREAD: Document = {
    "embedding": 0,
    "generator_response": 0,
    "processor_response": 0,
    "replicate_embeddings_response": 0,
    "replicate_request": 0,
}
# Documents, of some megabytes at most, that are read or moved at once.
BATCH = 50


@dataclass(frozen=True)
class TutorialThing:
    """A thing of the tutorial with its text. `content_length` is bytes, if told; `output` is what
    the model answered on Replicate, of any shape."""

    id: str
    url: str
    content_type: str
    content_length: int | None
    title: str | None
    text: str
    output: Any
    submitted: datetime


def put_aside(database: Database[Document]) -> int:
    """Move the tutorial's documents out of the collection that the tutorial and this app both call
    `assets`. Returns how many there were. A move that was interrupted is completed by another."""
    own, aside, moved = database["assets"], database[ASIDE], 0
    while batch := list(own.find(MOVABLE, limit=BATCH)):
        aside.bulk_write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in batch])
        own.delete_many({**MOVABLE, "_id": {"$in": [each["_id"] for each in batch]}})
        moved += len(batch)
    return moved


def documents(collection: Collection[Document]) -> Iterator[Document]:
    """The tutorial's documents, oldest first, without vectors. Raises ServiceUnavailable."""
    with available():
        yield from collection.find(OF_TUTORIAL, UNREAD, batch_size=BATCH).sort("_id", 1)


def read(document: Mapping[str, Any]) -> TutorialThing:
    """The thing in a document. Raises UnusableThing for one with which nothing can be done."""
    key, text = document.get("_id"), document.get("text")
    if not isinstance(key, ObjectId):
        raise UnusableThing("Its _id is not an ObjectId.", ErrorCode.BAD_INPUT)
    if not isinstance(text, str) or not text.strip():
        status = document.get("status")
        raise UnusableThing(
            f"It has no text; its status is {status}. Submit its URL to have it read.",
            ErrorCode.NO_TEXT,
        )
    response = document.get("replicate_response")
    return TutorialThing(
        str(key),
        _text(document.get("url")) or "",
        (_text(document.get("content_type")) or "").partition(";")[0].strip().lower(),
        _bytes(document.get("content_length")),
        _text(document.get("title")),
        text,
        response.get("output") if isinstance(response, Mapping) else None,
        key.generation_time,
    )


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _bytes(value: object) -> int | None:
    told = str(value)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 16 else None

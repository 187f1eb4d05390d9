"""MongoDB: one client a process, the two collections, and how their documents are changed.

Every change names the states it may come from in its filter, so that late, repeated and
reordered callbacks change nothing. `update_one` and not `find_one_and_update`: the local
server scans the whole collection for the latter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from bson.errors import InvalidId
from pymongo import ASCENDING, DESCENDING, MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    WTimeoutError,
)

from allthethings.assets import COMES_FROM, UNFINISHED, Asset, AssetStatus
from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.passages import Passage

Document = dict[str, Any]

TIMEOUT_MS = 5_000
LEASE = timedelta(seconds=20)
"""How long one worker may act on a thing before another takes over; longer than the slowest
step with its timeouts, shorter than a person's patience."""


def now() -> datetime:
    """The time as MongoDB keeps it: UTC, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Translate 'the database is away' into ServiceUnavailable; other errors pass."""
    try:
        yield
    except (ConnectionFailure, NetworkTimeout, ExecutionTimeout, WTimeoutError) as error:
        raise ServiceUnavailable("MongoDB", "no answer from the server") from error
    except OperationFailure as error:
        if error.has_error_label("RetryableWriteError"):
            raise ServiceUnavailable("MongoDB", "the server is changing over") from error
        raise


class AlreadyIndexed(IndexingError):
    """The URL, in one spelling or another, has an asset."""

    def __init__(self, asset: Asset) -> None:
        super().__init__("This URL has already been indexed.")
        self.asset = asset


class Database:
    """The client of this process, made once, and the stores over it."""

    def __init__(self, uri: str, name: str) -> None:
        self.client: MongoClient[Document] = MongoClient(
            uri,
            tz_aware=True,
            appname="index-all-the-things",
            serverSelectionTimeoutMS=TIMEOUT_MS,
            connectTimeoutMS=TIMEOUT_MS,
            socketTimeoutMS=4 * TIMEOUT_MS,
        )
        database = self.client[name]
        self.assets = AssetStore(database["assets"])
        self.passages = PassageStore(database["passages"])

    def ping(self) -> None:
        """Raises ServiceUnavailable when the server does not answer."""
        with available():
            self.client.admin.command("ping")

    def close(self) -> None:
        self.client.close()


class AssetStore:
    """One document per thing."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def create_indexes(self) -> None:
        """Creates what is missing; the unique index is what makes a URL one thing."""
        self.collection.create_index([("url_key", ASCENDING)], unique=True, name="url_key")
        self.collection.create_index([("created_at", DESCENDING)], name="created_at")
        self.collection.create_index(
            [("status", ASCENDING), ("lease_until", ASCENDING)], name="status_lease"
        )

    def insert(self, url: str, key: str, content_type: str, content_length: int | None) -> Asset:
        """A new asset, SUBMITTED, leased to the caller. Raises AlreadyIndexed."""
        moment = now()
        document: Document = {
            "_id": ObjectId(),
            "url": url,
            "url_key": key,
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
                # Gone again in between: whoever removed it has the word.
                raise AlreadyIndexed(existing or _asset(document)) from None
        return _asset(document)

    def get(self, asset_id: str) -> Asset | None:
        """None when there is no such asset, also for an id that cannot be one."""
        try:
            key = ObjectId(asset_id)
        except InvalidId:
            return None
        with available():
            document = self.collection.find_one({"_id": key})
        return _asset(document) if document else None

    def find_url(self, key: str) -> Asset | None:
        with available():
            document = self.collection.find_one({"url_key": key})
        return _asset(document) if document else None

    def page(self, number: int, size: int) -> tuple[list[Asset], int]:
        """The assets of one page, counted from 1, newest first, and how many there are in all."""
        with available():
            total = self.collection.estimated_document_count()
            documents = (
                self.collection.find({}, {"text": 0, "replicate_response": 0})
                .sort("created_at", DESCENDING)
                .skip((number - 1) * size)
                .limit(size)
            )
            return [_asset(document) for document in documents], total

    def many(self, asset_ids: Iterable[str]) -> dict[str, Asset]:
        """The assets of those ids that there are, without their texts."""
        keys = [ObjectId(asset_id) for asset_id in asset_ids]
        with available():
            documents = self.collection.find(
                {"_id": {"$in": keys}}, {"text": 0, "replicate_response": 0, "history": 0}
            )
            return {str(document["_id"]): _asset(document) for document in documents}

    def count(self, statuses: Iterable[AssetStatus]) -> int:
        with available():
            return self.collection.count_documents({"status": {"$in": _values(statuses)}})

    def unfinished(self, limit: int) -> list[Asset]:
        """Things that nobody works on, and that no state says are done; oldest lease first."""
        with available():
            documents = (
                self.collection.find(
                    {"status": {"$in": _values(UNFINISHED)}, "lease_until": {"$lt": now()}},
                    {"text": 0},
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
        prediction_id: str | None = None,
        lease: timedelta = timedelta(0),
        note: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bool:
        """Compare and set: change the status if it may come from the one it has.

        With `prediction_id` only if that is the asset's prediction, or it knows none yet. The
        lease is renewed for `lease`, so by default anybody may act on the asset next. Returns
        whether this call made the change.
        """
        moment = now()
        expected: Document = {
            "_id": ObjectId(asset_id),
            "status": {"$in": _values(COMES_FROM[to])},
        }
        if prediction_id is not None:
            expected["replicate_process_id"] = {"$in": [prediction_id, None]}
            fields["replicate_process_id"] = prediction_id
        changes = {
            "status": to.value,
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

    def claim(self, asset_id: str, status: AssetStatus) -> bool:
        """Take the asset, in that status, for the length of a lease; False if another has it."""
        moment = now()
        with available():
            result = self.collection.update_one(
                {
                    "_id": ObjectId(asset_id),
                    "status": status.value,
                    "lease_until": {"$lte": moment},
                },
                {"$set": {"lease_until": moment + LEASE}},
            )
        return result.modified_count == 1

    def release(
        self, asset_id: str, *, hold_off: timedelta = timedelta(0), error: str | None = None
    ) -> None:
        """Give the asset back; nobody takes it before `hold_off`. `error` tells why it waits."""
        changes: Document = {"lease_until": now() + hold_off}
        if error is not None:
            changes["error"] = error
        with available():
            self.collection.update_one(
                {"_id": ObjectId(asset_id), "status": {"$in": _values(UNFINISHED)}},
                {"$set": changes},
            )


class PassageStore:
    """One document per passage; its `_id` is <asset id>:<position>, so writing twice is once."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def create_indexes(self) -> None:
        self.collection.create_index(
            [("asset_id", ASCENDING), ("position", ASCENDING)], name="asset_position"
        )

    def put(self, asset_id: str, content_type: str, passages: Sequence[Passage]) -> None:
        """Keep the passages; those that are there already stay as they are."""
        writes = [
            UpdateOne(
                {"_id": f"{asset_id}:{passage.position}"},
                {
                    "$setOnInsert": {
                        "asset_id": ObjectId(asset_id),
                        "position": passage.position,
                        "text": passage.text,
                        "locator": dict(passage.locator),
                        "content_type": content_type,
                        "replicate_embedding_id": None,
                    }
                },
                upsert=True,
            )
            for passage in passages
        ]
        with available():
            self.collection.bulk_write(writes, ordered=False)

    def of(self, asset_id: str) -> list[Document]:
        """The passages in reading order: position, text, locator, whether `embedded`, and
        `replicate_embedding_id`."""
        with available():
            documents = self.collection.find({"asset_id": ObjectId(asset_id)}).sort("position", 1)
            return [
                {
                    "position": document["position"],
                    "text": document["text"],
                    "locator": document["locator"],
                    "embedded": "embedding" in document,
                    "replicate_embedding_id": document.get("replicate_embedding_id"),
                }
                for document in documents
            ]

    def requested(self, asset_id: str, first: int, last: int, prediction_id: str) -> None:
        """Note which prediction embeds the passages first..last, with that range: the note may
        be interrupted half-way, the prediction's output is of the whole range."""
        with available():
            self.collection.update_many(
                {"asset_id": ObjectId(asset_id), "position": {"$gte": first, "$lte": last}},
                {
                    "$set": {
                        "replicate_embedding_id": prediction_id,
                        "replicate_embedding_range": [first, last],
                    }
                },
            )

    def waiting(self, asset_id: str, first: int, last: int, prediction_id: str) -> int:
        """How many of the passages first..last wait for the vectors of this prediction."""
        with available():
            return self.collection.count_documents(
                {
                    "asset_id": ObjectId(asset_id),
                    "position": {"$gte": first, "$lte": last},
                    "replicate_embedding_id": {"$in": [prediction_id, None]},
                    "embedding": {"$exists": False},
                }
            )

    def embed(
        self, asset_id: str, first: int, vectors: Sequence[Sequence[float]], prediction_id: str
    ) -> int:
        """Keep the vectors of the passages first, first + 1, ... that this prediction embeds.

        A passage that waits for another prediction, or has its vector, stays as it is. Returns
        how many were there to be written.
        """
        writes = [
            UpdateOne(
                {
                    "_id": f"{asset_id}:{position}",
                    "replicate_embedding_id": {"$in": [prediction_id, None]},
                },
                {
                    "$set": {
                        "embedding": Binary.from_vector(list(vector), BinaryVectorDtype.FLOAT32),
                        "replicate_embedding_id": prediction_id,
                    }
                },
            )
            for position, vector in enumerate(vectors, first)
        ]
        with available():
            return self.collection.bulk_write(writes, ordered=False).matched_count

    def owed(self, asset_id: str) -> list[tuple[str, int, int]]:
        """The predictions that passages still wait for, each with its first and last position."""
        with available():
            documents = self.collection.find(
                {
                    "asset_id": ObjectId(asset_id),
                    "embedding": {"$exists": False},
                    "replicate_embedding_range": {"$exists": True},
                },
                {"replicate_embedding_id": 1, "replicate_embedding_range": 1},
            )
            owed = {
                (document["replicate_embedding_id"], *document["replicate_embedding_range"])
                for document in documents
            }
        return sorted(owed)

    def progress(self, asset_id: str) -> tuple[int, int]:
        """How many passages have their vector, and how many there are."""
        key = ObjectId(asset_id)
        with available():
            total = self.collection.count_documents({"asset_id": key})
            waiting = self.collection.count_documents(
                {"asset_id": key, "embedding": {"$exists": False}}
            )
        return total - waiting, total

    def nearest(self, vector: Sequence[float], limit: int) -> list[Document]:
        """The passages whose vectors are nearest: asset_id, text, locator, score (0..1).

        Raises ServiceUnavailable when the database is away.
        """
        stages: list[Document] = [
            {
                "$vectorSearch": {
                    "index": "vector_index",
                    "path": "embedding",
                    "queryVector": Binary.from_vector(list(vector), BinaryVectorDtype.FLOAT32),
                    "numCandidates": min(10_000, limit * 10),
                    "limit": limit,
                }
            },
            {
                "$project": {
                    "asset_id": 1,
                    "text": 1,
                    "locator": 1,
                    "score": {"$meta": "vectorSearchScore"},
                }
            },
        ]
        with available():
            return list(self.collection.aggregate(stages))

    def delete(self, asset_id: str) -> None:
        with available():
            self.collection.delete_many({"asset_id": ObjectId(asset_id)})


def _values(statuses: Iterable[AssetStatus]) -> list[str]:
    return sorted(status.value for status in statuses)


def _asset(document: Mapping[str, Any]) -> Asset:
    return Asset(
        id=str(document["_id"]),
        url=document["url"],
        status=AssetStatus(document["status"]),
        content_type=document["content_type"],
        content_length=document.get("content_length"),
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        title=document.get("title"),
        text=document.get("text"),
        error=document.get("error"),
        replicate_process_id=document.get("replicate_process_id"),
        history=tuple(document.get("history", ())),
    )

"""The collection `unwanted`: what is at Replicate and nobody needs any more.

A document for each prediction to cancel and for each file to remove, until that is done. Any number
of workers may do it: each document is claimed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.collection import Collection

from allthethings.store.documents import Document, available, now

# How long a claim lasts: longer than one request to Replicate.
CLAIM = timedelta(seconds=30)
# How long a prediction is held for a caller, who needs a few writes to the database.
HOLD = timedelta(minutes=1)
# Predictions have ended by then, and files have expired.
KEPT = timedelta(days=1)


class Unwanted(StrEnum):
    """What is to go."""

    PREDICTION = "prediction"
    FILE = "file"


class UnwantedStore:
    """Keeps what is to go. Every method raises ServiceUnavailable when the database is away."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def create_indexes(self) -> None:
        for field in ("claimed_until", "at"):
            self._collection.create_index([(field, ASCENDING)], name=field)

    def put(self, what: Unwanted, ids: Sequence[str]) -> None:
        """Note that these predictions, or files, are to go, also those that somebody holds. Noting
        one twice is once."""
        if not ids:
            return
        moment = now()
        # In this order: who holds one in between must not release it any more.
        self._insert(ids, {"what": what.value, "at": moment, "claimed_until": moment})
        with available():
            self._collection.update_many(
                {"_id": {"$in": list(ids)}, "held_by": {"$ne": None}},
                {"$set": {"claimed_until": moment, "held_by": None}},
            )

    def hold(self, ids: Sequence[str]) -> str:
        """Note predictions that the caller is about to make unwanted. Unless they are put or
        released, they go when HOLD is over. Returns the token for `release`."""
        token = secrets.token_hex(8)
        moment = now()
        times = {"at": moment, "claimed_until": moment + HOLD}
        self._insert(ids, {"what": Unwanted.PREDICTION.value, **times, "held_by": token})
        return token

    def release(self, ids: Sequence[str], token: str) -> None:
        """Forget those that are held by this token."""
        with available():
            self._collection.delete_many({"_id": {"$in": list(ids)}, "held_by": token})

    def _insert(self, ids: Iterable[str], fields: Mapping[str, Any]) -> None:
        """Insert those that are not there."""
        writes = [UpdateOne({"_id": each}, {"$setOnInsert": fields}, upsert=True) for each in ids]
        with available():
            self._collection.bulk_write(writes, ordered=False)

    def claim(self) -> tuple[Unwanted, str] | None:
        """One that is to go, which the caller sees to now; None if there is none."""
        moment = now()
        with available():
            found = self._collection.find_one_and_update(
                {"claimed_until": {"$lte": moment}}, {"$set": {"claimed_until": moment + CLAIM}}
            )
        return (Unwanted(found["what"]), found["_id"]) if found else None

    def remove(self, identity: str) -> None:
        """It is gone, or cannot be made to go."""
        with available():
            self._collection.delete_one({"_id": identity})

    def expire(self) -> None:
        """Forget what is gone by itself."""
        with available():
            self._collection.delete_many({"at": {"$lt": now() - KEPT}})

"""Which documents are looked at again, and when: the fields `schedule`, `look_again_at` and
`looking_until` of any collection.

A look is claimed as an asset is: `looking_until` is both the end of its lease and the token of who
holds it. A worker that dies leaves it set, and another may claim the look after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.collection import Collection

from allthethings.assets.looks import Schedule, next_look
from allthethings.store.documents import Document, available, now

# How long a look may take: the requests of one look, the parse of a document, and the cut of its
# text take half of it at most.
LOOK_LEASE = timedelta(seconds=90)


@dataclass(frozen=True)
class Claim:
    """A look that the caller holds. `document` is without what can be megabytes."""

    key: ObjectId
    token: datetime
    document: Mapping[str, Any]


class LookSchedule:
    """The schedule of a collection. `which` is a filter for the documents that are looked at;
    an index on its fields and `look_again_at` serves it. `projection` is what claims read.

    Every method raises ServiceUnavailable when the database is away.
    """

    def __init__(
        self,
        collection: Collection[Document],
        which: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
    ) -> None:
        self._collection = collection
        self._which = which
        self._projection = projection

    def due(self, limit: int) -> list[Document]:
        """The documents whose look is due and held by nobody, the longest due first: `_id` and
        `url`."""
        query = {**self._which, "look_again_at": {"$lte": now()}, **_free()}
        with available():
            found = self._collection.find(query, {"url": 1})
            return list(found.sort("look_again_at", ASCENDING).limit(limit))

    def claim(self, key: ObjectId, *, due: bool) -> Claim | None:
        """Take a look that nobody holds, and, with `due`, only one that is due."""
        query = {"_id": key, **self._which, **_free()}
        if due:
            query["look_again_at"] = {"$lte": now()}
        token = now() + LOOK_LEASE
        with available():
            document = self._collection.find_one_and_update(
                query,
                {"$set": {"looking_until": token}},
                self._projection,
                return_document=ReturnDocument.AFTER,
            )
        return Claim(key, token, document) if document else None

    def end(self, claim: Claim, look_again_at: datetime | None, fields: Mapping[str, Any]) -> bool:
        """Give back a look with what it found. False, and nothing is changed, if another worker has
        taken it since or if the document is gone. `look_again_at` is the next look; None for none.
        """
        with available():
            result = self._collection.update_one(
                {"_id": claim.key, "looking_until": claim.token},
                _planned(look_again_at, {**fields, "looking_until": None}),
            )
        return result.matched_count == 1

    def choose(self, key: ObjectId, schedule: Schedule | None, default: Schedule) -> bool:
        """Look at a document so often from now on; None is the default. Whether it is there."""
        change = _planned(_first(schedule or default), {"schedule": schedule and schedule.value})
        with available():
            found = self._collection.update_one({"_id": key, **self._which}, change)
        return found.matched_count == 1

    def plan(self, default: Schedule, limit: int) -> int:
        """Give a moment to documents that were never planned, such as new ones. Returns how many
        there were, at most `limit`."""
        if default.interval is None:
            return 0
        query = {**self._which, "schedule": None, "look_again_at": {"$exists": False}}
        with available():
            keys = [each["_id"] for each in self._collection.find(query, {"_id": 1}).limit(limit)]
            plans = [
                UpdateOne({**query, "_id": key}, {"$set": {"look_again_at": _first(default)}})
                for key in keys
            ]
            if plans:
                self._collection.bulk_write(plans, ordered=False)
        return len(keys)


def schedule_of(document: Mapping[str, Any]) -> Schedule | None:
    """The schedule that a person has chosen; None for the default."""
    value = document.get("schedule")
    return Schedule(value) if value in frozenset(Schedule) else None


def _first(schedule: Schedule) -> datetime | None:
    return next_look(schedule, now())


def _planned(look_again_at: datetime | None, fields: Mapping[str, Any]) -> Document:
    """The update that sets these fields and when to look next."""
    if look_again_at is None:
        return {"$set": dict(fields), "$unset": {"look_again_at": ""}}
    return {"$set": {**fields, "look_again_at": look_again_at}}


def _free() -> Document:
    return {"looking_until": {"$not": {"$gt": now()}}}

"""The collections `revisions` and `revision_passages`: new versions of things, while they are made.

A revision is a document like an asset's, of an id of its own, and goes the same way from status to
status, with passages of its own. So its thing stays as it is, and callbacks of one version never
meet another. A unique index allows one revision of a thing at a time.

A revision that is SEARCHABLE is put in its thing's place in an order in which readers always have
one whole version: its passages, with their vectors, are copied beside the present ones; the
thing's document gets the text and the number of the revision in one write, and from then on the
other passages count; the old ones are removed, and then the revision. Each step may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, ReplaceOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from allthethings.assets.about import About
from allthethings.assets.asset import FINISHED, Asset, AssetStatus
from allthethings.assets.looks import Looks, Version
from allthethings.assets.passages import Passage
from allthethings.store.asset_documents import WITHOUT_TEXT, in_status, to_asset
from allthethings.store.conditions import ASSET_KEY
from allthethings.store.documents import Document, available, now
from allthethings.store.leases import new_lease
from allthethings.store.passage_documents import passage_id
from allthethings.store.passages import PassageStore

# Passages that are copied by one command, 4 kB each.
TOGETHER = 250
# Fields of a thing that a revision replaces, and those that it replaces if it has them.
REPLACED = ("text", "segments", "title", "author", "dated", "language", "remark", "version")
REPLACED_IF_TOLD = (
    *("content_type", "content_length", "duration", "picture"),
    *("replicate_request", "replicate_response"),
)


@dataclass(frozen=True)
class Revision:
    """A new version of the thing `thing_id`; `number` is the thing's `revision` once it is in its
    place. `asset` is how far it is, under its own id."""

    asset: Asset
    thing_id: str
    number: int


class RevisionStore:
    """Keeps revisions, and puts them in their things' places. Every method raises
    ServiceUnavailable when the database is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._revisions = database["revisions"]
        self._things = database["assets"]
        self._passages = database["passages"]
        self._new_passages = database["revision_passages"]

    def create_indexes(self) -> None:
        """Create the indexes that are missing."""
        self._revisions.create_index([("thing_id", ASCENDING)], name="thing_id", unique=True)
        status_lease = [("status", ASCENDING), ("lease_until", ASCENDING)]
        self._revisions.create_index(status_lease, name="status_lease")
        PassageStore(self._new_passages).create_indexes()

    def begin(self, thing: Asset, url: str, version: Version, content_type: str) -> Asset | None:
        """A new revision of a thing, SUBMITTED, leased to the caller; it is read from that URL.
        None if there is one already."""
        moment, lease = now(), new_lease()
        document: Document = {
            "_id": ObjectId(),
            "thing_id": ObjectId(thing.id),
            "number": (thing.revision or 0) + 1,
            "url": url,
            # What the new version does not tell stays as it was.
            **{name: getattr(thing, name) for name in ("title", "author", "dated", "language")},
            "content_type": content_type,
            "content_length": version.length,
            "version": version.stored(),
            "status": AssetStatus.SUBMITTED.value,
            "created_at": thing.created_at,
            "updated_at": moment,
            **lease,
            "history": [{"status": AssetStatus.SUBMITTED.value, "at": moment}],
        }
        with available():
            try:
                self._revisions.insert_one(document)
            except DuplicateKeyError:
                return None
        return to_asset(document, lease["lease_owner"])

    def get(self, revision_id: str) -> Revision | None:
        """The revision with its text."""
        return self._one({"_id": ObjectId(revision_id)}, None)

    def of_thing(self, thing_id: str) -> Revision | None:
        """The revision of a thing that is being made, without its text."""
        return self._one({"thing_id": ObjectId(thing_id)}, WITHOUT_TEXT)

    def _one(self, query: Document, fields: Document | None) -> Revision | None:
        with available():
            document = self._revisions.find_one(query, fields)
        if document is None:
            return None
        return Revision(to_asset(document), str(document["thing_id"]), document["number"])

    def finished(self, limit: int) -> list[str]:
        """The ids of revisions that are to be put in place, or that failed."""
        query = {"status": in_status(FINISHED), "lease_until": {"$lte": now()}}
        with available():
            return [
                str(each["_id"]) for each in self._revisions.find(query, {"_id": 1}).limit(limit)
            ]

    def in_two_versions(self) -> frozenset[str]:
        """The things of which the search indexes may hold passages of two versions now."""
        query = {"status": AssetStatus.SEARCHABLE.value}
        with available():
            found = self._revisions.find(query, {"thing_id": 1})
            return frozenset(str(each["thing_id"]) for each in found)

    def copy_passages(
        self, revision: Revision, about: About, still_ours: Callable[[], bool]
    ) -> bool:
        """Copy the passages of a revision beside those of its thing. False, half-way, once the
        caller does not hold the revision any more."""
        with available():
            found = self._new_passages.find({"asset_id": ObjectId(revision.asset.id)})
            for some in _some(found):
                if not still_ours():
                    return False
                self._passages.bulk_write(
                    [_copy(each, revision, about) for each in some], ordered=False
                )
        return still_ours()

    def switch(self, revision: Revision, looks: Looks) -> bool:
        """Give a thing the text of its revision. Whether this call did: not if the thing is gone,
        or has this revision already."""
        before = revision.number - 1 or None
        with available():
            made = self._revisions.find_one({"_id": ObjectId(revision.asset.id)}) or {}
            fields = {name: made.get(name) for name in REPLACED}
            fields |= {name: made[name] for name in REPLACED_IF_TOLD if made.get(name) is not None}
            changes = {**fields, "revision": revision.number, "looks": looks.stored()}
            result = self._things.update_one(
                {
                    "_id": ObjectId(revision.thing_id),
                    "status": AssetStatus.SEARCHABLE.value,
                    "revision": before,
                },
                {"$set": changes},
            )
        return result.modified_count == 1

    def note(self, thing_id: str, looks: Looks, version: Version | None = None) -> None:
        """Keep what became of a revision whose thing stays as it is."""
        fields = {"looks": looks.stored(), **({"version": version.stored()} if version else {})}
        with available():
            self._things.update_one({"_id": ObjectId(thing_id)}, {"$set": fields})

    def retire(self, thing_id: str, number: int) -> None:
        """Remove the passages of a thing that stand for a text before that revision."""
        former = [{"revision": None}, {"revision": {"$lt": number}}]
        with available():
            self._passages.delete_many({"asset_id": ObjectId(thing_id), "$or": former})

    def withdraw(self, revision: Revision) -> None:
        """Remove passages of a revision that were copied beside those of its thing."""
        query = {"asset_id": ObjectId(revision.thing_id), "revision": revision.number}
        with available():
            self._passages.delete_many(query)


class RevisionPassages(PassageStore):
    """The passages of revisions. One that has the text of a passage of its thing, to the letter
    that the model reads, takes over that passage's vector."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database["revision_passages"])
        self._revisions = database["revisions"]
        self._present = database["passages"]

    def put(self, asset_id: str, about: About, passages: Sequence[Passage], tries: int = 0) -> bool:
        """As of every PassageStore, with the vectors that are there already."""
        if not super().put(asset_id, about, passages, tries):
            return False
        with available():
            revision = self._revisions.find_one({"_id": ObjectId(asset_id)}, {"thing_id": 1})
            without = {"asset_id": ObjectId(asset_id), "embedding": {"$exists": False}}
            rows = list(self.collection.find(without, {"digest": 1})) if revision else []
            for some in _some(rows):
                self._take_vectors(some, revision["thing_id"] if revision else None)
        return True

    def _take_vectors(self, rows: Sequence[Document], thing_id: Any) -> None:
        wanted = {"asset_id": thing_id, "digest": {"$in": [row["digest"] for row in rows]}}
        found = self._present.find(
            {**wanted, "embedding": {"$exists": True}}, {"digest": 1, "embedding": 1}
        )
        vectors = {each["digest"]: each["embedding"] for each in found}
        writes = [
            UpdateOne(
                {"_id": row["_id"], "digest": row["digest"]},
                {"$set": {"embedding": vectors[row["digest"]]}},
            )
            for row in rows
            if row["digest"] in vectors
        ]
        if writes:
            self.collection.bulk_write(writes, ordered=False)


def _some(rows: Iterable[Document]) -> Iterator[list[Document]]:
    """All of them, so many at a time as one command takes."""
    remaining = iter(rows)
    while some := list(islice(remaining, TOGETHER)):
        yield some


def _copy(row: Mapping[str, Any], revision: Revision, about: About) -> ReplaceOne[Document]:
    """The write that puts a passage of a revision beside those of its thing."""
    key = passage_id(revision.thing_id, revision.number, row["position"])
    document = {
        **row,
        **about.fields(),
        "_id": key,
        "asset_id": ObjectId(revision.thing_id),
        ASSET_KEY: revision.thing_id,
        "revision": revision.number,
    }
    return ReplaceOne({"_id": key}, document, upsert=True)

"""The collection `passages`: one document per searchable part of a thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo import ASCENDING, DESCENDING, InsertOne, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from allthethings.assets import locators, places
from allthethings.assets.about import NAMES, About
from allthethings.assets.passages import Passage
from allthethings.store.conditions import ASSET_KEY
from allthethings.store.documents import Document, available
from allthethings.store.passage_documents import digest, fields_of, of_revision, passage_id

# Passages of versions before one of the fields of About, or before ASSET_KEY. The title of a thing
# without one was null.
WITHOUT_FIELDS: Document = {"$or": [{name: None} for name in (ASSET_KEY, *NAMES)]}
# MongoDB's code for a document that a unique index refuses.
DUPLICATE_KEY = 11000


class PassageStore:
    """One document per passage; its `_id` is <asset id>:<position>, so writing twice is once. What
    makes passages and their vectors is about things whose text was never replaced."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def create_indexes(self) -> None:
        self.collection.create_index(
            [("asset_id", ASCENDING), ("position", ASCENDING)], name="asset_position"
        )

    def put(self, asset_id: str, about: About, passages: Sequence[Passage], tries: int = 0) -> bool:
        """Keep these passages and no others; one that has the same text stays as it is.

        `tries` says how often the asset was started again. Passages of an earlier try are
        replaced; False if there are some of a later one, which stay.
        """
        key = ObjectId(asset_id)
        whose = {"asset_id": key, ASSET_KEY: asset_id, "tries": tries, **about.fields()}
        documents = [
            {"_id": f"{asset_id}:{passage.position}", **whose, **fields_of(passage)}
            for passage in passages
        ]
        not_later: Document = {"tries": {"$not": {"$gt": tries}}}
        with available():
            if tries == 0 and self._write([InsertOne(each) for each in documents]):
                return True
            there = self._there(key, tries, not_later)
            writes = [
                ReplaceOne({"_id": document["_id"], **not_later}, document, upsert=True)
                for document, passage in zip(documents, passages, strict=True)
                if there.get(passage.position) != (passage.text, passage.before)
            ]
            if not self._write(writes):
                return False
            if len(there) > len(passages):
                self.collection.delete_many(
                    {"asset_id": key, "position": {"$gte": len(passages)}, **not_later}
                )
        return True

    def _there(
        self, key: ObjectId, tries: int, not_later: Document
    ) -> dict[int, tuple[str, str | None]]:
        """Give the passages of earlier tries to this one. Returns what the model reads of each."""
        if self.collection.find_one({"asset_id": key}, {"_id": 1}) is None:
            return {}
        self.collection.update_many({"asset_id": key, **not_later}, {"$set": {"tries": tries}})
        mine, read = {"asset_id": key, "tries": tries}, {"position": 1, "text": 1, "before": 1}
        return {
            document["position"]: (document["text"], document.get("before"))
            for document in self.collection.find(mine, read)
        }

    def _write(self, writes: Sequence[InsertOne[Document] | ReplaceOne[Document]]) -> bool:
        """Whether all was written. The first passage that is there ends an insert; the first of a
        later try ends a replacement: the filter does not match that, and another of its `_id`
        cannot be inserted."""
        try:
            if writes:
                self.collection.bulk_write(writes, ordered=True)
        except BulkWriteError as error:
            codes = {each["code"] for each in error.details["writeErrors"]}
            if codes != {DUPLICATE_KEY}:  # none, where only the write concern was not met
                raise
            return False
        return True

    def of(self, asset_id: str, revision: int | None = None) -> list[Document]:
        """The passages of that revision of a thing, in reading order: position, `before`, text,
        locator (a Locator), places, whether `embedded`, and `replicate_embedding_id`."""
        fields: Document = dict.fromkeys(("position", "before", "text", "locator", "places"), 1)
        fields |= {"replicate_embedding_id": 1, "embedded": {"$gt": ["$embedding", None]}}
        with available():
            documents = list(
                self.collection.find(of_revision(asset_id, revision), fields).sort("position", 1)
            )
        return [
            {
                "position": document["position"],
                "before": document.get("before", ""),
                "text": document["text"],
                "locator": locators.read(document["locator"]),
                "places": places.read(document.get("places", ())),
                "embedded": document["embedded"],
                "replicate_embedding_id": document.get("replicate_embedding_id"),
            }
            for document in documents
        ]

    def openings(self, revisions: Mapping[str, int | None]) -> dict[str, str]:
        """The text of each thing's first passage, by the thing's id; `revisions` has the revision
        of each thing."""
        first = [passage_id(asset_id, revision, 0) for asset_id, revision in revisions.items()]
        with available():
            documents = self.collection.find({"_id": {"$in": first}}, {"asset_id": 1, "text": 1})
            return {str(document["asset_id"]): document["text"] for document in documents}

    def requested(self, asset_id: str, first: int, last: int, prediction_id: str) -> None:
        """Note which prediction embeds the passages first..last, with that range: the note may
        be interrupted half-way, the prediction's output is of the whole range."""
        with available():
            self.collection.update_many(
                {
                    "asset_id": ObjectId(asset_id),
                    "position": {"$gte": first, "$lte": last},
                    "replicate_embedding_id": None,
                },
                {
                    "$set": {
                        "replicate_embedding_id": prediction_id,
                        "replicate_embedding_range": [first, last],
                    }
                },
            )

    def await_prediction(self, asset_id: str, first: int, last: int, prediction_id: str) -> bool:
        """Whether one of the passages first..last is known to be embedded by this prediction."""
        query: Document = {
            "asset_id": ObjectId(asset_id),
            "position": {"$gte": first, "$lte": last},
            "replicate_embedding_id": prediction_id,
        }
        with available():
            return self.collection.find_one(query, {"_id": 1}) is not None

    def waiting(
        self,
        asset_id: str,
        first: int,
        last: int,
        prediction_id: str,
        texts: Sequence[str] | None = None,
    ) -> int:
        """How many of the passages first..last wait for the vectors of this prediction. It embeds
        `texts`; None where that is not known."""
        query: Document = {
            "asset_id": ObjectId(asset_id),
            "position": {"$gte": first, "$lte": last},
            "replicate_embedding_id": {"$in": [prediction_id, None]},
            "embedding": {"$exists": False},
        }
        if texts is not None:
            query["digest"] = {"$in": [*map(digest, texts), None]}
        with available():
            return self.collection.count_documents(query)

    def embed(
        self,
        asset_id: str,
        first: int,
        vectors: Sequence[Sequence[float]],
        prediction_id: str,
        texts: Sequence[str] | None = None,
        *,
        only_awaited: bool = False,
    ) -> int:
        """Keep the vectors of the passages first, first + 1, ... that this prediction embeds.

        A passage that has a vector, waits for another prediction, or has another text than the one
        in `texts`, stays as it is; with `only_awaited` also one that waits for none. Returns how
        many were there to be written.
        """
        known: Sequence[str | None] = texts or [None] * len(vectors)
        awaited: Any = prediction_id if only_awaited else {"$in": [prediction_id, None]}
        writes = [
            UpdateOne(
                {
                    "_id": f"{asset_id}:{position}",
                    "replicate_embedding_id": awaited,
                    "embedding": {"$exists": False},
                    **({} if text is None else {"digest": {"$in": [digest(text), None]}}),
                },
                {
                    "$set": {
                        "embedding": Binary.from_vector(list(vector), BinaryVectorDtype.FLOAT32),
                        "replicate_embedding_id": prediction_id,
                    }
                },
            )
            for position, (vector, text) in enumerate(zip(vectors, known, strict=False), first)
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

    def complete(self, asset_id: str, *, some: bool = False) -> bool:
        """Whether there are passages of a thing, each with its vector. With `some` there are, as
        the caller knows."""
        query = of_revision(asset_id, None)
        # The vectors come about in order: one that is missing is found soonest at the end.
        missing, at_the_end = {**query, "embedding": {"$exists": False}}, [("position", DESCENDING)]
        with available():
            if self.collection.find_one(missing, {"_id": 1}, sort=at_the_end):
                return False
            return some or self.collection.find_one(query, {"_id": 1}) is not None

    def progress(self, asset_id: str, revision: int | None = None) -> tuple[int, int]:
        """How many passages have their vector, and how many there are."""
        query = of_revision(asset_id, revision)
        with available():
            total = self.collection.count_documents(query)
            waiting = self.collection.count_documents({**query, "embedding": {"$exists": False}})
        return total - waiting, total

    def vectors(
        self, asset_id: str, position: int | None = None, revision: int | None = None
    ) -> list[list[float]]:
        """The vectors of a thing's passages, or of the one at that position, if it has them."""
        query: Document = {**of_revision(asset_id, revision), "embedding": {"$exists": True}}
        if position is not None:
            query["position"] = position
        with available():
            rows = list(self.collection.find(query, {"embedding": 1}))
        return [list(row["embedding"].as_vector().data) for row in rows]

    def forget_requests(self, asset_id: str, prediction_ids: Sequence[str]) -> None:
        """Passages without a vector do not wait for these predictions any more."""
        with available():
            self.collection.update_many(
                {
                    "asset_id": ObjectId(asset_id),
                    "replicate_embedding_id": {"$in": list(prediction_ids)},
                    "embedding": {"$exists": False},
                },
                {
                    "$set": {"replicate_embedding_id": None},
                    "$unset": {"replicate_embedding_range": ""},
                },
            )

    def tell(self, asset_id: str, about: About) -> None:
        """Write the fields of About and ASSET_KEY into passages that lack one of them."""
        with available():
            self.collection.update_many(
                {"asset_id": ObjectId(asset_id), **WITHOUT_FIELDS},
                {"$set": {ASSET_KEY: asset_id, **about.fields()}},
            )

    def untold(self) -> set[str]:
        """The assets with passages of versions before one of the fields of About."""
        with available():
            rows = self.collection.find(WITHOUT_FIELDS, {"asset_id": 1})
            return {str(row["asset_id"]) for row in rows}

    def delete(self, asset_id: str) -> None:
        with available():
            self.collection.delete_many({"asset_id": ObjectId(asset_id)})

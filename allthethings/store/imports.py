"""The collections `imports` and `import_lines`.

A line is claimed as an asset is: its lease has an owner, and an end, after which another worker
may take it. The fate of a line is set once, by who holds its lease.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database

from allthethings.assets.imports import Fate, Import, ImportState, Line
from allthethings.assets.looks import Looks
from allthethings.errors import IndexingError
from allthethings.store.documents import Document, available, now
from allthethings.store.leases import new_lease, shorten_leases

# The index of `import_lines`. The ids of lines serve what asks for no fate.
LINE_INDEX = ("import_id", "fate", "number")
# The index of `imports`.
IMPORT_INDEX = ("state", "created_at")
# Characters of a line that are kept. No longer line is a URL that is accepted.
MAX_LINE = 2_100
# Digits of a line's number in its id.
DIGITS = 7
# Lines that are stored by one command: others get their turn at the database in between.
TOGETHER = 1_000
# How long the lines of an import may take to be stored. An older one was interrupted.
ARRIVAL = timedelta(minutes=10)


class ImportStore:
    """Keeps imports. Every method raises ServiceUnavailable when the database is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._imports: MongoCollection[Document] = database["imports"]
        self._lines: MongoCollection[Document] = database["import_lines"]

    def create_indexes(self) -> None:
        """Create the indexes that are missing."""
        for collection, fields in ((self._lines, LINE_INDEX), (self._imports, IMPORT_INDEX)):
            keys = [(each, ASCENDING) for each in fields]
            collection.create_index(keys, name="_".join(fields))

    # -- an import as a whole

    def add(self, lines: Mapping[str, int], notes: Sequence[str]) -> Import:
        """A new import of these lines, each with the number of its copies. All are stored when
        this returns."""
        key = ObjectId()
        made = Import(str(key), ImportState.ARRIVING, len(lines), now(), tuple(notes))
        document = {
            "_id": key,
            "state": made.state.value,
            "size": made.size,
            "created_at": made.created_at,
            "notes": list(notes),
        }
        stored = [
            new_line(key, number, line, times, made)
            for number, (line, times) in enumerate(lines.items(), 1)
        ]
        with available():
            self._imports.insert_one(document)
            for first in range(0, len(stored), TOGETHER):
                self._lines.insert_many(stored[first : first + TOGETHER], ordered=False)
        self.move(made.id, frozenset({ImportState.ARRIVING}), ImportState.RUNNING)
        return replace(made, state=ImportState.RUNNING)

    def move(self, import_id: str, come_from: frozenset[ImportState], to: ImportState) -> bool:
        """Change the state if it is one of those. Returns whether this call made the change."""
        expected = {
            "_id": ObjectId(import_id),
            "state": {"$in": sorted(state.value for state in come_from)},
        }
        with available():
            result = self._imports.update_one(expected, {"$set": {"state": to.value}})
        return result.modified_count == 1

    def get(self, import_id: str) -> Import | None:
        """The import, without counts; None if there is none of that id."""
        if not ObjectId.is_valid(import_id):
            return None
        with available():
            document = self._imports.find_one({"_id": ObjectId(import_id)})
        return to_import(document) if document else None

    def counts(self, import_id: str) -> dict[Fate, int]:
        """How many lines have each fate."""
        return self.counts_of([import_id])[import_id]

    def counts_of(self, import_ids: Sequence[str]) -> dict[str, dict[Fate, int]]:
        """As `counts`, for each of these imports."""
        counts = {import_id: dict.fromkeys(Fate, 0) for import_id in import_ids}
        of_fates: list[Document] = [
            {"$match": {"import_id": {"$in": [ObjectId(each) for each in import_ids]}}},
            {"$group": {"_id": {"of": "$import_id", "fate": "$fate"}, "lines": {"$sum": 1}}},
        ]
        with available():
            for each in self._lines.aggregate(of_fates):
                group = each["_id"]
                counts[str(group["of"])][Fate(group["fate"])] = each["lines"]
        return counts

    def states(self, wanted: Collection[ImportState]) -> set[ImportState]:
        """Which of those states there is an import in."""
        query = {"state": {"$in": sorted(state.value for state in wanted)}}
        with available():
            return {ImportState(each) for each in self._imports.distinct("state", query)}

    def in_state(self, state: ImportState, limit: int) -> list[Import]:
        """The imports in that state, oldest first, without counts."""
        with available():
            found = self._imports.find({"state": state.value})
            return [to_import(each) for each in found.sort("created_at", ASCENDING).limit(limit)]

    def newest(self, limit: int, before: str | None = None) -> list[Import]:
        """The imports, newest first, without counts: those before one of them, or all."""
        query: Document = {"state": {"$ne": ImportState.ARRIVING.value}}
        if before:
            query["_id"] = {"$lt": ObjectId(before)}
        with available():
            found = self._imports.find(query).sort("_id", DESCENDING).limit(limit)
            return [to_import(each) for each in found]

    def remove_interrupted(self) -> None:
        """Remove imports whose lines did not all arrive. Who sent them got no answer."""
        for each in self.in_state(ImportState.ARRIVING, 10):
            if each.created_at < now() - ARRIVAL:
                with available():
                    self._lines.delete_many({"import_id": ObjectId(each.id)})
                    self._imports.delete_one({"_id": ObjectId(each.id)})

    # -- its lines

    def page(
        self,
        import_id: str,
        size: int,
        *,
        fate: Fate | None = None,
        after: int = 0,
        before: int | None = None,
    ) -> list[Line]:
        """Lines in their order: those after a number, or the nearest before one."""
        query: Document = {"import_id": ObjectId(import_id)}
        first, last = line_id(import_id, after + 1), line_id(import_id, before or 10**DIGITS)
        if fate is None:
            query, order = {"_id": {"$gte": first, "$lt": last}}, "_id"
        else:
            numbers = {"$gt": after, "$lt": before or 10**DIGITS}
            query, order = {**query, "fate": fate.value, "number": numbers}, "number"
        direction = DESCENDING if before else ASCENDING
        with available():
            found = self._lines.find(query).sort(order, direction).limit(size)
            lines = [_to_line(document) for document in found]
        return lines[::-1] if before else lines

    def due(self, import_id: str) -> list[Line]:
        """The lines that wait and that nobody holds, in their order."""
        query = {"import_id": ObjectId(import_id), "fate": Fate.WAITING.value}
        with available():
            found = self._lines.find({**query, "lease_until": {"$lte": now()}})
            return [_to_line(document) for document in found.sort("number", ASCENDING)]

    def shorten_leases(self, import_id: str) -> None:
        """Let lines be claimed soon that were held by a process of this machine that has ended."""
        query = {"import_id": ObjectId(import_id), "fate": Fate.WAITING.value}
        with available():
            shorten_leases(self._lines, query)

    def waits(self, import_id: str) -> bool:
        """Whether any line still waits, held or not."""
        query = {"import_id": ObjectId(import_id), "fate": Fate.WAITING.value}
        with available():
            return self._lines.find_one(query, {"_id": 1}) is not None

    def claim(self, line: Line) -> Line | None:
        """Take the lease of a line that waits; None if another worker holds it, or if its fate is
        set."""
        lease = new_lease()
        expected = {
            "_id": line_id(line.import_id, line.number),
            "fate": Fate.WAITING.value,
            "lease_until": {"$lte": now()},
        }
        with available():
            document = self._lines.find_one_and_update(
                expected,
                {"$set": lease, "$inc": {"claims": 1}},
                return_document=ReturnDocument.AFTER,
            )
        return replace(_to_line(document), lease_owner=lease["lease_owner"]) if document else None

    def settle(
        self,
        line: Line,
        fate: Fate,
        asset_id: str | None = None,
        error: IndexingError | None = None,
    ) -> bool:
        """Set the fate of a line that the caller holds. Returns whether the caller still held
        it."""
        told = {"fate": fate.value, "asset_id": asset_id, **_told(error)}
        return self._give_back(line, told, now())

    def look_later(self, line: Line, error: IndexingError, wait: timedelta, looks: int) -> None:
        """Give back a line that the caller holds; nobody takes it before `wait`."""
        self._give_back(line, {"looks": looks, **_told(error)}, now() + wait)

    def _give_back(self, line: Line, fields: Document, lease_until: datetime) -> bool:
        held = {
            "_id": line_id(line.import_id, line.number),
            "fate": Fate.WAITING.value,
            "lease_owner": line.lease_owner,
        }
        with available():
            result = self._lines.update_one(
                held, {"$set": {**fields, "lease_until": lease_until, "lease_owner": None}}
            )
        return result.matched_count == 1

    def close(self, import_id: str, fate: Fate) -> None:
        """Mark the lines of that fate as undone, but for those that somebody holds."""
        query = {"import_id": ObjectId(import_id), "fate": fate.value}
        with available():
            self._lines.update_many(
                {**query, "lease_until": {"$lte": now()}},
                {"$set": {"fate": Fate.UNDONE.value, "asset_id": None, **_told(None)}},
            )


def line_id(import_id: str, number: int) -> str:
    """The id of a line. The ids of an import's lines sort as its lines do."""
    return f"{import_id}:{number:0{DIGITS}}"


def new_line(key: ObjectId, number: int, url: str, times: int, made: Import) -> Document:
    """The document of a line that nobody has looked at yet."""
    return {
        "_id": line_id(made.id, number),
        "import_id": key,
        "number": number,
        "url": url[:MAX_LINE],
        "times": times,
        "fate": Fate.WAITING.value,
        "lease_until": made.created_at,
    }


def _told(error: IndexingError | None) -> Document:
    if error is None:
        return {"message": "", "error_code": None}
    return {"message": error.refusal, "error_code": error.code.value}


def to_import(document: Mapping[str, Any]) -> Import:
    """The import in a document, without counts."""
    return Import(
        str(document["_id"]),
        ImportState(document["state"]),
        document["size"],
        document["created_at"],
        tuple(document.get("notes", ())),
        depth=document.get("depth"),
        root_id=document.get("root_id"),
        look_again_at=document.get("look_again_at"),
        looks=Looks.read(document.get("looks")),
        wait=document.get("wait"),
        new=document.get("new"),
    )


def _to_line(document: Mapping[str, Any]) -> Line:
    return Line(
        str(document["import_id"]),
        document["number"],
        document["url"],
        Fate(document["fate"]),
        document.get("message") or "",
        document.get("error_code"),
        document.get("asset_id"),
        document.get("times", 1),
        document.get("looks", 0),
        document.get("claims", 0),
        document.get("told") or {},
        document.get("depth"),
    )

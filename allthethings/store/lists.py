"""The entries of lists: the import that each list has, by the same id, and the things in it.

`assets` have the field `list_ids`, the lists that have the thing, and `by_list` if one of those
has added it: such a thing may be deleted with its last list. One that `leaves` is being deleted so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.imports import FOLLOWED, Fate, Import, ImportState
from allthethings.assets.lists import Entry
from allthethings.errors import ServiceUnavailable
from allthethings.store.asset_documents import WITHOUT_TEXT, in_status, to_asset
from allthethings.store.documents import Document, available, now
from allthethings.store.imports import (
    DIGITS,
    TOGETHER,
    line_id,
    new_line,
    to_import,
)
from allthethings.store.schedule import LookSchedule

# MongoDB's code for a document whose id is there already.
DUPLICATE_KEY = 11000
# The indexes of `imports` for lists: those that stand in one, and those whose look is due.
ROOT_INDEX = ("root_id",)
LOOK_INDEX = ("state", "look_again_at")


class ListStore:
    """Keeps the entries of lists. Every method raises ServiceUnavailable when the database is
    away."""

    def __init__(self, database: Database[Document]) -> None:
        self._imports: Collection[Document] = database["imports"]
        self._lines: Collection[Document] = database["import_lines"]
        self._assets: Collection[Document] = database["assets"]
        states = {"$in": sorted(state.value for state in FOLLOWED)}
        # When which lists are looked at for new entries.
        self.schedule = LookSchedule(self._imports, {"state": states, "depth": {"$ne": None}})

    def create_indexes(self) -> None:
        """Create the indexes that are missing."""
        for fields in (ROOT_INDEX, LOOK_INDEX):
            keys = [(each, ASCENDING) for each in fields]
            self._imports.create_index(keys, name="_".join(fields))

    # -- its entries

    def open(self, list_id: str, within: Import | None) -> Import:
        """The import of a list, made if it is not there; `within` is that of the list it stands
        in."""
        made: Document = {
            "state": ImportState.DONE.value,
            "size": 0,
            "created_at": now(),
            "notes": [],
            "depth": 0 if within is None or within.depth is None else within.depth + 1,
            "root_id": (within and within.root_id) or list_id,
        }
        key = {"_id": ObjectId(list_id)}
        with available():
            self._imports.update_one(key, {"$setOnInsert": made}, upsert=True)
            found = self._imports.find_one(key)
        if found is None:  # deleted in between
            return to_import({**key, **made})
        return to_import(found)

    def unknown(self, made: Import, entries: Sequence[Entry]) -> list[Entry]:
        """Those of the entries that are no lines yet, in their order."""
        with available():
            found = self._lines.find(_lines_of(made.id), {"entry_key": 1})
            known = {line.get("entry_key") for line in found}
        return [entry for entry in entries if entry.key not in known]

    def size_below(self, root_id: str) -> int:
        """The lines of a list and of all lists in it."""
        with available():
            return sum(each["size"] for each in self._imports.find({"root_id": root_id}))

    def asking_in(self, root_id: str) -> list[str]:
        """The ids of the lists in a list that ask whether to index many entries."""
        query = {"root_id": root_id, "state": ImportState.ASKING.value}
        with available():
            found = [str(each["_id"]) for each in self._imports.find(query, {"_id": 1})]
        return [each for each in found if each != root_id]

    def append(self, made: Import, entries: Sequence[Entry]) -> None:
        """Add entries as lines behind those that are there, and count all. Where another worker
        adds lines at the same time, some may be missing: the next look at the list that finds it
        changed adds them."""
        last = self._last_number(made.id)
        lines = [
            {
                **new_line(ObjectId(made.id), number, entry.url, 1, made),
                "entry_key": entry.key,
                "told": entry.told(),
                "depth": made.depth,
            }
            for number, entry in enumerate(entries, last + 1)
        ]
        with available():
            for first in range(0, len(lines), TOGETHER):
                self._insert(lines[first : first + TOGETHER])
            size = {"$max": {"size": last + len(lines)}}
            self._imports.update_one({"_id": ObjectId(made.id)}, size)

    def _last_number(self, list_id: str) -> int:
        with available():
            found = self._lines.find_one(_lines_of(list_id), {"number": 1}, sort=[("_id", -1)])
        return int(found["number"]) if found else 0

    def _insert(self, lines: Sequence[Document]) -> None:
        try:
            self._lines.insert_many(lines, ordered=False)
        except BulkWriteError as error:
            codes = {each["code"] for each in error.details["writeErrors"]}
            if codes != {DUPLICATE_KEY}:
                raise ServiceUnavailable("MongoDB", "lines could not be stored") from error

    def note(self, list_id: str, notes: Sequence[str]) -> None:
        """Keep sentences about the list as a whole, in the place of earlier ones."""
        with available():
            self._imports.update_one({"_id": ObjectId(list_id)}, {"$set": {"notes": list(notes)}})

    def plan(self, list_id: str, wait: float, fields: Mapping[str, Any]) -> None:
        """Look at a list for new entries from `look_again_at`, one of the fields, on, and then
        every `wait` seconds."""
        with available():
            self._imports.update_one({"_id": ObjectId(list_id)}, {"$set": {"wait": wait, **fields}})

    def look_now(self, list_id: str) -> None:
        """The next look at a list is due."""
        with available():
            self._imports.update_one({"_id": ObjectId(list_id)}, {"$set": {"look_again_at": now()}})

    def leave_out(self, list_id: str, after: int) -> None:
        """Take no more than so many of the lines that wait."""
        waiting = {"import_id": ObjectId(list_id), "fate": Fate.WAITING.value}
        with available():
            found = self._lines.find(waiting, {"number": 1}).sort("number", ASCENDING)
            beyond = next(iter(found.skip(after).limit(1)), None)
            if beyond is not None:
                change = {"$set": {"fate": Fate.LEFT_OUT.value}}
                self._lines.update_many({**waiting, "number": {"$gte": beyond["number"]}}, change)

    # -- the things in it

    def join(self, asset_id: str, list_id: str) -> bool:
        """Note that a list has a thing that was there before. False if the thing is gone, or is
        being deleted with another list."""
        with available():
            result = self._assets.update_one(
                {"_id": ObjectId(asset_id), "leaves": {"$ne": True}},
                {"$addToSet": {"list_ids": list_id}},
            )
        return result.matched_count == 1

    def count(self, list_id: str, statuses: frozenset[AssetStatus]) -> int:
        """The things of a list that are in one of these statuses."""
        query = {"list_ids": list_id, "status": in_status(statuses)}
        with available():
            return self._assets.count_documents(query)

    def things(self, list_id: str, statuses: frozenset[AssetStatus], limit: int) -> list[Asset]:
        """The first things of a list that are in one of these statuses, without texts."""
        query = {"list_ids": list_id, "status": in_status(statuses)}
        with available():
            found = self._assets.find(query, {**WITHOUT_TEXT, "history": 0}).limit(limit)
            return [to_asset(document) for document in found]

    # -- its end

    def begin_removal(self, list_id: str, *, with_things: bool) -> None:
        """The list is deleted: a worker removes its entries. Nothing where it has none."""
        change = {"state": ImportState.REMOVING.value, "with_things": with_things}
        with available():
            self._imports.update_one(
                {"_id": ObjectId(list_id), "depth": {"$ne": None}}, {"$set": change}
            )

    def to_delete(self, list_id: str, limit: int) -> list[str]:
        """The ids of some things to be deleted with their list: those that lists have added and
        that no other list has. None where the things are to be kept."""
        with available():
            found = self._imports.find_one({"_id": ObjectId(list_id)}, {"with_things": 1})
            if not found or not found.get("with_things"):
                return []
            query = {"list_ids": [list_id], "by_list": True}
            return [str(each["_id"]) for each in self._assets.find(query, {"_id": 1}).limit(limit)]

    def leave(self, asset_id: str, list_id: str) -> bool:
        """The caller deletes this thing with its list: no other list gets it any more. False if
        one has it by now."""
        with available():
            result = self._assets.update_one(
                {"_id": ObjectId(asset_id), "list_ids": [list_id], "by_list": True},
                {"$set": {"leaves": True}},
            )
        return result.matched_count == 1

    def forget(self, list_id: str) -> None:
        """Remove the import of a list. Things that are left are things of their own, or those of
        other lists."""
        with available():
            alone = {"list_ids": [list_id]}
            self._assets.update_many(alone, {"$set": {"list_ids": [], "by_list": False}})
            self._assets.update_many({"list_ids": list_id}, {"$pull": {"list_ids": list_id}})
            self._lines.delete_many({"import_id": ObjectId(list_id)})
            self._imports.delete_one({"_id": ObjectId(list_id)})


def _lines_of(list_id: str) -> Document:
    return {"_id": {"$gte": line_id(list_id, 0), "$lt": line_id(list_id, 10**DIGITS)}}

"""How many things there are of each status and kind, without a look at each of them.

Every thing has a `number`, in the order in which they came. BLOCK numbers in a row are a block;
what a block holds is counted once, and the count is kept: its tally. Whatever changes the status
of a thing marks it as `stirred`, in the same write. Who reads counts the blocks that hold a
stirred thing anew, and believes the tallies of the others; `settle` keeps such a count, and only
then takes the marks away. So no crash between two writes makes a count wrong: the mark stays.

What changed without a mark (by hand, by an older version of the app) is found by `settle` too:
each time it also counts a few blocks that nobody marked, one after the other.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.collection import Collection as Things
from pymongo.errors import DuplicateKeyError

from allthethings.store.documents import Document, available

BLOCK = 64
"""Numbers in a block: a page of the list reads the things of two or three blocks."""
SHELF = 64
"""Blocks whose tallies stand in one document."""
PATROL = 4
"""Blocks that `settle` counts unasked."""
WRITTEN_TOGETHER = 100
"""Documents: on a busy machine too these are written long before the driver's patience ends."""

Tally = Counter[tuple[str, str]]
"""How many things there are by status and kind; deleted ones are none."""

STIRRED: Document = {"stirred": {"$exists": True}}


def mark() -> ObjectId:
    """A value for `stirred`: each is another, so that who takes one away takes no later one."""
    return ObjectId()


class Tallies:
    """The tallies of the collection `assets`, and the last number given, in two of their own."""

    def __init__(self, things: Things[Document]) -> None:
        self._things = things
        self._shelves = things.database["tallies"]
        self._counters = things.database["counters"]
        self._patrolled = 0

    def create_indexes(self) -> None:
        self._things.create_index([("number", ASCENDING)], name="number")
        self._things.create_index(
            [("status", ASCENDING), ("kind", ASCENDING), ("number", ASCENDING)],
            name="status_kind_number",
        )
        self._things.create_index([("stirred", ASCENDING)], name="stirred", sparse=True)
        highest = self._things.find({}, {"number": 1}).sort("number", -1).limit(1)
        last = max((each.get("number", -1) for each in highest), default=-1)
        self._counters.update_one({"_id": "assets"}, {"$max": {"last": last}}, upsert=True)

    def next_number(self, many: int = 1) -> int:
        """The first of so many numbers in a row that nothing else has."""
        with available():
            try:
                counter = self._counted_up(many)
            except DuplicateKeyError:  # two have just made the counter
                counter = self._counted_up(many)
        return int(counter["last"]) - many + 1

    def blocks(self) -> Mapping[int, Tally]:
        """What each block holds now."""
        with available():
            # The marks first: what is stirred after this look is a change after this look.
            stirred = self._stirred_blocks()
            shelves = list(self._shelves.find())
            kept = {block: tally for shelf in shelves for block, tally in _tallies(shelf)}
            return kept | self._count(stirred)

    def total(self) -> Tally:
        """What there is now, all in all."""
        return sum(self.blocks().values(), Tally())

    def settle(self, blocks: Collection[int] | None = None) -> int:
        """Keep the counts of these blocks; by default of those with a mark and of a few others.
        Returns how many were other than their tally though they had no mark."""
        with available():
            stirred = self._stirred_blocks() if blocks is None else set(blocks)
            patrolled = self._next_on_patrol() if blocks is None else set()
            astray = 0
            shelves = groupby(sorted(stirred | patrolled), lambda block: block // SHELF)
            for number, group in shelves:
                astray += len(self._settle(number, list(group)) - stirred)
        return astray

    def number_the_rest(self, kind_of: Callable[[str], str]) -> int:
        """Give things that have none a number, oldest first: those that an older version of the
        app has taken in. Returns how many there were."""
        with available():
            rest = list(self._things.find({"number": None}, {"content_type": 1, "created_at": 1}))
            rest.sort(key=lambda thing: (thing["created_at"], thing["_id"]))
            for start in range(0, len(rest), WRITTEN_TOGETHER):
                some = rest[start : start + WRITTEN_TOGETHER]
                first = self.next_number(len(some))
                self._write([_numbering(thing, first + n, kind_of) for n, thing in enumerate(some)])
        return len(rest)

    def _stirred_blocks(self) -> set[int]:
        stirred = self._things.find(STIRRED, {"number": 1})
        return {thing["number"] // BLOCK for thing in stirred if "number" in thing}

    def _counted_up(self, many: int) -> Document:
        return self._counters.find_one_and_update(  # type: ignore[return-value]  # upsert
            {"_id": "assets"},
            {"$inc": {"last": many}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )

    def _next_on_patrol(self) -> set[int]:
        counter = self._counters.find_one({"_id": "assets"})
        there = (counter["last"] // BLOCK + 1) if counter else 0
        chosen = {(self._patrolled + step) % there for step in range(PATROL)} if there else set()
        self._patrolled = (self._patrolled + PATROL) % max(1, there)
        return chosen

    def _settle(self, number: int, blocks: Collection[int]) -> set[int]:
        """Keep what these blocks of one shelf hold. Returns those whose tally was another."""
        # The version before the things: who has counted later may write, and we then not.
        shelf = self._shelves.find_one({"_id": number})
        kept = dict(_tallies(shelf)) if shelf else {}
        things = {block: self._of(block) for block in blocks}
        counted = {block: _counted(found) for block, found in things.items()}
        other = {block for block in blocks if counted[block] != kept.get(block, Tally())}
        if other and not self._keep(number, shelf, {block: counted[block] for block in other}):
            return set()
        stirred = [each for found in things.values() for each in found if "stirred" in each]
        marks = [
            UpdateOne({"_id": each["_id"], "stirred": each["stirred"]}, {"$unset": {"stirred": ""}})
            for each in stirred
        ]
        self._write(marks)
        return other

    def _write(self, changes: Sequence[UpdateOne]) -> None:
        for start in range(0, len(changes), WRITTEN_TOGETHER):
            self._things.bulk_write(changes[start : start + WRITTEN_TOGETHER], ordered=False)

    def _keep(self, number: int, shelf: Document | None, counted: Mapping[int, Tally]) -> bool:
        """Compare and set; whether nobody else has written the shelf since it was read."""
        rows = {
            f"blocks.{block}": [[*key, count] for key, count in sorted(tally.items())]
            for block, tally in counted.items()
        }
        if shelf is None:
            with contextlib.suppress(DuplicateKeyError):
                self._shelves.insert_one({"_id": number, "version": 0, "blocks": {}})
            shelf = {"version": 0}
        result = self._shelves.update_one(
            {"_id": number, "version": shelf["version"]},
            {"$set": {**rows, "version": shelf["version"] + 1}},
        )
        return result.modified_count == 1

    def _count(self, blocks: Iterable[int]) -> dict[int, Tally]:
        return {block: _counted(self._of(block)) for block in blocks}

    def _of(self, block: int) -> list[Document]:
        return list(
            self._things.find(
                {"number": {"$gte": block * BLOCK, "$lt": (block + 1) * BLOCK}},
                {"status": 1, "kind": 1, "deleted_at": 1, "stirred": 1},
            )
        )


def _numbering(thing: Document, number: int, kind_of: Callable[[str], str]) -> UpdateOne:
    kind = kind_of(thing["content_type"])
    fields = {"number": number, "kind": kind, "stirred": mark()}
    return UpdateOne({"_id": thing["_id"], "number": None}, {"$set": fields})


def _counted(things: Iterable[Mapping[str, Any]]) -> Tally:
    return Tally((each["status"], each["kind"]) for each in things if "deleted_at" not in each)


def _tallies(shelf: Mapping[str, Any]) -> Iterable[tuple[int, Tally]]:
    for block, rows in shelf["blocks"].items():
        yield int(block), Tally({(status, kind): count for status, kind, count in rows})

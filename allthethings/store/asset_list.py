"""The list of things: some of them, in an order, a page at a time.

A page is a range of numbers: the tallies tell in which blocks it lies, so that no more is read,
however many things there are. The local server fetches all that a filter finds before it sorts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pymongo.collection import Collection

from allthethings.assets.asset import AssetStatus
from allthethings.store.documents import Document, available
from allthethings.store.tallies import BLOCK, Tallies, Tally

WITHOUT_TEXT: Document = {"text": 0, "segments": 0, "deliveries": 0}
"""A projection, for who shows or moves many things."""


@dataclass(frozen=True)
class Wanted:
    """Which things: of these statuses (of any, when there are none), of this kind (or any)."""

    statuses: frozenset[AssetStatus] = frozenset()
    kind: str | None = None
    oldest_first: bool = False

    @property
    def everything(self) -> bool:
        return not self.statuses and self.kind is None

    def keys(self, tally: Tally) -> set[tuple[str, str]]:
        return {
            (status, kind)
            for status, kind in tally
            if (not self.statuses or status in self.statuses)
            and (self.kind is None or kind == self.kind)
        }

    def count(self, tally: Tally) -> int:
        return sum(tally[key] for key in self.keys(tally))


@dataclass(frozen=True)
class Place:
    """Where in the list a page begins: it is the `page`th, or comes right `after` the thing of a
    number, or right `before` it. The latter two stay where they are while things come and go."""

    page: int = 1
    after: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Rows:
    """Documents of a page without texts. `first` counts from 1 over the whole list; `total` is
    of what is wanted, `tally` of everything."""

    documents: Sequence[Document]
    first: int
    total: int
    tally: Tally


def read_page(
    things: Collection[Document], tallies: Tallies, wanted: Wanted, place: Place, size: int
) -> Rows:
    blocks = tallies.blocks()
    tally = sum(blocks.values(), Tally())
    counts = {block: count for block, held in blocks.items() if (count := wanted.count(held))}
    total = sum(counts.values())
    order = sorted(counts, reverse=not wanted.oldest_first)
    chosen, ahead = _chosen(order, counts, wanted, place, size)
    if not chosen and place.before is not None:
        return read_page(things, tallies, wanted, Place(), size)
    if not chosen:
        return Rows([], total + 1, total, tally)
    keys = set().union(*(wanted.keys(blocks[block]) for block in chosen))
    reader = _Reader(things, None if wanted.everything else keys)
    low, high = min(chosen) * BLOCK, (max(chosen) + 1) * BLOCK
    numbers = sorted(reader.numbers(low, high), reverse=not wanted.oldest_first)
    start = _start(numbers, ahead, wanted, place, size)
    if start < 0:  # fewer than a page come before it
        return read_page(things, tallies, wanted, Place(), size)
    page = numbers[start : start + size]
    documents = reader.documents(page) if page else []
    return Rows(documents, ahead + start + 1, total, tally)


def _chosen(
    order: Sequence[int], counts: Mapping[int, int], wanted: Wanted, place: Place, size: int
) -> tuple[Sequence[int], int]:
    """The blocks that hold the page, and how many things come before them."""
    ends = list(accumulate(counts[block] for block in order))
    number = place.after if place.after is not None else place.before
    if number is None:
        skip = (place.page - 1) * size
        first = next((at for at, end in enumerate(ends) if end > skip), len(order))
        last = next((at for at, end in enumerate(ends) if end >= skip + size), len(order) - 1)
    else:
        # How much of the number's own block is past it, nobody knows yet: a page besides it.
        block = number // BLOCK
        at = sum(each < block if wanted.oldest_first else each > block for each in order)
        own = at < len(order) and order[at] == block
        if place.after is not None:
            first = at
            target = (ends[at] if own else ends[at - 1] if at else 0) + size
            last = next((at for at, end in enumerate(ends) if end >= target), len(order) - 1)
        else:
            last = at if own else at - 1
            before = ends[at - 1] if at else 0
            first = next((at for at, end in enumerate(ends) if end > before - size), 0)
    chosen = order[first : last + 1]
    return chosen, ends[first - 1] if 0 < first <= len(ends) else 0


def _start(numbers: Sequence[int], ahead: int, wanted: Wanted, place: Place, size: int) -> int:
    """Where among these numbers, in their order, the page begins; -1 for before the list."""

    def earlier(number: int) -> int:
        return sum(each < number if wanted.oldest_first else each > number for each in numbers)

    if place.after is not None:
        return earlier(place.after) + (place.after in numbers)
    if place.before is not None:
        return earlier(place.before) - size
    return (place.page - 1) * size - ahead


class _Reader:
    """Reads ranges of numbers, of things of these statuses and kinds, or of all."""

    def __init__(self, things: Collection[Document], keys: set[tuple[str, str]] | None) -> None:
        self._things = things
        self._keys = keys

    # What changes its status between two questions may be found by both.

    def numbers(self, low: int, high: int) -> set[int]:
        """Those from `low` to before `high`."""
        return {each["number"] for each in self._read(low, high, {"number": 1, "deleted_at": 1})}

    def documents(self, numbers: Sequence[int]) -> list[Document]:
        low, high = min(numbers), max(numbers) + 1
        found = self._read(low, high, {**WITHOUT_TEXT, "history": 0})
        there = {each["number"]: each for each in found}
        return [there[number] for number in numbers if number in there]

    def _read(self, low: int, high: int, fields: Mapping[str, int]) -> Iterable[Document]:
        span: Document = {"number": {"$gte": low, "$lt": high}}
        asked: list[Document] = (
            [span]
            if self._keys is None
            else [{"status": status, "kind": kind, **span} for status, kind in sorted(self._keys)]
        )
        with available():
            for query in asked:
                # In the filter, deleted_at would keep the local server from the index.
                for each in self._things.find(query, fields):
                    if "deleted_at" not in each:
                        yield each

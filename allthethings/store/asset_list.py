"""The list of assets: filtered, by age, with keyset pagination, and counts that have a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.store.asset_documents import WITHOUT_TEXT, in_status, to_asset
from allthethings.store.documents import Document, available

# The fields of the indexes that serve the list. A prefix of one of them serves each query, in
# either direction.
LIST_INDEXES = {
    "created": ("created_at", "_id"),
    "status_created": ("status", "created_at", "_id"),
    "kind_created": ("kind", "created_at", "_id"),
    "status_kind_created": ("status", "kind", "created_at", "_id"),
}
# The largest number that is counted. Where there are more, a count ends here.
COUNT_LIMIT = 10_000
# Assets on a page of the list, where nobody asks for another number.
ASSETS_PER_PAGE = 20


@dataclass(frozen=True)
class AssetFilter:
    """The assets with one of these statuses, or any, and of this kind, or any."""

    statuses: frozenset[AssetStatus] = frozenset()
    kind: str | None = None

    def query(self) -> Document:
        query: Document = {}
        if self.statuses:
            query["status"] = in_status(self.statuses)
        if self.kind is not None:
            query["kind"] = self.kind
        return query


@dataclass(frozen=True)
class Position:
    """Where an asset stands in the list, also after it has gone from there."""

    created_at: datetime
    asset_id: str


@dataclass(frozen=True)
class PageRequest:
    """Which page of the list: by its `number`, the page right `after` or right `before` a
    position, or the `last` one. Positions stay right while assets come and go."""

    filter: AssetFilter = field(default_factory=AssetFilter)
    oldest_first: bool = False
    size: int = ASSETS_PER_PAGE
    number: int = 1
    after: Position | None = None
    before: Position | None = None
    last: bool = False


@dataclass(frozen=True)
class AssetPage:
    """A page of the list. Its assets have no text and no history.

    `first` is the place of its first asset, counted from 1; None when it is past COUNT_LIMIT.
    """

    assets: Sequence[Asset] = ()
    first: int | None = 1
    more_before: bool = False
    more_after: bool = False


class AssetList:
    """Reads pages of the list and counts it."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def page(self, wanted: PageRequest) -> AssetPage:
        if wanted.last:
            return self._last(wanted)
        if wanted.after:
            return self._after(wanted, wanted.after)
        if wanted.before:
            return self._before(wanted, wanted.before)
        return self._numbered(wanted)

    def count(self, query: Document) -> int:
        """How many assets match, at most COUNT_LIMIT."""
        with available():
            return self._collection.count_documents(query, limit=COUNT_LIMIT)

    def _numbered(self, wanted: PageRequest) -> AssetPage:
        skip = (wanted.number - 1) * wanted.size
        assets = self._read(wanted, {}, skip=skip)
        return AssetPage(assets[: wanted.size], skip + 1, skip > 0, len(assets) > wanted.size)

    def _after(self, wanted: PageRequest, position: Position) -> AssetPage:
        assets = self._read(wanted, _past(position, wanted.oldest_first))
        ahead = self._ahead(wanted, position, inclusive=True)
        first = ahead + 1 if ahead < COUNT_LIMIT else None
        return AssetPage(assets[: wanted.size], first, ahead > 0, len(assets) > wanted.size)

    def _before(self, wanted: PageRequest, position: Position) -> AssetPage:
        assets = self._read(wanted, _past(position, not wanted.oldest_first), backwards=True)
        if len(assets) <= wanted.size:
            return self._numbered(replace(wanted, number=1))
        ahead = self._ahead(wanted, position)
        first = ahead - wanted.size + 1 if ahead < COUNT_LIMIT else None
        return AssetPage(assets[: wanted.size][::-1], first, more_before=True, more_after=True)

    def _last(self, wanted: PageRequest) -> AssetPage:
        found = self._read(wanted, {}, backwards=True)
        assets = found[: wanted.size][::-1]
        total = self.count(wanted.filter.query())
        first = total - len(assets) + 1 if total < COUNT_LIMIT else None
        return AssetPage(assets, first, more_before=len(found) > wanted.size)

    def _ahead(self, wanted: PageRequest, position: Position, *, inclusive: bool = False) -> int:
        """How many assets of the list come before the position, with it if `inclusive`; at least
        COUNT_LIMIT where they are more."""
        query, earlier = wanted.filter.query(), "$lt" if wanted.oldest_first else "$gt"
        moment, key = position.created_at, ObjectId(position.asset_id)
        ahead = self.count({**query, "created_at": {earlier: moment}})
        if ahead < COUNT_LIMIT:
            ids = {f"{earlier}e" if inclusive else earlier: key}
            ahead += self.count({**query, "created_at": moment, "_id": ids})
        return ahead

    def _read(
        self, wanted: PageRequest, past: Document, *, skip: int = 0, backwards: bool = False
    ) -> list[Asset]:
        """The assets of a page, and one more if there is one."""
        direction = ASCENDING if wanted.oldest_first is not backwards else DESCENDING
        with available():
            documents = (
                self._collection.find(
                    {**wanted.filter.query(), **past}, {**WITHOUT_TEXT, "history": 0}
                )
                .sort([("created_at", direction), ("_id", direction)])
                .skip(skip)
                .limit(wanted.size + 1)
            )
            return [to_asset(document) for document in documents]


def _past(position: Position, ascending: bool) -> Document:
    """A filter for what comes after the position in that direction."""
    beyond = "$gt" if ascending else "$lt"
    moment, key = position.created_at, ObjectId(position.asset_id)
    return {
        # The bound of the index scan. The rest decides between assets of the same moment.
        "created_at": {f"{beyond}e": moment},
        "$or": [{"created_at": {beyond: moment}}, {"_id": {beyond: key}}],
    }

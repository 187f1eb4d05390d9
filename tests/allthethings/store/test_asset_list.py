"""The list of assets over the real local database, beside what a look at every asset gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from allthethings.assets.asset import FAILED, UNFINISHED, AssetStatus
from allthethings.mongo import Database
from allthethings.store import asset_list
from allthethings.store.asset_list import AssetFilter, AssetPage, PageRequest, Position
from allthethings.store.assets import Assets
from tests.allthethings.store.assets import THEN, document, insert

S = AssetStatus
KINDS = ("audio", "web page")
GROUPS = [frozenset[S](), UNFINISHED, FAILED, frozenset({S.SEARCHABLE})]
both_orders = pytest.mark.parametrize("oldest_first", [False, True])


@pytest.fixture
def assets(database: Database) -> Assets:
    """Some hundred assets, most of them searchable, as is usual; many of the same moment."""
    draw = random.Random(7)
    documents = [
        document(
            status=draw.choices([S.SEARCHABLE, *AssetStatus], [30] + [1] * 7)[0].value,
            kind=draw.choice(KINDS),
            created_at=THEN + timedelta(minutes=draw.randrange(60)),
        )
        for _ in range(160)
    ]
    database.assets.collection.insert_many([*documents, document(status="EMBEDDINGS_ERROR")])
    return database.assets


def expected(assets: Assets, wanted: PageRequest) -> list[str]:
    """The ids of the whole list, by a look at every document."""
    documents = sorted(
        assets.collection.find(),
        key=lambda each: (each["created_at"], each["_id"]),
        reverse=not wanted.oldest_first,
    )
    statuses, kind = wanted.filter.statuses, wanted.filter.kind
    return [
        str(each["_id"])
        for each in documents
        if (not statuses or each["status"] in statuses) and kind in (None, each.get("kind"))
    ]


def ids(page: AssetPage) -> list[str]:
    return [asset.id for asset in page.assets]


def position(page: AssetPage, index: int) -> Position:
    asset = page.assets[index]
    return Position(asset.created_at, asset.id)


@both_orders
def test_every_page_of_every_list(assets: Assets, oldest_first: bool) -> None:
    for statuses, kind in product(GROUPS, [None, "audio"]):
        size = 9
        only = AssetFilter(statuses, kind)
        wanted = PageRequest(only, oldest_first, size)
        everything = expected(assets, wanted)
        assert assets.count(only) == len(everything)
        last = max(1, -(-len(everything) // size))
        for number in {1, 2, last, last + 1}:
            page = assets.page(PageRequest(only, oldest_first, size, number))
            first = (number - 1) * size
            assert ids(page) == everything[first : first + size]
            assert page.first == first + 1
            assert page.more_before == (first > 0)
            assert page.more_after == (first + size < len(everything))


@both_orders
def test_the_last_page_and_the_way_back_from_it(assets: Assets, oldest_first: bool) -> None:
    for statuses, kind in product(GROUPS, [None, "audio"]):
        wanted = PageRequest(AssetFilter(statuses, kind), oldest_first, 30)
        everything = expected(assets, wanted)
        page = assets.page(PageRequest(wanted.filter, oldest_first, 30, last=True))
        seen: list[str] = []
        while True:
            assert page.first == len(everything) - len(seen) - len(page.assets) + 1
            seen = [*ids(page), *seen] if len(page.assets) == 30 else everything
            if not page.more_before:
                break
            before = position(page, 0)
            page = assets.page(PageRequest(wanted.filter, oldest_first, 30, before=before))
            if not page.more_before:  # fewer than a page were left: it is the first one
                assert ids(page) == everything[:30]
                break
        assert seen == everything[len(everything) - len(seen) :]


def walk(assets: Assets, wanted: PageRequest, between: Callable[[], None]) -> list[str]:
    """The ids on all pages, each reached from the last asset of the one before."""
    seen: list[str] = []
    page = assets.page(wanted)
    while page.assets:
        assert page.first == len(seen) + 1 or between is not nothing
        seen += ids(page)
        after = position(page, -1)
        between()
        page = assets.page(
            PageRequest(wanted.filter, wanted.oldest_first, wanted.size, after=after)
        )
    return seen


def nothing() -> None:
    """Nothing happens between two pages."""


@both_orders
def test_a_walk_meets_every_asset(assets: Assets, oldest_first: bool) -> None:
    for statuses, kind in product(GROUPS, [None, "audio"]):
        wanted = PageRequest(AssetFilter(statuses, kind), oldest_first, 40)
        assert walk(assets, wanted, nothing) == expected(assets, wanted)


@both_orders
def test_a_walk_over_a_changing_list_meets_each_asset_once(
    database: Database, assets: Assets, oldest_first: bool
) -> None:
    draw = random.Random(3)
    wanted = PageRequest(AssetFilter(frozenset({S.SEARCHABLE})), oldest_first, 40)
    there = set(expected(assets, wanted))
    stay, added = set(there), 0

    def between() -> None:
        nonlocal added
        if added < 40:  # the walk from the oldest goes on over what is added
            added += 3
            for status in ("SEARCHABLE", "SEARCHABLE", "PROCESSING"):
                insert(database, status=status, kind="audio")
        for gone in draw.sample(sorted(stay), 2):
            database.deletions.remove_asset(database.deletions.begin(assets.existing(gone)))
            stay.discard(gone)

    seen = walk(assets, wanted, between)
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)
    assert bool(set(seen) - there) == oldest_first


def test_a_page_before_an_asset_that_has_gone(database: Database, assets: Assets) -> None:
    wanted = PageRequest(size=20)
    second = assets.page(PageRequest(size=20, number=3))
    before = position(second, 0)
    database.deletions.remove_asset(database.deletions.begin(second.assets[0]))
    page = assets.page(PageRequest(size=20, before=before))
    assert ids(page) == expected(assets, wanted)[20:40]
    assert page.first == 21


def test_counts_and_places_have_a_limit(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset_list, "COUNT_LIMIT", 50)
    everything = expected(assets, PageRequest())
    assert assets.count(AssetFilter()) == 50
    assert assets.page(PageRequest(last=True)).first is None
    page = assets.page(PageRequest(size=20, number=2))
    after = assets.page(PageRequest(size=20, after=position(page, -1)))
    assert (after.first, ids(after)) == (41, everything[40:60])
    far = assets.page(PageRequest(size=20, after=position(after, -1)))
    assert (far.first, ids(far)) == (None, everything[60:80])
    back = assets.page(PageRequest(size=20, before=position(far, 0)))
    assert (back.first, ids(back)) == (None, everything[40:60])


def test_what_any_client_inserts_is_listed(database: Database) -> None:
    """With the fields of the data model alone."""
    asset_id = insert(database)
    [asset] = database.assets.page(PageRequest()).assets
    assert (asset.id, asset.status) == (asset_id, S.SEARCHABLE)
    assert database.assets.count(AssetFilter(frozenset({S.SEARCHABLE}))) == 1


def test_those_ahead_came_earlier_and_have_the_same_status(database: Database) -> None:
    statuses = ("PROCESSING", "SEARCHABLE", "PROCESSING", "PROCESSING")
    made = [insert(database, status=status) for status in statuses]
    assert [database.assets.ahead(database.assets.existing(each)) for each in made] == [0, 0, 1, 2]


def test_the_newest_are_those_that_became_searchable_last(database: Database) -> None:
    changed: Sequence[dict[str, Any]] = [
        {"updated_at": THEN + timedelta(days=5)},
        {"updated_at": THEN + timedelta(days=9), "status": "PROCESSING"},
        {"updated_at": THEN + timedelta(days=7)},
        {"updated_at": THEN + timedelta(days=6)},
    ]
    made = [insert(database, **fields) for fields in changed]
    newest = [asset.id for asset in database.assets.newest_searchable(2)]
    assert newest == [made[2], made[3]]

"""The list of things and their counts over the real local database, also after crashes."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any

import pytest
from bson import ObjectId

from allthethings.assets.asset import COMES_FROM, FAILED, UNFINISHED, AssetStatus
from allthethings.errors import ServiceUnavailable
from allthethings.mongo import Database
from allthethings.processors import kind_of
from allthethings.store.asset_list import Place, Wanted
from allthethings.store.assets import AssetStore
from allthethings.store.tallies import BLOCK, Tallies
from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from tests.support.waiting import wait_for

S = AssetStatus
TYPES = {"audio": "audio/mpeg", "web page": "text/html"}
THEN = datetime(2025, 3, 1, tzinfo=UTC)
fresh = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the database's server, without the proxy that adds the searches."""
    folder, port = tmp_path_factory.mktemp("secantus"), pick_port()
    process = spawn(Program("secantus", secantus_argv(port, folder / "db"), folder / "log"))
    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    database = Database(uri, "ready")

    def ready() -> bool:
        with contextlib.suppress(ServiceUnavailable):
            database.ping()
            return True
        return False

    try:
        wait_for(ready, "the server")
        yield uri
    finally:
        database.close()
        process.terminate()
        process.wait(20)


@pytest.fixture
def store(server: str) -> Iterator[AssetStore]:
    """Over a database of its own."""
    database = Database(server, f"of-test-{next(fresh)}")
    database.assets.create_indexes()
    yield database.assets
    database.close()


def put(store: AssetStore, status: AssetStatus = S.SUBMITTED, kind: str = "audio") -> str:
    url = f"https://x.test/{next(fresh)}"
    asset = store.insert(url, url, kind, TYPES[kind], None)
    if status is not S.SUBMITTED:
        written = {"$set": {"status": status.value, "stirred": ObjectId()}}
        store.collection.update_one({"_id": ObjectId(asset.id)}, written)
    return asset.id


def put_unmarked(store: AssetStore, many: int, **fields: Any) -> None:
    """As a program wrote them that knows neither numbers nor marks."""
    store.collection.insert_many(
        {
            "url": f"https://old.test/{number}",
            "url_key": f"https://old.test/{number}",
            "content_type": "text/html",
            "status": "SEARCHABLE",
            "created_at": THEN - timedelta(days=number),
            "updated_at": THEN,
            "lease_until": THEN,
            **fields,
        }
        for number in range(many)
    )


def by_a_look(store: AssetStore) -> Counter[tuple[str, str]]:
    """The counts by a look at every document."""
    documents = store.collection.find({"deleted_at": None, "number": {"$exists": True}})
    return Counter((each["status"], each["kind"]) for each in documents)


def assert_counts(store: AssetStore) -> None:
    wanted = by_a_look(store)
    assert +store.tallies.total() == wanted
    [under_way] = store.count(UNFINISHED)
    assert under_way == sum(n for (s, _), n in wanted.items() if s in UNFINISHED)


def marked(store: AssetStore) -> int:
    return store.collection.count_documents({"stirred": {"$exists": True}})


@pytest.mark.parametrize("seed", range(3))
def test_counts_follow_every_change(store: AssetStore, seed: int) -> None:
    draw, ids = random.Random(seed), [put(store) for _ in range(5)]

    def change() -> None:
        chosen = draw.choice(ids)
        asset = store.get(chosen)
        if asset and asset.failed and draw.random() < 0.5:
            again = S.SUBMITTED if asset.status is S.PROCESSING_ERROR else S.PROCESSED
            assert store.start_again(asset, again, ["p"])
        else:
            store.move(chosen, draw.choice(list(COMES_FROM)))

    def delete() -> None:
        store.mark_deleted(draw.choice(ids))

    def remove() -> None:
        for asset in store.deleted(2):
            store.remove(asset.id)

    steps: list[Callable[[], object]] = [
        *[lambda: ids.append(put(store, kind=draw.choice(list(TYPES))))] * 6,
        *[change] * 10,
        *(delete, remove, store.tallies.settle),
    ]
    for _ in range(50):
        draw.choice(steps)()
        assert_counts(store)
    store.tallies.settle()
    assert marked(store) == 0
    assert_counts(store)


def test_a_crash_before_the_tally_is_kept(store: AssetStore) -> None:
    thing = put(store)
    store.tallies.settle()
    assert store.move(thing, S.PROCESSING)  # and nothing after it
    assert marked(store) == 1
    assert_counts(store)


def test_a_crash_between_the_tally_and_its_marks(store: AssetStore) -> None:
    things = [put(store) for _ in range(3)]
    marks = {each["_id"]: each["stirred"] for each in store.collection.find()}
    store.tallies.settle()
    for key, value in marks.items():  # as if the marks had not been taken away
        store.collection.update_one({"_id": key}, {"$set": {"stirred": value}})
    assert_counts(store)
    assert store.move(things[0], S.PROCESSING)
    assert_counts(store)
    assert store.tallies.settle() == 0
    assert marked(store) == 0
    assert_counts(store)


class Interrupted(Tallies):
    """Others do something between what it reads and what it writes."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def _of(self, block: int) -> list[dict[str, Any]]:
        found = super()._of(block)
        self.meanwhile()
        return found


@pytest.mark.parametrize("settled_by_another", [True, False])
def test_a_change_while_somebody_counts(store: AssetStore, settled_by_another: bool) -> None:
    things = [put(store) for _ in range(3)]
    slow = Interrupted(store.collection)

    def meanwhile() -> None:
        slow.meanwhile = lambda: None
        assert store.move(things[1], S.PROCESSING)
        if settled_by_another:
            store.tallies.settle()

    slow.meanwhile = meanwhile
    slow.settle()
    assert_counts(store)
    store.tallies.settle()
    assert_counts(store)


def test_two_who_make_the_first_tally_at_once(store: AssetStore) -> None:
    put(store)
    slow = Interrupted(store.collection)

    def meanwhile() -> None:
        slow.meanwhile = lambda: None
        store.tallies.settle()
        put(store)

    slow.meanwhile = meanwhile
    slow.settle()
    assert_counts(store)


def test_what_changed_without_a_mark_is_found(store: AssetStore) -> None:
    """By hand, or by an older version of the app that still runs."""
    for _ in range(2 * BLOCK):
        put(store)
    store.tallies.settle()
    store.collection.update_many({"number": {"$mod": [9, 1]}}, {"$set": {"status": "PROCESSING"}})
    blocks = len(store.tallies.blocks())
    assert sum(store.tallies.settle() for _ in range(blocks)) == blocks
    assert_counts(store)


def test_things_of_an_older_version_are_numbered_and_counted(store: AssetStore) -> None:
    put_unmarked(store, 70)
    newest = put(store)
    assert store.count({S.SEARCHABLE}) == [0]
    assert store.tallies.number_the_rest(kind_of) == 70
    assert store.tallies.number_the_rest(kind_of) == 0
    assert_counts(store)
    assert store.count({S.SEARCHABLE}) == [70]
    page = store.page(Wanted(kind="web page"), Place(), 100).assets
    times = [asset.created_at for asset in page]
    assert times == sorted(times, reverse=True)
    assert newest in [asset.id for asset in store.page(Wanted(kind="audio"), Place(), 1).assets]


def test_a_counter_that_was_lost_gives_no_number_twice(store: AssetStore) -> None:
    things = {put(store) for _ in range(3)}
    store.collection.database["counters"].delete_many({})
    store.create_indexes()
    things.add(put(store))
    numbers = [each["number"] for each in store.collection.find()]
    assert len(set(numbers)) == len(things)


def test_what_is_deleted_is_neither_listed_nor_counted(store: AssetStore) -> None:
    things = [put(store) for _ in range(3)]
    store.tallies.settle()
    assert store.mark_deleted(things[1])
    assert_counts(store)  # as after a crash right here
    page = store.page(Wanted(), Place(), 10)
    assert ([asset.id for asset in page.assets], page.total) == ([things[2], things[0]], 2)
    store.remove(things[1])
    assert_counts(store)
    assert store.collection.count_documents({}) == 2


def test_what_its_tally_still_counts_is_not_removed(store: AssetStore) -> None:
    things = [put(store) for _ in range(2)]
    store.tallies.settle()
    assert store.mark_deleted(things[0])
    slow = Interrupted(store.collection)

    def meanwhile() -> None:
        slow.meanwhile = lambda: None
        assert store.move(things[1], S.PROCESSING)
        store.tallies.settle()
        store.collection.update_one({"_id": ObjectId(things[0])}, {"$set": {"stirred": ObjectId()}})

    slow.meanwhile = meanwhile
    ours, store.tallies = store.tallies, slow
    store.remove(things[0])
    store.tallies = ours
    assert [asset.id for asset in store.deleted(5)] == [things[0]]
    assert_counts(store)
    store.remove(things[0])
    assert not store.deleted(5)
    assert_counts(store)


@pytest.fixture
def many(store: AssetStore) -> AssetStore:
    """Some hundreds of things, most of them searchable, as is usual; some have gone."""
    draw = random.Random(7)
    first = store.tallies.next_number(5 * BLOCK)
    put_unmarked(store, 5 * BLOCK)
    for number, document in enumerate(list(store.collection.find()), first):
        status = draw.choices([S.SEARCHABLE, *AssetStatus], [30] + [1] * 7)[0]
        fields = {
            "number": number,
            "status": S.EMBEDDINGS_ERROR if number == first + 2 else status,
            "kind": draw.choice(list(TYPES)),
            "stirred": ObjectId(),
        }
        store.collection.update_one({"_id": document["_id"]}, {"$set": fields})
    store.tallies.settle()
    for document in draw.sample(list(store.collection.find()), 30):
        assert store.mark_deleted(str(document["_id"]))
    for asset in store.deleted(5):
        store.remove(asset.id)
    return store


GROUPS = [frozenset[S](), UNFINISHED, FAILED, frozenset({S.SEARCHABLE}), frozenset({S.PROCESSED})]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_every_page_of_every_list(many: AssetStore, oldest_first: bool) -> None:
    documents = list(many.collection.find({"deleted_at": None}))
    documents.sort(key=lambda each: each["number"], reverse=not oldest_first)
    for statuses, kind, size in product(GROUPS, [None, *TYPES], [7, 50]):
        ids = [
            str(each["_id"])
            for each in documents
            if (not statuses or each["status"] in statuses) and kind in (None, each["kind"])
        ]
        wanted = Wanted(statuses, kind, oldest_first)
        for number in {1, 2, -(-len(ids) // size), -(-len(ids) // size) + 1}:
            page = many.page(wanted, Place(number), size)
            first = (number - 1) * size
            assert [asset.id for asset in page.assets] == ids[first : first + size]
            assert page.total == len(ids)
            if page.assets:
                assert page.first == first + 1


def walk(store: AssetStore, wanted: Wanted, size: int, between: Callable[[], None]) -> list[str]:
    """The ids on all pages, each turned to from the last thing of the one before."""
    seen: list[str] = []
    page = store.page(wanted, Place(), size)
    while page.assets:
        seen += [asset.id for asset in page.assets]
        between()
        page = store.page(wanted, Place(after=page.assets[-1].number), size)
    return seen


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_walk_over_a_changing_list_sees_each_thing_once(
    many: AssetStore, oldest_first: bool
) -> None:
    draw = random.Random(3)
    wanted = Wanted(frozenset({S.SEARCHABLE}), None, oldest_first)
    there = {
        str(each["_id"])
        for each in many.collection.find({"status": "SEARCHABLE", "deleted_at": None})
    }
    stay, added = set(there), 0

    def between() -> None:
        nonlocal added
        if added < 40:  # the walk from the oldest goes on over what is added
            added += 3
            for status in (S.SEARCHABLE, S.SEARCHABLE, S.PROCESSING):
                put(many, status)
        for gone in draw.sample(sorted(stay), 2):
            many.mark_deleted(gone)
            stay.discard(gone)
        if draw.random() < 0.3:
            many.tallies.settle()

    seen = walk(many, wanted, 20, between)
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)
    assert bool(set(seen) - there) == oldest_first


def test_a_walk_back_meets_the_same_things(many: AssetStore) -> None:
    wanted = Wanted(kind="audio")
    there = walk(many, wanted, 20, lambda: None)
    page = many.page(wanted, Place(after=many.page(wanted, Place(), 60).assets[-1].number), 20)
    assert [asset.id for asset in page.assets] == there[60:80]
    assert page.first == 61
    for first in (40, 20, 0):
        page = many.page(wanted, Place(before=page.assets[0].number), 20)
        assert [asset.id for asset in page.assets] == there[first : first + 20]
        assert page.first == first + 1
    page = many.page(wanted, Place(before=page.assets[0].number), 20)
    assert [asset.id for asset in page.assets] == there[:20]
    few = many.page(wanted, Place(before=page.assets[3].number), 20)
    assert [asset.id for asset in few.assets] == there[:20]

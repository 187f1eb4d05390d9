"""Imports and their lines in the real local database, and workers that look at them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from bson import ObjectId
from pymongo import MongoClient

from allthethings.assets.asset import Asset
from allthethings.assets.imports import Fate, Import, ImportState, Line
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, ErrorCode, ServiceUnavailable, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.import_worker import ImportWorker
from allthethings.pipeline.imports import MAX_LINES, Imports
from allthethings.pipeline.turns import Turns
from allthethings.store.imports import ARRIVAL, ImportStore
from tests.allthethings.store.assets import THEN, insert
from tests.allthethings.store.conftest import Commands
from tools.harness.waiting import wait_for

URLS = [f"http://site.test/{number}" for number in range(30)]


def fates(database: Database, made: Import) -> list[Fate]:
    return [line.fate for line in database.imports.page(made.id, 100)]


def held(database: Database, made: Import) -> Line:
    """Its first line, claimed."""
    line = database.imports.claim(database.imports.due(made.id)[0])
    assert line is not None
    return line


def expire(database: Database, made: Import) -> None:
    """End all leases."""
    database.database["import_lines"].update_many(
        {"import_id": ObjectId(made.id)}, {"$set": {"lease_until": THEN}}
    )


class Submitted:
    """In the place of the submission and the lifecycle, over the real database. `takes` counts how
    often each URL was taken; `errors` are raised once for a URL, the first one first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.takes: Counter[str] = Counter()
        self.errors: dict[str, list[Exception]] = {}
        self.dies_at: str | None = None

    def take(self, line: Line) -> Asset:
        self.takes[line.url] += 1
        url = clean_url(line.url)
        if self.errors.get(url):
            raise self.errors[url].pop(0)
        made = self._database.transitions.insert(
            url,
            url_key(url),
            "web page",
            "text/html",
            None,
            line.import_id,
            line.told if line.depth is not None else None,
        )
        if url == self.dies_at:
            raise SystemExit  # as if the process were killed before it has told anybody
        return made

    def delete(self, asset_id: str, *, with_things: bool) -> None:
        assert with_things
        self._database.assets.collection.delete_one({"_id": ObjectId(asset_id)})


@pytest.fixture
def submitted(database: Database) -> Submitted:
    database.assets.collection.create_index("url_key", unique=True)
    return Submitted(database)


def worker_of(
    database: Database, submitted: Submitted, waits: Sequence[timedelta] = ()
) -> ImportWorker:
    anything = cast(Any, submitted)
    return ImportWorker(database, anything, anything, Turns(threads=4, spare=0), waits)


def work(worker: ImportWorker, database: Database, made: Import, state: ImportState) -> None:
    """Step until the import is in that state."""

    def there() -> bool:
        worker.step()
        found = database.imports.get(made.id)
        return found is not None and found.state is state

    wait_for(there, state.value)


def test_the_lines_are_kept_in_their_order_each_once(database: Database) -> None:
    made = Imports(database.imports, database.lists).take(
        [*URLS, URLS[3], "x" * 5_000], ["A note."]
    )
    assert made.state is ImportState.RUNNING
    assert database.imports.get(made.id) == made
    lines = database.imports.page(made.id, 100)
    assert [line.url for line in lines[:30]] == URLS
    assert [line.times for line in lines[:5]] == [1, 1, 1, 2, 1]
    assert 2_000 < len(lines[30].url) < 3_000
    assert [line.number for line in database.imports.page(made.id, 5, after=10)] == [
        11,
        12,
        13,
        14,
        15,
    ]
    assert [line.number for line in database.imports.page(made.id, 3, before=10)] == [7, 8, 9]
    waiting = database.imports.page(made.id, 2, fate=Fate.WAITING, after=29)
    assert [line.number for line in waiting] == [30, 31]
    assert database.imports.counts(made.id)[Fate.WAITING] == 31


def test_the_lines_of_several_imports_are_counted_by_one_command(
    database: Database, server: str
) -> None:
    made = [database.imports.add(dict.fromkeys(URLS[:number], 1), ()) for number in (1, 2, 0)]
    assert database.imports.settle(held(database, made[1]), Fate.REFUSED)
    commands = Commands()
    with MongoClient[Any](server, event_listeners=[commands], tz_aware=True) as client:
        store = ImportStore(client[database.database.name])
        counts = store.counts_of([each.id for each in made])
        assert commands.names == ["aggregate"]
    assert [counts[each.id][Fate.WAITING] for each in made] == [1, 1, 0]
    assert counts[made[1].id] == {**dict.fromkeys(Fate, 0), Fate.WAITING: 1, Fate.REFUSED: 1}


def test_too_many_lines_are_refused(database: Database) -> None:
    with pytest.raises(BadInput, match="10,001 lines"):
        Imports(database.imports, database.lists).take(["http://a.test/"] * (MAX_LINES + 1))
    assert database.imports.newest(10) == []


def test_a_line_has_one_holder(database: Database) -> None:
    made = database.imports.add(dict.fromkeys(URLS, 1), ())
    first = held(database, made)
    assert first.number not in {line.number for line in database.imports.due(made.id)}
    assert database.imports.claim(first) is None
    expire(database, made)
    second = database.imports.claim(first)
    assert second is not None
    assert not database.imports.settle(first, Fate.REFUSED)
    assert database.imports.settle(second, Fate.KNOWN, "a" * 24)
    assert fates(database, made)[:2] == [Fate.KNOWN, Fate.WAITING]
    expire(database, made)
    assert database.imports.claim(first) is None


def test_an_import_that_did_not_arrive_is_removed(database: Database) -> None:
    made = database.imports.add(dict.fromkeys(URLS, 1), ())
    whole = database.imports.add(dict.fromkeys(URLS, 1), ())
    database.database["imports"].update_one(
        {"_id": ObjectId(made.id)},
        {"$set": {"state": "arriving", "created_at": made.created_at - 2 * ARRIVAL}},
    )
    assert [each.id for each in database.imports.newest(10)] == [whole.id]
    database.imports.remove_interrupted()
    assert database.imports.get(made.id) is None
    assert fates(database, made) == []
    assert len(fates(database, whole)) == 30


def test_every_line_comes_to_its_end(database: Database, submitted: Submitted) -> None:
    insert(database, url=URLS[1], url_key=URLS[1])
    submitted.errors[URLS[2]] = [UnusableThing("Nothing.", ErrorCode.NOT_FOUND)]
    submitted.errors[URLS[3]] = [ValueError("a mistake of ours")]
    made = database.imports.add(dict.fromkeys([*URLS, f"{URLS[0]}#b", "no url"], 1), ())
    work(worker_of(database, submitted), database, made, ImportState.DONE)
    ends = fates(database, made)
    assert ends[1:4] == [Fate.KNOWN, Fate.REFUSED, Fate.REFUSED]
    assert ends[-1] is Fate.REFUSED
    assert sorted([ends[0], ends[30]]) == [Fate.KNOWN, Fate.INDEXED]  # two spellings
    assert set(ends[4:30]) == {Fate.INDEXED}
    why = database.imports.page(made.id, 100)[2]
    assert (why.message, why.error_code) == ("Nothing.", "not_found")
    assert set(submitted.takes.values()) == {1}


def test_a_passing_fault_is_tried_again(database: Database, submitted: Submitted) -> None:
    slow = UnusableThing("Slow.", ErrorCode.TOO_SLOW)
    away = ServiceUnavailable("MongoDB", "no answer")
    submitted.errors = {URLS[0]: [slow], URLS[1]: [slow, slow], URLS[2]: [away]}
    made = database.imports.add(dict.fromkeys(URLS[:4], 1), ())
    worker = worker_of(database, submitted, [timedelta(0)])

    def one_waits() -> bool:
        worker.step()
        ends = fates(database, made)
        return ends == [Fate.INDEXED, Fate.REFUSED, Fate.WAITING, Fate.INDEXED]

    wait_for(one_waits, "the line that waits for a service")
    assert "MongoDB" in database.imports.page(made.id, 100)[2].message
    expire(database, made)
    work(worker, database, made, ImportState.DONE)
    assert fates(database, made)[2] is Fate.INDEXED
    assert [submitted.takes[url] for url in URLS[:4]] == [2, 2, 2, 1]


def test_two_workers_look_at_each_line_once(database: Database, submitted: Submitted) -> None:
    made = database.imports.add(dict.fromkeys(URLS, 1), ())
    workers = [worker_of(database, submitted) for _ in range(2)]
    steps = [
        threading.Thread(target=work, args=(worker, database, made, ImportState.DONE))
        for worker in workers
    ]
    for step in steps:
        step.start()
    for step in steps:
        step.join(120)
    assert set(fates(database, made)) == {Fate.INDEXED}
    assert set(submitted.takes.values()) == {1}


def test_a_short_import_does_not_wait_for_a_long_one(
    database: Database, submitted: Submitted
) -> None:
    let_go, take = threading.Event(), submitted.take

    def slow(line: Line) -> Asset:
        assert line.url != URLS[0] or let_go.wait(120)
        return take(line)

    submitted.take = slow  # type: ignore[method-assign]
    anything = cast(Any, submitted)
    worker = ImportWorker(database, anything, anything, Turns(threads=2, spare=1), ())
    long = database.imports.add(dict.fromkeys(URLS, 1), ())
    worker.step()
    short = database.imports.add({"http://other.test/": 1}, ())
    work(worker, database, short, ImportState.DONE)
    assert set(fates(database, long)) == {Fate.WAITING}
    let_go.set()
    work(worker, database, long, ImportState.DONE)
    assert set(fates(database, long)) == {Fate.INDEXED}


def test_who_died_after_the_insert_has_indexed_the_line(
    database: Database, submitted: Submitted
) -> None:
    submitted.dies_at = URLS[0]
    made = database.imports.add(dict.fromkeys(URLS[:2], 1), ())
    worker = worker_of(database, submitted)

    def died() -> bool:
        worker.step()
        return fates(database, made) == [Fate.WAITING, Fate.INDEXED]

    wait_for(died, "the death")
    expire(database, made)
    work(worker_of(database, submitted), database, made, ImportState.DONE)
    assert fates(database, made) == [Fate.INDEXED] * 2
    assert len(database.assets.of_import(made.id, 9)) == 2


def test_a_pause_holds_until_the_import_is_resumed(
    database: Database, submitted: Submitted
) -> None:
    imports, made = (
        Imports(database.imports, database.lists),
        database.imports.add(dict.fromkeys(URLS, 1), ()),
    )
    imports.pause(made.id)
    worker = worker_of(database, submitted)
    worker.step()
    assert not worker.busy
    assert set(fates(database, made)) == {Fate.WAITING}
    with pytest.raises(BadInput):
        imports.pause(made.id)
    imports.resume(made.id)
    work(worker, database, made, ImportState.DONE)
    assert set(fates(database, made)) == {Fate.INDEXED}
    with pytest.raises(BadInput):
        imports.resume(made.id)


def test_an_undo_takes_back_what_the_import_added(database: Database, submitted: Submitted) -> None:
    kept = insert(database, url=URLS[1], url_key=URLS[1])
    submitted.dies_at = URLS[2]
    made = database.imports.add(dict.fromkeys(URLS, 1), ())
    worker = worker_of(database, submitted)

    def looked_at() -> bool:
        worker.step()
        return submitted.takes.total() == 30

    wait_for(looked_at, "all looked at")
    wait_for(lambda: fates(database, made).count(Fate.WAITING) == 1, "the one that died")
    Imports(database.imports, database.lists).undo(made.id)
    worker.step()
    assert database.imports.get(made.id) != made
    expire(database, made)  # of the line whose worker died
    work(worker, database, made, ImportState.UNDONE)
    assert fates(database, made)[:3] == [Fate.UNDONE, Fate.KNOWN, Fate.UNDONE]
    assert [str(each["_id"]) for each in database.assets.collection.find()] == [kept]
    with pytest.raises(BadInput):
        Imports(database.imports, database.lists).undo(made.id)


class Refusing:
    """In the place of the lifecycle: nothing can be deleted."""

    def delete(self, asset_id: str, *, with_things: bool) -> None:  # noqa: ARG002
        raise ServiceUnavailable("MongoDB", "of the tests")


@pytest.mark.parametrize("lifecycle", [object(), Refusing()])
def test_an_undo_that_fails_keeps_no_other_import_waiting(
    database: Database, submitted: Submitted, lifecycle: object
) -> None:
    made = database.imports.add({URLS[0]: 1}, ())
    worker = worker_of(database, submitted)
    work(worker, database, made, ImportState.DONE)
    Imports(database.imports, database.lists).undo(made.id)
    other = database.imports.add({URLS[1]: 1}, ())
    without_delete, anything = cast(Any, lifecycle), cast(Any, submitted)
    worker = ImportWorker(database, anything, without_delete, Turns(threads=4, spare=0), ())
    work(worker, database, other, ImportState.DONE)
    assert database.imports.get(made.id) != made


def test_what_is_added_after_the_undo_is_deleted(database: Database, submitted: Submitted) -> None:
    """A worker was held up for longer than its lease."""
    made = database.imports.add({URLS[0]: 1}, ())
    late, begun = threading.Event(), threading.Event()
    take = submitted.take

    def slow(line: Line) -> Asset:
        begun.set()
        assert late.wait(120)
        return take(line)

    submitted.take = slow  # type: ignore[method-assign]
    worker = worker_of(database, submitted)
    worker.step()
    assert begun.wait(120)
    Imports(database.imports, database.lists).undo(made.id)
    expire(database, made)
    work(worker_of(database, submitted), database, made, ImportState.UNDONE)
    late.set()
    wait_for(lambda: not worker.busy, "the late one")
    wait_for(lambda: submitted.takes.total() == 1, "it was late")
    wait_for(lambda: not database.assets.of_import(made.id, 9), "its thing is gone")

"""The entries of lists in the real local database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.imports import Fate, Import, ImportState
from allthethings.assets.lists import Entry, Listing, with_keys
from allthethings.assets.locators import WHOLE
from allthethings.assets.looks import Version
from allthethings.assets.passages import Piece
from allthethings.errors import BadInput, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.import_worker import ImportWorker
from allthethings.pipeline.imports import Imports
from allthethings.pipeline.list_entries import UNASKED, ListEntries
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.turns import Turns
from allthethings.processors import Content
from allthethings.store.documents import now
from tests.allthethings.store.assets import insert
from tools.harness.servers import answer, serving
from tools.harness.waiting import wait_for


def worker_of(database: Database, steps: Pipeline) -> ImportWorker:
    turns = Turns(threads=1, spare=0)
    return ImportWorker(database, steps.submission, steps.lifecycle, turns, ())


def listing(*numbers: int, site: str = "site.test") -> Listing:
    entries = [Entry(f"http://{site}/{each}", f"Entry {each}") for each in numbers]
    return Listing("feed", "A feed", entries=with_keys(entries))


def a_list(database: Database, url: str = "http://site.test/feed", within: str = "") -> Asset:
    found = database.assets.state(insert(database, url=url, url_key=url))
    assert found
    return replace(found, import_id=within or None)


def import_of(database: Database, asset: Asset) -> Import:
    found = database.imports.get(asset.id)
    assert found
    return found


def urls(database: Database, asset: Asset, fate: Fate | None = None) -> list[str]:
    return [line.url for line in database.imports.page(asset.id, 100, fate=fate)]


def test_entries_become_lines_once_in_their_order(database: Database) -> None:
    entries, asset = ListEntries(database), a_list(database)
    entries.take(asset, listing(1, 2))
    entries.take(asset, listing(3, 1, 2))  # as after a crash, or a retry
    assert urls(database, asset) == [f"http://site.test/{each}" for each in (1, 2, 3)]
    made = import_of(database, asset)
    assert (made.state, made.size, made.depth, made.root_id) == (
        ImportState.RUNNING,
        3,
        0,
        asset.id,
    )
    assert database.imports.page(asset.id, 1)[0].told == {"title": "Entry 1"}
    assert made.look_again_at
    assert made.look_again_at > now()


def test_a_list_is_no_entry_of_itself(database: Database) -> None:
    asset = a_list(database, "http://site.test/1")
    ListEntries(database).take(asset, listing(1, 2))
    assert urls(database, asset) == ["http://site.test/2"]


def test_a_list_with_the_lists_in_it_has_so_many_entries(database: Database) -> None:
    entries, outer = ListEntries(database, most=5), a_list(database)
    entries.take(outer, listing(1, 2, 3))
    inner = a_list(database, "http://site.test/1", outer.id)
    entries.take(inner, listing(4, 5, 6, 7, site="inner.test"))
    assert len(urls(database, inner)) == 2
    made = import_of(database, inner)
    assert (made.depth, made.root_id) == (1, outer.id)
    [note] = made.notes
    assert note.startswith("2 more entries were left out")
    assert entries.add(import_of(database, outer), outer, listing(9)) == 0


@pytest.mark.parametrize("state", [ImportState.DONE, ImportState.RUNNING])
def test_many_new_entries_are_asked_for_each_time(database: Database, state: ImportState) -> None:
    entries, asset = ListEntries(database), a_list(database)
    entries.take(asset, listing(0))
    database.imports.move(asset.id, frozenset({ImportState.RUNNING}), state)
    entries.take(asset, listing(*range(UNASKED + 2)))
    assert import_of(database, asset).state is ImportState.ASKING
    assert database.lists.schedule.due(10) == []
    Imports(database.imports, database.lists).confirm(asset.id, first=3)
    assert import_of(database, asset).state is ImportState.RUNNING
    assert len(urls(database, asset, Fate.WAITING)) == 3
    assert database.imports.counts(asset.id)[Fate.LEFT_OUT] == UNASKED + 2 - 3


def test_what_lists_in_a_list_ask_is_confirmed_with_it(database: Database) -> None:
    entries, imports = ListEntries(database), Imports(database.imports, database.lists)
    outer = a_list(database)
    entries.take(outer, listing(1, 2))
    inner = [a_list(database, f"http://site.test/{each}", outer.id) for each in (1, 2)]
    for number, asset in enumerate(inner):
        entries.take(asset, listing(*range(UNASKED + 1), site=f"inner{number}.test"))
    assert set(database.lists.asking_in(outer.id)) == {asset.id for asset in inner}
    imports.confirm(outer.id, first=1)
    assert [len(urls(database, asset, Fate.WAITING)) for asset in inner] == [1, 1]
    with pytest.raises(BadInput, match="nothing to confirm"):
        imports.confirm(outer.id)


def test_a_list_that_is_paused_is_not_looked_at(database: Database) -> None:
    entries, imports = ListEntries(database), Imports(database.imports, database.lists)
    asset = a_list(database)
    entries.take(asset, listing(1))
    imports.look(asset.id)
    assert [each["_id"] for each in database.lists.schedule.due(10)] == [ObjectId(asset.id)]
    imports.pause(asset.id)
    assert database.lists.schedule.due(10) == []
    imports.resume(asset.id)
    claim = database.lists.schedule.claim(ObjectId(asset.id), due=True)
    assert claim
    assert database.lists.schedule.claim(ObjectId(asset.id), due=True) is None
    assert database.lists.schedule.end(claim, now() + timedelta(hours=1), {})


def test_an_import_that_a_person_sent_is_no_list(database: Database) -> None:
    made = database.imports.add({"http://site.test/": 1}, ())
    database.lists.look_now(made.id)
    assert database.lists.schedule.due(10) == []
    database.lists.begin_removal(made.id, with_things=True)
    found = database.imports.get(made.id)
    assert found
    assert found.state is ImportState.RUNNING


def test_a_list_in_an_archive_is_not_looked_at(database: Database) -> None:
    asset = a_list(database, "http://site.test/all.zip#member=feeds.opml")
    ListEntries(database).take(asset, listing(1))
    assert import_of(database, asset).look_again_at is None
    assert urls(database, asset) == ["http://site.test/1"]


def test_a_look_that_an_earlier_version_has_planned_in_an_archive_ends(
    database: Database, steps: Pipeline
) -> None:
    asset = a_list(database, "http://site.test/all.zip#member=feeds.opml")
    ListEntries(database).take(asset, listing(1))
    database.lists.look_now(asset.id)
    steps.following.take(asset.id)
    assert import_of(database, asset).look_again_at is None


def test_lines_that_were_not_counted_are_counted_later(database: Database) -> None:
    entries, asset = ListEntries(database), a_list(database)
    entries.take(asset, listing(1, 2))
    database.database["imports"].update_many({}, {"$set": {"size": 0}})  # as after a kill
    entries.take(asset, listing(1, 2))
    assert import_of(database, asset).size == 2


def test_entries_that_come_just_when_a_list_is_done_are_not_left(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, asset = ListEntries(database), a_list(database)
    entries.take(asset, Listing("feed", "A feed"))
    database.imports.move(asset.id, frozenset({ImportState.DONE}), ImportState.RUNNING)
    waits = database.imports.waits

    def just_before(list_id: str) -> bool:
        told = waits(list_id)
        monkeypatch.setattr(database.imports, "waits", waits)
        entries.add(import_of(database, asset), asset, listing(1))
        return told

    monkeypatch.setattr(database.imports, "waits", just_before)
    worker_of(database, steps).step()
    assert import_of(database, asset).state is ImportState.RUNNING


def test_a_look_wakes_entries_that_were_left(database: Database, steps: Pipeline) -> None:
    with serving(answer(b"", status="304 Not Modified")) as server:
        asset = a_list(database, server.url("/"))
        ListEntries(database).take(asset, listing(1))
        database.imports.move(asset.id, frozenset({ImportState.RUNNING}), ImportState.DONE)
        version = {"version": Version(etag='"1"').stored()}
        database.database["imports"].update_many({}, {"$set": version})
        database.lists.look_now(asset.id)
        steps.following.take(asset.id)
    made = import_of(database, asset)
    assert (made.state, made.looks.failures) == (ImportState.RUNNING, 0)


def test_a_thing_that_another_list_gets_meanwhile_is_not_deleted(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset, other = a_list(database), a_list(database, "http://site.test/other")
    ListEntries(database).take(asset, listing())
    thing = insert(database, list_ids=[asset.id], by_list=True)
    database.lists.begin_removal(asset.id, with_things=True)
    to_delete = database.lists.to_delete

    def then_joined(list_id: str, limit: int) -> list[str]:
        found = to_delete(list_id, limit)
        database.lists.join(thing, other.id)
        return found

    monkeypatch.setattr(database.lists, "to_delete", then_joined)
    worker_of(database, steps).step()
    left = database.assets.state(thing)
    assert left
    assert left.list_ids == (asset.id, other.id)


def test_an_entry_that_is_being_deleted_with_another_list_waits(
    database: Database, steps: Pipeline
) -> None:
    asset, other = a_list(database), a_list(database, "http://site.test/other")
    url = "http://site.test/1"
    thing = insert(database, url=url, url_key=url, list_ids=[other.id], by_list=True)
    ListEntries(database).take(asset, listing(1))
    assert database.lists.leave(thing, other.id)
    worker = worker_of(database, steps)
    worker.step()
    wait_for(lambda: not worker.busy, "the look at the entry")
    [line] = database.imports.page(asset.id, 10)
    assert line.fate is Fate.WAITING
    assert "is being deleted" in line.message
    left = database.assets.state(thing)
    assert left
    assert left.list_ids == (other.id,)


def test_the_entries_of_a_list_that_is_cancelled_wait_until_it_is_tried_again(
    database: Database, steps: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://site.test/feed"
    asset = database.transitions.insert(url, url, "list", "application/rss+xml", None)
    pieces = (Piece("A feed of two entries.", WHOLE),)
    content = Content(pieces, pieces[0].text, listing=listing(1, 2))
    take = steps.keeper._entries.take

    def cancelled_meanwhile(asset: Asset, listing: Listing) -> None:
        take(asset, listing)
        steps.lifecycle.cancel(asset.id)

    with monkeypatch.context() as patched:
        patched.setattr(steps.keeper._entries, "take", cancelled_meanwhile)
        steps.keeper.keep(asset, content)
    assert import_of(database, asset).state is ImportState.PAUSED
    again = database.transitions.start_again(
        database.assets.existing(asset.id), AssetStatus.SUBMITTED, ()
    )
    assert again
    with pytest.raises(ServiceUnavailable):  # at its vectors
        steps.keeper.keep(again, content)
    assert import_of(database, asset).state is ImportState.RUNNING
    assert len(urls(database, asset, Fate.WAITING)) == 2

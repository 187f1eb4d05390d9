"""The page of a list, and the form that takes the links of a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus
from allthethings.assets.imports import Fate, ImportState
from allthethings.assets.looks import Looks
from allthethings.pipeline.submission import Links
from allthethings.processors.lists import RSS
from allthethings.store.documents import now
from tests.allthethings.web.in_memory import (
    BEGAN,
    HOSTILE,
    KeptLists,
    Memory,
    make_app,
    make_asset,
    rendered,
    text_of,
)

JSON = {"Accept": "application/json"}
LIST, INNER = f"{1:024x}", f"{4:024x}"
PAGE, IMPORT = f"/assets/{LIST}", f"/imports/{LIST}"


def world(state: ImportState = ImportState.DONE, depth: int | None = 0) -> Memory:
    """A list with a thing, one that failed, an entry that was refused and one that waits."""
    parent = make_asset(1, AssetStatus.SEARCHABLE, content_type=RSS, title=HOSTILE)
    good = make_asset(2, AssetStatus.SEARCHABLE, title=HOSTILE, list_ids=(LIST,))
    bad = make_asset(3, AssetStatus.PROCESSING_ERROR, error=HOSTILE, list_ids=(LIST,))
    memory = Memory([parent, good, bad], lists=KeptLists([good, bad]))
    made = memory.imports.add({f"{HOSTILE}{number}": 1 for number in range(4)}, [HOSTILE])
    memory.imports.imports[made.id] = replace(
        made, state=state, depth=depth, root_id=LIST, look_again_at=made.created_at
    )
    first, second, third, fourth = memory.imports.lines[made.id]
    memory.imports.lines[made.id] = [
        replace(first, fate=Fate.INDEXED, asset_id=good.id),
        replace(second, fate=Fate.INDEXED, asset_id=bad.id),
        replace(third, fate=Fate.REFUSED, message=HOSTILE, told={"title": HOSTILE}),
        fourth,
    ]
    return memory


def test_the_page_of_a_list_counts_its_things_and_tells_what_failed() -> None:
    tree = rendered(world(), PAGE)
    counts = {each.get("data-things"): each.text for each in tree.xpath("//*[@data-things]")}
    assert counts == {"searchable": "1", "under way": "0", "failed": "1"}
    assert text_of(tree, "//*[@data-count='refused']") == ["1"]
    shown = text_of(tree, "//*[@class='tally']/span[not(@hidden)]")
    assert shown == ["1 searchable", "1 failed", "1 waiting", "1 refused"]
    assert text_of(tree, "//*[@class='status'][@data-state='done']") == ["Done"]
    told = text_of(tree, "//*[@class='troubled']/li")
    assert len(told) == 2
    assert all(HOSTILE in each for each in told)
    assert tree.xpath("//@data-outcome") == ["indexed", "indexed", "refused", "waiting"]
    assert tree.xpath("//script/@src") == [
        "/static/app.js",
        "/static/thing.js",
        "/static/text.js",
        "/static/import.js",
    ]


@pytest.mark.parametrize(
    ("state", "acts"),
    [
        (ImportState.RUNNING, {"pause", "look"}),
        (ImportState.DONE, {"pause", "look"}),
        (ImportState.PAUSED, {"resume"}),
        (ImportState.ASKING, {"confirm"}),
    ],
)
def test_the_page_offers_what_can_be_done(state: ImportState, acts: set[str]) -> None:
    tree = rendered(world(state), PAGE)
    forms = set(tree.xpath("//form[not(@hidden)]/@action"))
    assert {each.rpartition("/")[2] for each in forms if each.startswith(IMPORT)} == acts
    for act in ("pause", "resume", "look", "confirm", "undo"):
        client = make_app(world(state)).test_client()
        answer = client.post(f"{IMPORT}/{act}", headers=JSON)
        assert answer.status_code == (202 if act in acts else 409)
        answer = client.post(f"{IMPORT}/{act}")
        assert (answer.status_code, answer.location) == (303, PAGE)


def test_an_archive_is_never_looked_at_for_new_files() -> None:
    memory = world()
    memory.imports.imports[LIST] = replace(memory.imports.imports[LIST], look_again_at=None)
    forms = set(rendered(memory, PAGE).xpath("//form[not(@hidden)]/@action"))
    assert not {each for each in forms if each.startswith(IMPORT)}
    client = make_app(memory).test_client()
    for act in ("pause", "look"):
        assert client.post(f"{IMPORT}/{act}", headers=JSON).status_code == 409


@pytest.mark.parametrize(
    ("new", "due", "words"),
    [
        (0, False, "Last checked 2025-03-01 12:30 UTC: no new entries. Next check: "),
        (1, False, "Last checked 2025-03-01 12:30 UTC: 1 new entry. Next check: "),
        (None, False, "Last checked 2025-03-01 12:30 UTC. Next check: "),
        (2, True, "UTC: 2 new entries. New entries are being looked for."),
    ],
)
def test_the_page_tells_what_the_last_look_found(new: int | None, due: bool, words: str) -> None:
    memory = world()
    at = BEGAN if due else now() + timedelta(hours=1)
    memory.imports.imports[LIST] = replace(
        memory.imports.imports[LIST], look_again_at=at, looks=Looks(BEGAN), new=new
    )
    [said] = text_of(rendered(memory, PAGE), "//*[@data-following]")
    assert words in said
    assert ("Next check" in said) != due


def test_deleting_a_list_asks_what_becomes_of_its_things() -> None:
    tree = rendered(world(), PAGE)
    radios = tree.xpath(f"//form[@action='{PAGE}/delete']//input[@type='radio']")
    assert [each.get("value") for each in radios] == ["keep", "delete"]
    assert not any("checked" in each.attrib for each in radios)
    assert "required" in radios[0].attrib
    answer = make_app(world()).test_client().post(f"{PAGE}/delete", data={"things": HOSTILE})
    assert answer.status_code == 400


def test_a_thing_names_its_lists() -> None:
    tree = rendered(world(), f"/assets/{2:024x}")
    [link] = tree.xpath("//a[@dir='auto'][contains(@href, '/assets/')]")
    assert (link.get("href"), link.text) == (PAGE, HOSTILE)
    assert not tree.xpath("//input[@type='radio']")


def test_what_the_lists_in_a_list_ask_stands_on_its_page() -> None:
    memory = world()
    inner = make_asset(4, AssetStatus.SEARCHABLE, content_type=RSS, title=HOSTILE)
    memory.things = [*memory.things, inner]
    memory.lists = replace(memory.lists, asking=[INNER])
    assert f"/assets/{INNER}" in rendered(memory, PAGE).xpath("//*[@class='question']//a/@href")


def test_the_import_of_a_list_leads_to_it() -> None:
    tree = rendered(world(), IMPORT)
    assert tree.xpath("//h1/a/@href") == [PAGE]
    told = make_app(world()).test_client().get(IMPORT, headers=JSON).json or {}
    assert told["import"]["list"] is True
    assert told["import"]["things"] == {"searchable": 1, "under way": 0, "failed": 1}
    assert told["lines"][2]["entry"] == HOSTILE
    assert text_of(rendered(world(), "/imports"), "//li//a")[0] == HOSTILE


def test_a_list_that_is_removed_shows_no_entries() -> None:
    assert not rendered(world(ImportState.REMOVING), PAGE).xpath("//*[@data-things]")


@pytest.mark.parametrize(
    ("told", "links"), [("", Links.NONE), ("host", Links.OF_HOST), ("all", Links.ALL)]
)
def test_the_form_asks_whether_links_are_wanted(told: str, links: Links) -> None:
    memory = Memory([make_asset(1, AssetStatus.SUBMITTED)])
    client = make_app(memory).test_client()
    data = {"urls": "https://e.example/new", "links": told}
    assert client.post("/process", data=data).status_code == 303
    assert memory.links == [links]


def test_links_of_several_pages_are_refused_and_nothing_is_lost() -> None:
    client = make_app(Memory()).test_client()
    data = {"urls": "https://e.example/1\nhttps://e.example/2", "links": "all"}
    page = html.document_fromstring(client.post("/process", data=data).text)
    assert "one page at a time" in page.text_content()
    assert (page.xpath("//textarea")[0].text or "").split() == data["urls"].split()
    wrong = client.post(
        "/process", data={"url": "https://e.example/1", "links": HOSTILE}, headers=JSON
    )
    assert wrong.status_code == 422

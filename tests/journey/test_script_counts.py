"""What the scripts of pages do, in a browser whose requests an app in memory answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from allthethings.assets.asset import AssetStatus
from allthethings.assets.imports import ImportState
from allthethings.assets.looks import Looks, Outcome
from allthethings.pipeline.list_entries import UNASKED
from allthethings.processors.lists import RSS
from allthethings.search.syntax import Query
from allthethings.store.asset_list import COUNT_LIMIT, AssetFilter
from allthethings.store.revisions import Revision
from tests.allthethings.web.in_memory import (
    BEGAN,
    KeptLists,
    KeptLooks,
    Memory,
    make_app,
    make_asset,
    make_hit,
)
from tests.support.browser import needs_browser

pytestmark = needs_browser


@dataclass
class Counted(Memory):
    """As many assets as `number` says, of which the list shows one."""

    number: int = 1

    def count(self, _wanted: AssetFilter) -> int:
        return self.number


def open_app(page: Page, memory: Memory, path: str) -> None:
    """Open a page of an app over what stands in memory."""
    client = make_app(memory).test_client()

    def answer(route: Route) -> None:
        asked, parts = route.request, urlsplit(route.request.url)
        with client.open(
            f"{parts.path}?{parts.query}",
            method=asked.method,
            headers=asked.headers,
            data=asked.post_data_buffer,
        ) as found:
            headers = dict(found.headers.items())
            route.fulfill(status=found.status_code, headers=headers, body=found.data)

    page.route("**/*", answer)
    page.goto(f"http://localhost{path}")


def test_a_count_that_reaches_its_limit_gets_a_plus(page: Page) -> None:
    memory = Counted([make_asset(1, AssetStatus.PROCESSING)])
    open_app(page, memory, "/")
    number = page.locator("[data-number]")
    for counted, shown in ((1, "1"), (9_999, "9,999"), (COUNT_LIMIT, "10,000+")):
        memory.number = counted
        expect(number).to_have_text(shown)


@dataclass
class Asking(KeptLists):
    """A list that asks; how many of its entries were wanted."""

    wanted: list[int] = field(default_factory=list)

    def leave_out(self, _list_id: str, after: int) -> None:
        self.wanted.append(after)


@pytest.mark.parametrize(
    ("button", "wanted"),
    [("None of them", [0]), (f"Only the first {UNASKED}", [UNASKED]), ("Index all 60", [])],
)
def test_the_button_that_answers_a_list_is_sent(page: Page, button: str, wanted: list[int]) -> None:
    lists = Asking()
    memory = Memory([make_asset(1, AssetStatus.SEARCHABLE, content_type=RSS)], lists=lists)
    made = memory.imports.add({f"https://x.test/{each}": 1 for each in range(60)}, [])
    memory.imports.imports[made.id] = replace(made, state=ImportState.ASKING, depth=0)
    open_app(page, memory, f"/assets/{made.id}")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text("be indexed.")).to_be_visible()
    assert lists.wanted == wanted


def test_the_page_of_a_list_shows_what_a_look_has_found(page: Page) -> None:
    memory = Memory([make_asset(1, AssetStatus.SEARCHABLE, content_type=RSS)])
    made = memory.imports.add({"https://x.test/1": 1}, [])
    looking = replace(made, state=ImportState.DONE, depth=0, look_again_at=BEGAN)
    memory.imports.imports[made.id] = looking
    open_app(page, memory, f"/assets/{made.id}")
    expect(page.get_by_text("New entries are being looked for.")).to_be_visible()
    memory.imports.imports[made.id] = replace(
        looking, look_again_at=BEGAN + timedelta(days=40_000), looks=Looks(BEGAN), new=3
    )
    expect(page.locator("[data-following]")).to_contain_text("3 new entries. Next check")
    expect(page.locator("#announcements")).to_contain_text("3 new entries")


def test_the_page_of_a_thing_shows_its_new_version(page: Page) -> None:
    thing = make_asset(1, AssetStatus.SEARCHABLE, content_type="text/html", text="The old text.")
    memory = Memory([thing], looks=KeptLooks(being_made=Revision(thing, thing.id, 1)))
    open_app(page, memory, f"/assets/{thing.id}")
    expect(page.get_by_text("Its new text is being made")).to_be_visible()
    memory.things = [replace(thing, text="The new text.", looks=Looks(BEGAN, Outcome.CHANGED))]
    memory.looks.being_made = None
    expect(page.get_by_text("The new text.")).to_be_visible()
    expect(page.locator("[data-looked]")).to_contain_text("changed.")


def test_what_a_person_has_folded_stays_so_when_the_page_is_refreshed(page: Page) -> None:
    thing = make_asset(1, AssetStatus.PROCESSING)
    memory = Memory([thing])
    open_app(page, memory, f"/assets/{thing.id}")
    way, fold = page.get_by_text("How it got here"), page.locator("#history")
    expect(fold).to_be_visible()
    way.click()
    expect(fold).to_be_hidden()
    memory.things = [replace(thing, status=AssetStatus.PROCESSED)]
    expect(page.locator("[data-status=PROCESSED]")).to_be_visible()
    expect(fold).to_be_hidden()
    way.click()
    memory.things = [replace(thing, status=AssetStatus.SEARCHABLE)]
    expect(page.locator("[data-status=SEARCHABLE]")).to_be_visible()
    expect(fold).to_be_visible()


@dataclass
class Titled(Memory):
    """A search box that suggests the titles of all things."""

    def titled(self, _words: Sequence[str], _most: int) -> list[dict[str, Any]]:
        return [{"asset_id": thing.id, "revision": thing.revision} for thing in self.things]


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("Kubernetes -v flags", "Kubernetes v flags"),
        ("Life After:Life", "Life After Life"),
        ('Life of "the lamp" at 9:30', "Life of the lamp at 9:30"),
        ("Life: a well-known - thing", "Life: a well-known - thing"),
    ],
)
def test_a_title_that_is_chosen_has_no_syntax(page: Page, title: str, query: str) -> None:
    memory = Titled([make_asset(1, AssetStatus.SEARCHABLE, title=title)])
    open_app(page, memory, "/search")
    page.get_by_role("combobox").press_sequentially(title[:4])
    page.get_by_role("option", name=title).click()
    page.wait_for_url("**query=**")
    assert memory.asked == [Query(query)]


@pytest.mark.parametrize("wait", [False, True])
def test_a_form_that_was_stopped_can_be_sent_again(page: Page, wait: bool) -> None:
    page.clock.install()
    open_app(page, Memory(), "/")
    page.route("**/process", lambda route: route.fulfill(status=204))  # the page stays
    page.get_by_role("textbox").first.fill("https://x.test/1")
    button = page.get_by_role("button", name="Index it")
    button.click()
    page.clock.run_for(1_000)
    sent = page.locator("button:disabled")
    expect(sent.first).to_be_visible()
    if wait:
        page.clock.run_for(10_000)
    else:
        page.keyboard.press("Escape")
    expect(sent).to_have_count(0)
    expect(button).to_be_enabled()


def test_shortcuts_of_one_key_can_be_turned_off(page: Page) -> None:
    thing = make_asset(1, AssetStatus.SEARCHABLE, text="A dance of bees.")
    memory = Memory([thing], hits=[make_hit("A dance of bees.", 0.7)])
    open_app(page, memory, "/search?query=bees")
    field, link = page.locator("#query"), page.locator("[data-result] [data-open]")
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.get_by_role("button", name="Turn off keyboard shortcuts").click()
    page.reload()
    for key in ("/", "j"):
        page.keyboard.press(key)
        expect(page.locator("body")).to_be_focused()
    field.focus()
    page.keyboard.press("ArrowDown")
    expect(link).to_be_focused()
    page.get_by_role("button", name="Turn on keyboard shortcuts").click()
    page.keyboard.press("/")
    expect(field).to_be_focused()

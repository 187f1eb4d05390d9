"""A list, as a person in a browser has it; and one of recordings, with the real models."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import expect

from allthethings.pipeline.list_entries import UNASKED
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

PODCAST = "application/rss+xml"


def feed(addresses: list[str]) -> Page:
    items = "".join(f"<item><link>{each}</link></item>" for each in addresses)
    head = "<title>Notes from a lock keeper</title><description>Boats and water.</description>"
    return Page(f"<rss version='2.0'><channel>{head}{items}</channel></rss>".encode(), PODCAST)


@needs_browser
def test_a_person_confirms_a_list_pauses_it_and_deletes_it(
    page: BrowserPage, cloud: Cloud, person: Person, site: Site
) -> None:
    words = "The lock keeper opens the paddles slowly, so that the narrow boat does not surge. " * 3
    good = [site.add(f"/lock/{each}", Page(words.encode(), "text/plain")) for each in range(2)]
    dead = [site.url(f"/lock/dead/{each}") for each in range(UNASKED - 1)]
    url = site.add("/lock.xml", feed(good + dead))
    page.goto(cloud.address)
    page.get_by_label("URL, or several, one per line").fill(url)
    page.get_by_role("button", name="Index it").click()
    expect(page).to_have_url(re.compile("/assets/"))
    expect(page.get_by_role("heading", name="Notes from a lock keeper")).to_be_visible()
    page.get_by_role("button", name=f"Index all {UNASKED + 1}").click()
    things = {name: page.locator(f"[data-things='{name}']") for name in ("searchable", "under way")}
    expect(things["searchable"]).to_have_text("2")
    expect(things["under way"]).to_have_text("0")
    expect(page.locator("[data-count='refused']")).to_have_text(str(len(dead)))
    expect(page.locator("[data-line='1'] [data-thing]")).to_be_visible()
    expect(page.locator("[data-state]")).to_have_text("Done")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-state]")).to_have_text("Paused")
    expect(page.get_by_role("button", name="Look for new entries")).to_be_hidden()
    expect(page.get_by_role("heading", name="What failed")).to_be_visible()
    page.get_by_text("Delete this thing").click()
    page.get_by_role("button", name="Delete permanently").click()
    expect(page).to_have_url(re.compile("/assets/"))  # the question is not answered yet
    page.get_by_label("Delete those that only this list added").check()
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_text("Deleted.")).to_be_visible()
    wait_for(
        lambda: not {*good, url} & {each["url"] for each in person.assets()}, "all of it is gone"
    )


@pytest.mark.slow("transcribes a recording; tests/faults/test_lists.py has the rest")
def test_a_feed_of_the_examples_leads_into_its_recording(person: Person, cloud: Cloud) -> None:
    parent = person.index(f"{cloud.address}/examples/almanac.atom")

    def done() -> bool:
        told = person.http.get(f"/imports/{parent['id']}").json()["import"]
        return bool(told["things"]["searchable"] == 3)

    wait_for(done, "its three things", moved=lambda: person.moved(parent["id"]))
    assert person.search("horticultural news")[0]["asset_id"] == parent["id"]
    first = person.search("insects telling each other where food is")[0]
    assert first["url"] == f"{cloud.address}/examples/honeybees.mp3"
    assert re.fullmatch(rf"{re.escape(first['url'])}#t=[\d.,]+", first["passages"][0]["link"])

"""The page of a thing in a real browser."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journey.things import SPOKEN, Things
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.servers import answer, serving

pytestmark = needs_browser


def line_of(page: Page, number: int) -> tuple[Locator, float, float]:
    """A line of a recording, and the seconds at which it begins and ends."""
    line = page.locator("a.line").nth(number)
    start, end = (line.get_attribute(f"data-{name}") for name in ("start", "end"))
    return line, float(start or "nan"), float(end or "nan")


def test_a_line_is_heard_by_a_click_and_marked(page: Page, cloud: Cloud, things: Things) -> None:
    page.goto(f"{cloud.address}/assets/{things.spoken}")
    player = page.locator("audio")
    assert page.locator("a.line").count() > page.locator(".passages > li").count()
    for number in (3, 1):
        line, start, end = line_of(page, number)
        assert start > 1
        line.click()
        expect(line).to_have_attribute("aria-current", "true")
        assert start <= player.evaluate("it => it.currentTime") < end + 1
        expect(page.locator("[aria-current='true']")).to_have_count(1)
    line, start, end = line_of(page, 4)
    line.focus()
    page.keyboard.press("Enter")
    expect(line).to_have_attribute("aria-current", "true")
    player.evaluate("it => { it.pause(); it.currentTime = it.duration; }")
    expect(line).not_to_have_attribute("aria-current", "true")


@pytest.mark.parametrize("size", [(360, 500), (1280, 400)])
def test_the_spoken_line_is_kept_in_view_until_somebody_scrolls(
    page: Page, cloud: Cloud, things: Things, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{cloud.address}/assets/{things.spoken}")
    player = page.locator("audio")
    last = page.locator("a.line").last
    expect(last).not_to_be_in_viewport()
    line_of(page, 0)[0].click()
    seconds = last.get_attribute("data-start")
    player.evaluate("(it, to) => { it.pause(); it.currentTime = to; }", float(seconds or "nan"))
    expect(last).to_have_attribute("aria-current", "true")
    expect(last).to_be_in_viewport(ratio=1)
    expect(player).to_be_in_viewport(ratio=1)
    top = player.evaluate("it => it.getBoundingClientRect().bottom") if size[0] < 500 else 0
    assert last.evaluate("it => it.getBoundingClientRect().top") >= top

    back = page.get_by_role("button", name="Go to the current line")
    expect(back).to_be_hidden()
    page.mouse.move(size[0] // 2, size[1] - 50)
    page.mouse.wheel(0, -5000)
    expect(back).to_be_visible()
    line, start, _ = line_of(page, 2)
    player.evaluate("(it, to) => { it.currentTime = to; }", start)
    expect(line).to_have_attribute("aria-current", "true")
    assert page.evaluate("scrollY") == 0
    player.evaluate("(it, to) => { it.currentTime = to; }", float(seconds or "nan"))
    expect(last).to_have_attribute("aria-current", "true")
    expect(last).not_to_be_in_viewport()
    page.evaluate("scrollTo(0, 0)")
    back.click()
    expect(last).to_be_in_viewport(ratio=1)
    expect(back).to_be_hidden()


def test_a_transcript_is_kept_by_a_click(page: Page, cloud: Cloud, things: Things) -> None:
    page.goto(f"{cloud.address}/assets/{things.spoken}")
    for form, beginning in (("SRT", r"1\n00:00:0\d,\d{3} --> "), ("VTT", r"WEBVTT\n\n00:00:0")):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=form, exact=True).click()
        kept = waiting.value
        assert kept.suggested_filename == f"Lighthouse.{form.lower()}"
        assert re.match(beginning, kept.path().read_text("utf-8"))
    assert page.url.endswith(things.spoken)


def test_a_thing_leads_to_what_is_like_it(page: Page, cloud: Cloud, things: Things) -> None:
    page.goto(f"{cloud.address}/assets/{things.spoken}")
    page.get_by_role("link", name="More like this").click()
    page.wait_for_url(f"**/search?like={things.spoken}")
    expect(page.locator(f"[data-result='{things.page}']")).to_be_visible()


@contextmanager
def held() -> Iterator[str]:
    """The URL of a recording whose bytes do not come for the length of a `with` block."""

    def script(connection: socket.socket, head: bytes) -> None:
        if head.startswith(b"GET"):
            server.stopping.wait(600)
        answer(b"", "Content-Type: audio/mpeg")(connection, head)

    with serving(script) as server:
        yield server.url("/held.mp3")


def test_a_page_that_is_open_says_how_far_its_thing_is(
    page: Page, cloud: Cloud, person: Person
) -> None:
    with held() as url:
        asset_id = person.submit(url)
        page.goto(f"{cloud.address}/assets/{asset_id}")
        page.evaluate("window.kept = true")
        expect(page.locator("[data-doing]")).to_contain_text("Waiting for a model")
        expect(page.get_by_role("progressbar")).to_have_attribute("value", "5")
        page.get_by_role("button", name="Cancel").focus()
        assert person.http.post(f"/assets/{asset_id}/cancel").status_code == 202
        expect(page.locator("[data-status]")).to_have_attribute("data-status", "PROCESSING_ERROR")
        expect(page.locator("[data-trouble]")).to_contain_text("Cancelled by you")
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
        expect(page.get_by_role("progressbar")).to_have_count(0)
        expect(page.locator("#announcements")).to_contain_text("Processing error")
        assert page.evaluate("window.kept")


def test_a_things_page_needs_no_script(
    browser: Browser, cloud: Cloud, person: Person, things: Things
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with held() as url:
        page.goto(f"{cloud.address}/assets/{person.submit(url)}")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Cancelled.")).to_be_visible()
        expect(page.locator("[data-trouble]")).to_contain_text("Cancelled by you")
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
        page.locator("summary", has_text="Delete this thing").click()
        page.get_by_role("button", name="Delete permanently").click()
        expect(page.get_by_text("Deleted.")).to_be_visible()

    page.goto(f"{cloud.address}/assets/{things.spoken}")
    expect(page.locator("audio")).to_be_visible()
    expect(page.get_by_role("button", name="Go to the current line")).to_be_hidden()
    line, start, _ = line_of(page, 2)
    assert line.get_attribute("href") == f"{cloud.address}/examples/{SPOKEN['file']}#t={start}"
    with page.expect_download() as waiting:
        page.get_by_role("link", name="TXT", exact=True).click()
    assert "lens" in waiting.value.path().read_text("utf-8")
    context.close()

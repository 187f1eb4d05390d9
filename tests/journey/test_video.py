"""A video in a browser: found by what is said in it, and played from there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journey.examples import LISTED
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site
from tools.harness.waiting import wait_for

pytestmark = needs_browser

VIDEO = next(each for each in LISTED if each["kind"] == "video")


@pytest.fixture(scope="module")
def video(cloud: Cloud, person: Person) -> str:
    """The id of the example."""
    asset_id = person.submit(f"{cloud.address}/examples/{VIDEO['file']}")
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    return asset_id


def test_a_line_is_watched_by_a_click(page: Page, cloud: Cloud, video: str) -> None:
    page.goto(f"{cloud.address}/assets/{video}")
    player = page.locator("video[data-player]")
    expect(player).to_be_visible()
    line = page.locator("a.line").last
    start = float(str(line.get_attribute("data-start")))
    assert start > 20
    line.click()
    wait_for(lambda: player.evaluate("it => it.readyState >= 2"), "the video")
    assert player.evaluate("it => it.currentTime") >= start
    assert player.evaluate("it => it.videoWidth") > 0
    expect(line).to_have_attribute("aria-current", "true")


def test_a_result_opens_the_video_at_its_second(page: Page, cloud: Cloud, video: str) -> None:
    page.goto(f"{cloud.address}/search?query=diary+of+the+air+kind:video")
    result = page.locator(f"[data-result='{video}']")
    link = result.get_by_role("link", name="Watch from").first
    start = float(str(link.get_attribute("href")).partition("#t=")[2])
    assert start > 10
    link.click()
    player = page.locator("video")
    wait_for(lambda: player.evaluate("it => it.readyState >= 2"), "the video")
    assert player.evaluate("it => it.currentTime") >= start - 0.5
    assert player.evaluate("it => it.videoWidth") > 0


def test_a_line_of_its_subtitles_plays_it_beside_them(
    page: Page, cloud: Cloud, person: Person, site: Site, video: str
) -> None:
    cues = b"WEBVTT\n\n00:11.000 --> 00:15.000\nThe pages are older than any diary.\n"
    film = f"{cloud.address}/examples/{VIDEO['file']}"
    told = {"url": site.add("/eclipse.vtt", Served(cues, "text/vtt")), "video_url": film}
    asset = person.http.post("/process", data=told).json()["asset"]
    assert person.finished(asset["id"])["status"] == "SEARCHABLE"
    page.goto(f"{cloud.address}/assets/{asset['id']}")
    line = page.locator("a.line")
    expect(line).to_have_attribute("href", f"{film}#t=11.0")
    line.click()
    player = page.locator("video[data-player]")
    wait_for(lambda: player.evaluate("it => it.readyState >= 2"), "the video")
    assert player.evaluate("it => it.currentTime") >= 11
    page.locator("p", has_text="Subtitles of").get_by_role("link").click()
    page.wait_for_url(f"**/assets/{video}")

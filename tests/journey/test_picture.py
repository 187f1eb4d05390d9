"""A picture of a page in a browser: submitted by the form, and found by a sentence in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journey.examples import EXAMPLES, LISTED
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.site import Page as Served
from tools.harness.site import Site
from tools.harness.waiting import wait_for

pytestmark = needs_browser

EXAMPLE = next(each for each in LISTED if each["kind"] == "image")
SENTENCE = "the earth hurries and dawdles on its way round"


@pytest.fixture(scope="module")
def address(site: Site) -> str:
    """The example, on a site of somebody else who does not say what it is."""
    body = (EXAMPLES / EXAMPLE["file"]).read_bytes()
    return site.add("/notices/board-7.png", Served(body, "application/octet-stream"))


def is_drawn(picture: Locator) -> bool:
    return bool(picture.evaluate("it => it.complete && it.naturalWidth > 0"))


def test_a_picture_of_a_page_is_found_by_a_sentence_in_it(
    page: Page, cloud: Cloud, address: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(cloud.address)
    page.get_by_role("textbox").first.fill(address)
    page.get_by_role("button", name="Index it").click()
    row = page.locator("[data-asset]", has_text="board 7")
    expect(row.locator("[data-status]")).to_have_attribute("data-status", "SEARCHABLE")

    page.goto(f"{cloud.address}/search?query={SENTENCE}")
    result = page.locator("[data-result]").first
    expect(result).to_contain_text("Neither is wrong")
    picture = result.locator("img.picture")
    wait_for(lambda: is_drawn(picture), "the small picture")

    result.get_by_role("link").first.click()
    shown = page.get_by_role("img", name="The school sundial")
    wait_for(lambda: is_drawn(shown), "the picture")
    assert all(url.startswith(cloud.address) for url in asked)

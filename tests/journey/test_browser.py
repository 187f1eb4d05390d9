"""The whole journey by clicking, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journey.examples import LISTED
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud

pytestmark = needs_browser


def test_an_example_is_indexed_watched_and_found_by_clicking(page: Page, cloud: Cloud) -> None:
    example = next(each for each in LISTED if each["file"].endswith(".mp3"))
    name = example["file"].removesuffix(".mp3")  # its title, but for the capital
    page.goto(cloud.address)
    page.get_by_role("button", name=example["title"]).click()
    row = page.locator("[data-asset]", has_text=name)
    status = row.first.locator("[data-status]")
    expect(status).to_have_attribute("data-status", "SEARCHABLE")

    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_label("What are you looking for?").fill(example["query"])
    page.get_by_label("What are you looking for?").press("Enter")
    first = page.locator("[data-result]").first
    expect(first).to_contain_text(name, ignore_case=True)
    first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_bad_input_is_answered_on_the_page(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.address)
    field = page.get_by_role("textbox").first
    field.fill("http://no-such-host.invalid/talk.mp3")
    field.press("Enter")
    expect(page.get_by_text("no-such-host.invalid").first).to_be_visible()
    expect(page.get_by_role("textbox").first).to_have_value("http://no-such-host.invalid/talk.mp3")

"""The whole journey by clicking, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journey.test_journey import examples
from tests.support.chromium import MISSING, browser_wanted, find_chromium
from tests.support.cloud import Cloud

pytestmark = pytest.mark.skipif(
    not browser_wanted(), reason="BROWSER=no: browser tests were not asked for"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    assert chromium, MISSING
    flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own; errors of scripts and of the content policy fail the test.

    An answer of 422 to a form is a console error to Chromium, and as it should be to us.
    """
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not [line for line in complaints if not line.startswith("Failed to load resource")]


def test_an_example_is_indexed_watched_and_found_by_clicking(page: Page, cloud: Cloud) -> None:
    example = next(each for each in examples if each["file"].endswith(".mp3"))
    page.goto(cloud.address)
    page.get_by_role("button", name=example["title"]).click()
    row = page.locator("[data-asset]", has_text=example["file"]).or_(
        page.locator("[data-asset]", has_text=example["title"])
    )
    status = row.first.locator("[data-status]")
    expect(status).to_have_attribute("data-status", "SEARCHABLE", timeout=90_000)

    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_role("searchbox").fill(example["query"])
    page.get_by_role("searchbox").press("Enter")
    first = page.locator("[data-result]").first
    expect(first).to_contain_text(example["file"])
    first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_bad_input_is_answered_on_the_page(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.address)
    field = page.get_by_role("textbox").first
    field.fill("http://no-such-host.invalid/talk.mp3")
    field.press("Enter")
    expect(page.get_by_text("no-such-host.invalid").first).to_be_visible()
    expect(page.get_by_role("textbox").first).to_have_value("http://no-such-host.invalid/talk.mp3")

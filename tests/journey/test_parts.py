"""A long text is read by parts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site

pytestmark = needs_browser

ANSWER = 310


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


@pytest.fixture(scope="module")
def ballad(cloud: Cloud, person: Person, site: Site) -> str:
    """The address of the page of a text with a passage for each of 320 verses."""
    verses = [f"The verse of evening number {number} is sung. " * 7 for number in range(320)]
    verses[ANSWER] = "At last the ferryman answers from the far bank. " * 8
    served = Served("\n\n".join(verses).encode(), "text/plain")
    return f"{cloud.address}/assets/{person.index(site.add('/ballad.txt', served))['id']}"


def test_links_lead_to_the_other_parts_without_script(browser: Browser, ballad: str) -> None:
    size = {"width": 360, "height": 640}
    with browser.new_context(java_script_enabled=False, viewport=size) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(ballad)
        expect(page.locator("#p0")).to_be_attached()
        expect(page.locator(f"#p{ANSWER}")).to_have_count(0)
        page.get_by_role("link", name="Later").first.click()
        expect(page.locator("#p200")).to_be_in_viewport()
        page.get_by_label("Find in this text").fill("ferryman")
        page.get_by_role("button", name="Find", exact=True).click()
        page.get_by_role("link", name="Show it").click()
        expect(page.locator(f"#p{ANSWER} mark").first).to_be_in_viewport()
        expect(page.locator("#p0")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_address_with_a_passage_alone_leads_to_its_part(page: Page, ballad: str) -> None:
    page.goto(f"{ballad}#p{ANSWER}")
    passage = page.locator(f"#p{ANSWER}")
    expect(passage).to_be_in_viewport()
    assert page.url == f"{ballad}?at={ANSWER}#p{ANSWER}"


def test_finding_a_word_loads_the_part_that_has_it(page: Page, ballad: str) -> None:
    page.goto(ballad)
    page.get_by_label("Find in this text").fill("ferryman")
    page.keyboard.press("Enter")
    expect(page.locator(f"#p{ANSWER} mark").first).to_be_in_viewport()
    expect(page.get_by_role("navigation", name="Places found")).to_contain_text("1 of 1")

"""From a question to the marked sentence on a thing's page, from place to place, and copies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journey.examples import LISTED
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site

pytestmark = needs_browser

SPOKEN = next(each for each in LISTED if each["file"] == "lighthouse.mp3")
TRADES = [
    *("cooper", "weaver", "miller", "potter", "glazier", "thatcher", "saddler", "printer"),
    *("farrier", "chandler", "dyer", "tanner", "carter", "joiner", "slater", "brewer"),
]
ANSWER = "A kite of oiled paper carried the first line across the gorge."
# Where kites are spoken of, and no other word of the question.
OTHERS = {2: "Children fly a kite there.", 13: "One kite hangs from the beam."}
FOUND_AT = 8
QUESTION = "what carried the first line over the gorge, was it a kite?"


def paragraph(number: int, trade: str) -> str:
    said = ANSWER if number == FOUND_AT else OTHERS.get(number, "Dogs sleep on the step.")
    return (
        f"The {trade} of the village opens the shop at seven and begins with the oldest order. "
        f"Before noon the {trade} has finished three pieces, and sells them at the market. {said} "
        f"The rest of the day belongs to repairs, and to whoever comes to the {trade} to talk."
    )


@pytest.fixture(scope="module")
def village(person: Person, site: Site) -> str:
    """The id of a page that is many screens long."""
    body = "".join(f"<p>{paragraph(*each)}</p>" for each in enumerate(TRADES))
    markup = f"<html><head><title>A village</title></head><body><article>{body}</article></body>"
    return str(person.index(site.add("/trades", Served(f"{markup}</html>".encode())))["id"])


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    """A small window in which no script runs."""
    size = {"width": 360, "height": 640}
    context = browser.new_context(java_script_enabled=False, viewport=size)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def ask(page: Page, cloud: Cloud, village: str) -> None:
    """Ask the question and open what it finds on the thing's page."""
    page.goto(f"{cloud.address}/search")
    page.get_by_label("What are you looking for?").fill(QUESTION)
    page.get_by_label("What are you looking for?").press("Enter")
    page.locator(f"[data-result='{village}'] h3 a").click()
    expect(page.get_by_role("heading", name="A village")).to_be_attached()


def bar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Places found")


def passage(page: Page, number: int) -> Locator:
    return page.locator(f"#p{number}")


def test_a_question_opens_the_thing_at_its_marked_sentence(
    page: Page, cloud: Cloud, village: str
) -> None:
    ask(page, cloud, village)
    answer = passage(page, FOUND_AT).locator(".sentence")
    expect(answer).to_have_text(ANSWER)
    expect(answer).to_be_in_viewport(ratio=1)
    expect(answer.locator("mark").first).to_have_text("kite")
    expect(bar(page)).to_contain_text("Found 1 place for")
    expect(bar(page)).to_contain_text("1 of 1")
    bar(page).get_by_role("link", name="All results").click()
    expect(page.get_by_label("What are you looking for?")).to_have_value(QUESTION)
    expect(page.locator(f"[data-result='{village}']")).to_be_visible()


def test_a_word_is_found_in_the_text_and_n_and_p_go_from_place_to_place(
    page: Page, cloud: Cloud, village: str
) -> None:
    page.goto(f"{cloud.address}/assets/{village}")
    page.keyboard.press("/")
    page.keyboard.type("kites")
    page.keyboard.press("Enter")
    places = [2, FOUND_AT, 13]
    for number, position in enumerate(places, 1):
        expect(bar(page)).to_contain_text(f"{number} of 3")
        expect(passage(page, position).locator("mark")).to_have_text(["kite"])
        expect(passage(page, position).locator("mark")).to_be_in_viewport(ratio=1)
        expect(page.locator("[data-shown]")).to_have_id(f"p{position}")
        expect(page.locator("#announcements")).to_contain_text(f"{number} of 3")
        assert page.url.endswith(f"?query=kites&at={position}#p{position}")
        page.keyboard.press("n")
    expect(bar(page)).to_contain_text("1 of 3")
    page.keyboard.press("p")
    expect(bar(page)).to_contain_text("3 of 3")
    expect(passage(page, 13).locator("mark")).to_be_in_viewport(ratio=1)
    before = bar(page).get_by_role("link", name="Previous")
    before.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(bar(page)).to_contain_text("1 of 3")
    expect(before).to_be_focused()
    page.reload()
    expect(bar(page)).to_contain_text("1 of 3")


def test_no_script_is_needed_to_go_from_place_to_place(
    narrow: Page, cloud: Cloud, village: str
) -> None:
    page = narrow
    ask(page, cloud, village)
    expect(passage(page, FOUND_AT).locator(".sentence")).to_be_in_viewport(ratio=1)
    page.get_by_label("Find in this text").fill("kite")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(bar(page)).to_contain_text("Found 3 places for kite")
    for number, position in enumerate([2, FOUND_AT, 13, 2], 1):
        bar(page).get_by_role("link", name="Next").click()
        expect(bar(page)).to_contain_text(f"{(number - 1) % 3 + 1} of 3")
        expect(passage(page, position).locator("mark")).to_be_in_viewport(ratio=1)
        colour = passage(page, position).evaluate("it => getComputedStyle(it).boxShadow")
        assert colour != "none"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    bar(page).get_by_role("link", name="Previous").click()
    expect(bar(page)).to_contain_text("3 of 3")


def test_a_recording_opens_at_the_lines_that_were_found(
    page: Page, cloud: Cloud, person: Person
) -> None:
    spoken = person.index(f"{cloud.address}/examples/{SPOKEN['file']}")["id"]
    page.goto(f"{cloud.address}/assets/{spoken}")
    page.get_by_label("Find in this text").fill("lens")
    page.keyboard.press("Enter")
    expect(bar(page)).to_contain_text("1 of")
    shown = page.locator("[data-shown]")
    expect(shown.locator("a.line .sentence mark").first).to_be_in_viewport(ratio=1)
    line = shown.locator("a.line", has=page.locator("mark")).first
    start = float(str(line.get_attribute("data-start")))
    line.click()
    expect(line).to_have_attribute("aria-current", "true")
    assert page.locator("audio").evaluate("it => it.currentTime") == pytest.approx(start, abs=1)


# -- copies


@pytest.fixture
def clipboard(browser: Browser, cloud: Cloud) -> Iterator[Page]:
    """A page that may read what was copied."""
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=cloud.address)
    yield context.new_page()
    context.close()


def copied(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_passage_is_copied_with_its_source(
    clipboard: Page, cloud: Cloud, person: Person, village: str
) -> None:
    page = clipboard
    page.goto(f"{cloud.address}/assets/{village}")
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    passage(page, 3).locator("p").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#announcements")).to_contain_text("Copied")
    assert copied(page) == f"{cloud.address}/assets/{village}#p3"
    page.get_by_role("button", name="Copy quote").click()
    url = person.http.get(f"/assets/{village}", headers={"Accept": "application/json"}).json()
    wanted = f"“{paragraph(3, TRADES[3])}”\nA village\n{url['asset']['url']}#:~:text=The%20potter"
    page.wait_for_function(
        "async begin => (await navigator.clipboard.readText()).startsWith(begin)", arg=wanted
    )

    # What is selected of a passage is quoted alone.
    passage(page, 5).locator("p").evaluate(
        "it => getSelection().setBaseAndExtent(it.firstChild, 4, it.firstChild, 12)"
    )
    expect(passage(page, 5).get_by_role("button", name="Copy quote")).to_be_visible()
    page.get_by_role("button", name="Copy quote").click()
    page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).startsWith('“thatcher”')"
    )


def test_the_keyboard_leads_to_a_passage_and_to_its_copies(
    clipboard: Page, cloud: Cloud, village: str
) -> None:
    page = clipboard
    page.goto(f"{cloud.address}/assets/{village}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(passage(page, 1)).to_be_focused()
    page.keyboard.press("k")
    expect(passage(page, 0)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#announcements")).to_contain_text("Copied")
    assert copied(page) == f"{cloud.address}/assets/{village}#p0"


def test_a_line_of_a_recording_is_quoted_with_its_second(
    clipboard: Page, cloud: Cloud, person: Person
) -> None:
    page = clipboard
    spoken = person.index(f"{cloud.address}/examples/{SPOKEN['file']}")["id"]
    page.goto(f"{cloud.address}/assets/{spoken}")
    line = page.locator("a.line").nth(2)
    line.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy quote")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#announcements")).to_contain_text("Copied")
    said, source, address = copied(page).splitlines()
    assert said == f"“{line.locator('[data-words]').inner_text().strip()}”"
    assert source.startswith("Lighthouse, 0:")
    assert address == line.get_attribute("href")


def test_without_a_clipboard_the_text_is_there_to_be_copied(
    browser: Browser, cloud: Cloud, village: str
) -> None:
    with browser.new_context() as context:
        context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page = context.new_page()
        page.goto(f"{cloud.address}/assets/{village}")
        passage(page, 3).locator("p").click()
        page.get_by_role("button", name="Copy link").click()
        field = page.get_by_label("Copy this text")
        expect(field).to_be_focused()
        expect(field).to_have_value(f"{cloud.address}/assets/{village}#p3")
        selected = field.evaluate("it => it.value.slice(it.selectionStart, it.selectionEnd)")
        assert selected == field.input_value()
        expect(page.locator("#announcements")).to_contain_text("Copy the selected text")

"""The page of results in a real browser."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journey.test_look import RULES
from tests.journey.things import KITE, KITE_QUERY, SPOKEN, Things
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.waiting import wait_for

pytestmark = needs_browser


def search(page: Page, cloud: Cloud, query: str) -> None:
    page.goto(f"{cloud.address}/search")
    page.get_by_label("What are you looking for?").fill(query)
    page.get_by_label("What are you looking for?").press("Enter")
    page.wait_for_url("**query=**")  # loaded, with its scripts: keys count from now on


def found(page: Page, asset_id: str) -> Locator:
    """The result for a thing, with all its passages open."""
    open_far_ones(page)
    result = page.locator(f"[data-result='{asset_id}']")
    for closed in result.locator("details:not(.all, [open]) > summary").all():
        closed.click()
    return result


def open_far_ones(page: Page) -> None:
    """Show the results that are not close, if there are some."""
    expect(page.locator("[data-result]").first).to_be_attached()
    for closed in page.locator("details.far:not([open]) > summary").all():
        closed.click()


# What is said in the recording, and when, to a second: the sentence after the one asked for begins.
LENS = "the curves of a lens, kept without its middle"


def second_of(link: Locator) -> float:
    """The second of the recording to which a link leads."""
    return float(str(link.get_attribute("href")).partition("#t=")[2])


def said_at(person: Person, asset_id: str, sentence: str) -> float:
    """The second at which the transcript has a line with these words."""
    lines = person.http.get(f"/assets/{asset_id}/transcript.json").json()["segments"]
    return float(next(line["start"] for line in lines if line["text"][:20] in sentence))


def test_a_result_plays_at_the_second_of_its_sentence(
    page: Page, cloud: Cloud, person: Person, things: Things
) -> None:
    search(page, cloud, LENS)
    result = found(page, things.spoken)
    link = result.get_by_role("link", name="Listen from").first
    sentence = result.locator(".sentence").first.inner_text()
    start = said_at(person, things.spoken, sentence)
    assert start > 5
    assert second_of(link) == pytest.approx(start, abs=1)
    link.click()
    player = page.locator("audio")
    expect(player).to_have_count(1)
    wait_for(lambda: player.evaluate("it => it.played.length"), "sound")
    assert player.evaluate("it => it.played.start(0)") == pytest.approx(start, abs=1)
    page.get_by_role("button", name="Close").click()
    expect(player).to_have_count(0)


def test_a_link_opens_the_recording_at_its_second(
    browser: Browser, cloud: Cloud, things: Things
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    search(page, cloud, LENS)
    link = page.locator(f"[data-result='{things.spoken}']").get_by_role("link", name="Listen from")
    start = second_of(link.first)
    assert start > 5
    link.first.click()
    page.wait_for_url(f"**/{SPOKEN['file']}#t={start:g}")
    context.close()


def test_the_keyboard_leads_to_the_sentence(page: Page, cloud: Cloud, things: Things) -> None:
    page.goto(f"{cloud.address}/search")
    page.keyboard.type(LENS)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*query=*")
    link = page.locator(f"[data-result='{things.spoken}'] [data-open]").first
    page.keyboard.press("j")
    expect(link).to_be_focused()
    page.keyboard.press("k")
    expect(page.get_by_label("What are you looking for?")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(link).to_be_focused()
    start = second_of(link)
    page.keyboard.press("Enter")
    player = page.locator("audio")
    wait_for(lambda: player.evaluate("it => it.played.length"), "sound")
    assert player.evaluate("it => it.played.start(0)") == pytest.approx(start, abs=1)
    page.keyboard.press("/")
    expect(page.get_by_label("What are you looking for?")).to_be_focused()


def test_the_arrows_stop_at_the_last_result(page: Page, cloud: Cloud, things: Things) -> None:
    assert things
    search(page, cloud, KITE_QUERY)
    open_far_ones(page)
    results = page.locator(".result")
    places = page.locator(".result, .far > summary")
    count = places.count()
    assert results.count() > 1
    results.first.locator("h3 a").focus()
    for key in ("ArrowDown", "j"):
        for _ in range(count + 1):
            page.keyboard.press(key)
        expect(results.last.locator(":focus")).to_have_count(1)
    for _ in range(count - 1):
        page.keyboard.press("k")
    expect(results.first.locator(":focus")).to_have_count(1)


def test_the_arrows_lead_to_results_that_are_folded(
    page: Page, cloud: Cloud, things: Things
) -> None:
    assert things
    search(page, cloud, KITE_QUERY)
    folded = page.locator(".far > summary")
    expect(folded).to_be_visible()
    page.keyboard.press("/")
    for _ in range(page.locator(".result:visible").count() + 1):
        page.keyboard.press("ArrowDown")
    expect(folded).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(folded).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".far .result").first.locator(":focus")).to_have_count(1)


def test_escape_closes_the_player_and_leads_back(page: Page, cloud: Cloud, things: Things) -> None:
    search(page, cloud, LENS)
    found(page, things.spoken)
    link = page.locator(f"[data-result='{things.spoken}'] [data-open]").first
    player = page.locator("audio")
    close = page.get_by_role("button", name="Close")
    for leave in ("Escape", "Enter"):
        link.focus()
        page.keyboard.press("Enter")
        expect(player).to_be_visible()
        (player if leave == "Escape" else close).focus()
        page.keyboard.press(leave)
        expect(player).to_have_count(0)
        expect(link).to_be_focused()
    page.keyboard.press("Enter")
    player.focus()
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()


def test_the_box_suggests_titles_and_earlier_searches(
    page: Page, cloud: Cloud, things: Things
) -> None:
    assert things
    page.goto(f"{cloud.address}/search")
    box = page.get_by_role("combobox", name="What are you looking for?")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    box.press_sequentially("vill")
    expect(options).to_have_text(["A village"])
    found = Axe().run(page, options=RULES)
    assert not found.response["violations"], found.generate_report()
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-0")
    page.keyboard.press("ArrowDown")  # past the last option stands what was typed
    expect(box).not_to_have_attribute("aria-activedescendant", "suggestion-0")
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_have_value("vill")

    box.press_sequentially("ag")
    expect(options).to_have_text(["A village"])
    page.keyboard.press("Enter")  # searches for what was typed
    page.wait_for_url("**/search?*query=villag&*")
    box.fill("")
    box.press_sequentially("vill")
    expect(options).to_have_text(["villag searched before", "A village"])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*query=A+village*")
    expect(page.locator(f"[data-result='{things.page}']")).to_be_attached()
    box.fill("")
    box.press_sequentially("VILL")
    options.filter(has_text="villag searched before").click()
    page.wait_for_url("**/search?*query=villag&*")


def test_a_chip_adds_its_filter_and_another_removes_it(
    browser: Browser, cloud: Cloud, things: Things
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    search(page, cloud, "kite lens")
    filters = page.get_by_role("navigation", name="Filters")
    filters.get_by_role("link", name="audio").click()
    expect(page.locator(f"[data-result='{things.spoken}']")).to_be_attached()
    expect(page.locator(f"[data-result='{things.page}']")).to_have_count(0)
    filters.get_by_role("link", name="Remove the filter Kind: audio").click()
    expect(page.locator(f"[data-result='{things.page}']")).to_be_attached()
    context.close()


def test_meaning_chooses_the_sentence_that_no_word_leads_to(
    page: Page, cloud: Cloud, things: Things
) -> None:
    search(page, cloud, "siblings with a toy on a string at the seaside")
    expect(page.locator("[data-looked]")).to_be_attached()
    answer = found(page, things.page).locator(".sentence").first
    expect(answer).to_have_text(re.compile("Over the sand|Two sisters"))
    link = page.locator(f"[data-result='{things.page}'] [data-open]").first
    start = " ".join(answer.inner_text().split()[:6])
    assert f"#:~:text={quote(start)}" in str(link.get_attribute("href"))


def test_a_link_opens_the_page_at_its_words(page: Page, cloud: Cloud, things: Things) -> None:
    search(page, cloud, KITE_QUERY)
    result = found(page, things.page)
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    hit = result.locator(".hit").first
    expect(hit).to_contain_text(KITE)
    hit.get_by_role("link", name="Open at this sentence").click()
    paragraph = page.get_by_text(KITE)
    expect(paragraph).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") > page.viewport_size["height"]  # type: ignore[index]
    # Without the directive the page opens at its top.
    page.goto(page.url.partition("#")[0])
    expect(paragraph).not_to_be_in_viewport()


def test_a_result_opens_its_own_text_at_the_passage(
    page: Page, cloud: Cloud, things: Things
) -> None:
    search(page, cloud, KITE_QUERY)
    found(page, things.page).get_by_role("link", name="in the full text").first.click()
    expect(page.get_by_text(KITE)).to_be_in_viewport()


def test_matching_words_are_marked(page: Page, cloud: Cloud, things: Things) -> None:
    search(page, cloud, "kites")
    first = found(page, things.page)
    expect(first.locator("mark").first).to_have_text("kite")
    expect(first.locator(".match")).to_contain_text("words")


def tab_to(page: Page, target: Locator, backwards: bool = False) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(150):
        if target.evaluate("it => it === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"the keyboard does not lead to {target}")


def test_the_keyboard_is_enough(page: Page, cloud: Cloud, things: Things) -> None:
    page.goto(f"{cloud.address}/search")
    expect(page.get_by_label("What are you looking for?")).to_be_focused()
    page.keyboard.type("optics that guide ships")
    tab_to(page, page.locator("summary", has_text="Filters and syntax"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Kind"))
    page.keyboard.type("audio")
    tab_to(page, page.get_by_role("button", name="Search", exact=True), backwards=True)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*kind=audio*")
    results = page.locator("[data-result]")
    expect(results.first).to_have_attribute("data-result", things.spoken)
    expect(page.locator(f"[data-result='{things.page}']")).to_have_count(0)

    more = results.first.locator("details:not(.all) > summary")
    tab_to(page, more)
    page.keyboard.press("Enter")
    expect(results.first.locator("details .hit").first).to_be_visible()
    tab_to(page, results.first.get_by_role("link", name="more like this passage").last)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/search?like={quote(things.spoken)}*")
    expect(page.locator(".lead", has_text="More like")).to_be_visible()
    open_far_ones(page)
    nearest = page.locator(f"[data-result='{things.page}'] h3 a")
    tab_to(page, nearest)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/assets/{things.page}?at=*")


def test_no_script_is_needed(browser: Browser, cloud: Cloud, things: Things) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    search(page, cloud, KITE_QUERY)
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    page.locator("summary", has_text="Filters and syntax").click()
    page.get_by_label("Kind").select_option("audio")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(found(page, things.spoken)).to_be_visible()
    expect(page.locator(f"[data-result='{things.page}']")).to_have_count(0)
    expect(page.get_by_label("Kind")).to_have_value("audio")
    page.get_by_role("link", name="more like this", exact=True).first.click()
    expect(found(page, things.page)).to_be_visible()

    page.goto(f"{cloud.address}/search")
    page.locator("summary", has_text="Search with a paragraph").click()
    page.get_by_label("A text of up to").fill(f"{KITE}\n\nAnother paragraph. " * 10)
    page.get_by_role("button", name="Find similar passages").click()
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    context.close()

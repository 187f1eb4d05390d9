"""The whole journey by clicking, in a real browser."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journey.examples import LISTED
from tests.journey.test_look import RULES
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.servers import answer, serving
from tools.harness.site import Page as Served
from tools.harness.site import Site
from tools.harness.waiting import wait_for

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


SPOKEN = next(each for each in LISTED if each["file"] == "lighthouse.mp3")
TRADES = [
    *("cooper", "weaver", "miller", "potter", "glazier", "thatcher", "saddler", "printer"),
    *("farrier", "chandler", "dyer", "tanner", "carter", "joiner", "slater", "brewer"),
]
KITE = (
    "Over the sand a paper kite climbs until its string hums. Two sisters let out the line by "
    "turns, and when the wind drops they run along the water to keep it in the air. In the "
    "evening its tail is wet with salt, and they carry it home between them."
)
KITE_QUERY = "sisters with a kite at the seaside"


@dataclass(frozen=True)
class Things:
    """The ids of a recording and of a page that is many screens long."""

    spoken: str
    page: str


@pytest.fixture(scope="module")
def things(cloud: Cloud, person: Person, site: Site) -> Things:
    trades = [
        f"The {trade} of the village opens the shop at seven and begins with the oldest order. "
        f"Before noon the {trade} has finished three pieces, and sells them at the market. "
        f"The rest of the day belongs to repairs, and to whoever comes to the {trade} to talk."
        for trade in TRADES
    ]
    texts = [*trades[:9], KITE, *trades[9:]]
    # Every paragraph is as high as half a screen.
    body = "".join(f"<p>{text}</p>" for text in texts)
    style = "<style>p { margin-bottom: 20rem }</style>"
    head = f"<head><title>A village</title>{style}</head>"
    markup = f"<html>{head}<body><article>{body}</article></body></html>"
    url = site.add("/village", Served(markup.encode()))
    spoken = person.submit(f"{cloud.address}/examples/{SPOKEN['file']}")
    page = person.submit(url)
    for asset_id in (spoken, page):
        assert person.finished(asset_id)["status"] == "SEARCHABLE"
    return Things(spoken, page)


def search(page: Page, cloud: Cloud, query: str) -> None:
    page.goto(f"{cloud.address}/search")
    page.get_by_label("What are you looking for?").fill(query)
    page.get_by_label("What are you looking for?").press("Enter")


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


# -- a thing's page


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

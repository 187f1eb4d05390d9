"""The whole journey by clicking, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.journey.test_journey import examples
from tests.support.chromium import MISSING, browser_wanted, find_chromium
from tests.support.cloud import Cloud, running_cloud
from tests.support.person import Person
from tests.support.site import Page as Served
from tests.support.site import Site
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not browser_wanted(), reason="BROWSER=no: browser tests were not asked for"
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """With short passages, so that a recording of fifty seconds has several."""
    env = {"FETCH_ALLOW": "127.0.0.1", "RECONCILE_AFTER": "5", "PASSAGE_SIZE": "50"}
    with running_cloud(tmp_path_factory.mktemp("cloud") / "var", env) as cloud:
        yield cloud


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


SPOKEN = next(each for each in examples if each["file"] == "lighthouse.mp3")
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
    page.get_by_role("searchbox").fill(query)
    page.get_by_role("searchbox").press("Enter")


def found(page: Page, asset_id: str) -> Locator:
    """The result for a thing, with all its passages open."""
    result = page.locator(f"[data-result='{asset_id}']")
    for closed in result.locator("details:not([open]) > summary").all():
        closed.click()
    return result


def later_passage(page: Page, cloud: Cloud, things: Things) -> tuple[Locator, float]:
    """A passage of the recording that is not its beginning, and its first second."""
    search(page, cloud, "the curves of a lens, kept without its middle")
    places = found(page, things.spoken).locator(".hit", has=page.locator("audio"))
    starts = [str(place.locator("audio").get_attribute("src")) for place in places.all()]
    seconds = [float(start.partition("#t=")[2]) for start in starts]
    at = max(seconds)
    assert at > 10
    return places.nth(seconds.index(at)), at


def test_a_result_plays_at_its_second(page: Page, cloud: Cloud, things: Things) -> None:
    hit, start = later_passage(page, cloud, things)
    player = hit.locator("audio")
    player.focus()
    page.keyboard.press("Space")
    wait_for(lambda: player.evaluate("it => it.played.length"), "sound", 30)
    page.keyboard.press("Space")
    began = player.evaluate("it => it.played.start(0)")
    assert began == pytest.approx(start, abs=0.5)
    assert player.evaluate("it => it.currentTime") >= start - 0.5


def test_a_link_opens_the_recording_at_its_second(page: Page, cloud: Cloud, things: Things) -> None:
    hit, start = later_passage(page, cloud, things)
    hit.get_by_role("link", name="Listen from").click()
    page.wait_for_url(f"**/{SPOKEN['file']}#t={start:g}")
    player = page.locator("video, audio")
    wait_for(lambda: player.evaluate("it => it.readyState >= 2"), "the recording", 30)
    assert player.evaluate("it => it.currentTime") >= start - 0.5


def test_a_link_opens_the_page_at_its_words(page: Page, cloud: Cloud, things: Things) -> None:
    search(page, cloud, KITE_QUERY)
    result = found(page, things.page)
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    hit = result.locator(".hit").first
    expect(hit).to_contain_text(KITE)
    hit.get_by_role("link", name="read it there").click()
    paragraph = page.get_by_text(KITE)
    expect(paragraph).to_be_in_viewport(ratio=1, timeout=15_000)
    assert page.evaluate("scrollY") > page.viewport_size["height"]  # type: ignore[index]
    # Without the directive the page opens at its top.
    page.goto(page.url.partition("#")[0])
    expect(paragraph).not_to_be_in_viewport()


def test_a_result_opens_its_own_text_at_the_passage(
    page: Page, cloud: Cloud, things: Things
) -> None:
    search(page, cloud, KITE_QUERY)
    found(page, things.page).get_by_role("link", name="in its text").first.click()
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
    expect(page.get_by_role("searchbox")).to_be_focused()
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

    more = results.first.locator("details > summary")
    tab_to(page, more)
    page.keyboard.press("Enter")
    expect(results.first.locator("details .hit").first).to_be_visible()
    tab_to(page, results.first.get_by_role("link", name="more like this passage").last)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/search?like={quote(things.spoken)}*")
    expect(page.locator(".lead", has_text="More like")).to_be_visible()
    nearest = page.locator(f"[data-result='{things.page}'] h3 a")
    tab_to(page, nearest)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/assets/{things.page}")


def test_no_script_is_needed(browser: Browser, cloud: Cloud, things: Things) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    search(page, cloud, KITE_QUERY)
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    page.locator("summary", has_text="Filters and syntax").click()
    page.get_by_label("Kind").select_option("audio")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(f"[data-result='{things.spoken}']")).to_be_visible()
    expect(page.locator(f"[data-result='{things.page}']")).to_have_count(0)
    expect(page.get_by_label("Kind")).to_have_value("audio")
    page.get_by_role("link", name="more like this", exact=True).first.click()
    expect(page.locator(f"[data-result='{things.page}']")).to_be_visible()

    page.goto(f"{cloud.address}/search")
    page.locator("summary", has_text="Search with a paragraph").click()
    page.get_by_label("A text of up to").fill(f"{KITE}\n\nAnother paragraph. " * 10)
    page.get_by_role("button", name="Find what is like it").click()
    expect(page.locator("[data-result]").first).to_have_attribute("data-result", things.page)
    context.close()

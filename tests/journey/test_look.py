"""Every page in a narrow and a wide window, light and dark: readable for all, small, our own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site

pytestmark = needs_browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# Most bytes of the scripts and styles that a page loads.
SCRIPT_AND_STYLE = 100_000
# Most bytes of everything else that a page loads.
PAGE = 200_000
HEADS = "".join(
    f"<h2>{trade}</h2><p>The {trade} of the village opens the shop at seven. {'Work. ' * 150}</p>"
    for trade in ("cooper", "weaver", "miller")
)
LONG = "a-very-long-name-without-any-place-to-break-it-" * 4


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


@pytest.fixture(scope="module")
def paths(person: Person, site: Site) -> dict[str, str]:
    """Every kind of page, with something of every kind on it."""
    markup = f"<html><head><title>A village</title></head><body><article>{HEADS}</article></body>"
    page = person.index(site.add(f"/village-{LONG}", Served(f"{markup}</html>".encode())))
    told = b'{"text": "The swift sleeps on the wing. It lands under the eaves of old houses."}'
    spoken = person.index(site.add("/swift.mp3", Served(told, "audio/mpeg")))
    failed = person.finished(
        person.submit(site.add("/broken.mp3", Served(b"no recording", "audio/mpeg")))
    )
    assert failed["status"] == "PROCESSING_ERROR"
    lines = [page["url"], site.url("/nothing-here"), "no url", f"http://{LONG}.test/"]
    sent = person.http.post("/process", data={"urls": "\n".join(lines)}).json()
    return {
        "home": "/",
        "filtered": "/?status=failed",
        "no such": "/?status=SUBMITTED&kind=audio",
        "prefilled": f"/?url={site.address}/more.mp3",
        "recording": f"/assets/{spoken['id']}",
        "page": f"/assets/{page['id']}",
        "marked": f"/assets/{page['id']}?query=the+cooper&at=1",
        "failed": f"/assets/{failed['id']}",
        "import": sent["import"]["address"],
        "imports": "/imports",
        "search": "/search",
        "found": "/search?query=the+shop+of+the+cooper",
        "like": f"/search?like={page['id']}",
        "nothing": "/search?query=swift&kind=audio&before=2001",
        "refused": "/search?query=kind:film+x",
        "events": "/gateway",
        "attempts": "/gateway?show=attempts",
        "requests": "/gateway?show=requests",
        "tools": "/tools",
        "missing": "/nowhere",
    }


OTHER_WINDOWS = pytest.mark.slow("a minute; the narrow window in light colours is seen without it")
# The bytes of each answer with its address, uncompressed.
LOADED = """
performance.getEntries().filter(each => "decodedBodySize" in each)
  .map(each => [each.name, each.decodedBodySize])
"""


@pytest.fixture(
    scope="module",
    params=[
        (360, "light"),
        pytest.param((1280, "dark"), marks=OTHER_WINDOWS),
        pytest.param((360, "dark"), marks=OTHER_WINDOWS),
        pytest.param((1280, "light"), marks=OTHER_WINDOWS),
    ],
    ids=lambda each: f"{each[0]}-{each[1]}",
)
def window(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


PAGES = [
    *("home", "filtered", "no such", "prefilled", "recording", "page", "marked", "failed"),
    *("search", "found", "like", "nothing", "refused", "events", "attempts"),
    *("requests", "tools", "missing"),
]


@pytest.mark.parametrize("name", PAGES)
def test_axe_has_nothing_to_say(
    window: Page, cloud: Cloud, paths: dict[str, str], name: str
) -> None:
    window.goto(f"{cloud.address}{paths[name]}")
    window.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    found = Axe().run(window, options=RULES)
    assert not found.response["violations"], found.generate_report()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(
    window: Page, cloud: Cloud, paths: dict[str, str], name: str
) -> None:
    window.goto(f"{cloud.address}{paths[name]}")
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_and_asks_nobody_else(
    browser: Browser, cloud: Cloud, paths: dict[str, str], name: str
) -> None:
    with browser.new_context() as nothing_cached:
        page = nothing_cached.new_page()
        page.goto(f"{cloud.address}{paths[name]}")
        loaded = dict(page.evaluate(LOADED))
    assert {urlsplit(url).netloc for url in loaded} == {urlsplit(cloud.address).netloc}
    extras = {url: size for url, size in loaded.items() if url.endswith((".js", ".css"))}
    assert 0 < sum(extras.values()) < SCRIPT_AND_STYLE
    assert 0 < sum(loaded.values()) - sum(extras.values()) < PAGE

"""What strangers write is never code: in a real browser, on every page that shows it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape, unescape
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from bson import ObjectId
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Route,
)
from pymongo import MongoClient

from allthethings.web.security import HEADERS
from tests.support.browser import needs_browser
from tests.support.payloads import DORMANT, LIVE, PAYLOADS
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.servers import Server, answer, serving
from tools.harness.waiting import PATIENCE, wait_for

pytestmark = needs_browser

WATCH = """
window.marked = () => report('executed');
addEventListener('securitypolicyviolation', (event) =>
    report(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
# Links and forms that lead into a script, or elsewhere: nothing happens before somebody clicks.
TRAPS = """() => [
    ...[...document.querySelectorAll('a, area, form, button, [src], [data]')]
        .flatMap((one) => [one.href, one.action, one.formAction, one.src, one.data])
        .filter((url) => /^(?!https?:|$)/i.test(url?.toString().trim() ?? '')),
    ...[document.baseURI].filter((url) => new URL(url).host !== location.host)]"""
SETTLE = """() => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"""
# One payload in so many is tested by `make test`.
SAMPLE = 12
OTHERS = pytest.mark.slow("minutes for all of them; some of each sort are tested without it")
FILLER = "The avocet sweeps its bent bill through the shallow water from side to side. " * 3


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


class Watched:
    """A browser's page, and everything in it that a payload has brought about."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.happened: list[str] = []
        self._host = urlsplit(address).netloc
        context.expose_function("report", lambda what: self.happened.append(what))
        context.add_init_script(WATCH)
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("dialog", self._asked)
        self.page.on("pageerror", lambda error: self.happened.append(f"error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("popup", lambda _page: self.happened.append("popup"))
        context.route(lambda url: urlsplit(url).netloc != self._host, self._asked_elsewhere)

    def _asked(self, dialog: Dialog) -> None:
        self.happened.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _heard(self, line: ConsoleMessage) -> None:
        if line.type == "error" and not line.text.startswith("Failed to load resource: the server"):
            self.happened.append(f"console: {line.text}")

    def _asked_elsewhere(self, route: Route) -> None:
        self.happened.append(f"request: {route.request.url}")
        route.abort()

    def look(self, url: str) -> list[str]:
        """Open the page, move over it, and tell what happened; nothing, it is to be hoped."""
        self.happened.clear()
        try:
            self.page.goto(url, wait_until="load")
        except Error as error:  # something else was opened meanwhile
            self.happened.append(f"not opened: {error.message}")
        return self.settled()

    def settled(self) -> list[str]:
        self.page.mouse.move(200, 200)
        self.page.mouse.move(300, 300)
        try:
            self.page.evaluate(SETTLE)
            self.happened += [f"trap: {trap}" for trap in self.page.evaluate(TRAPS)]
        except Error as error:
            self.happened.append(f"left the page: {error.message}")
        return list(self.happened)


@pytest.fixture(scope="module")
def watched(browser: Browser, cloud: Cloud) -> Iterator[Watched]:
    context = browser.new_context()
    yield Watched(context, cloud.address)
    context.close()


# -- the watch itself

# Where careless pages put texts.
ESCAPABLE = [
    "<title>%s</title><p>page",
    "<p>%s</p>",
    '<input value="%s">',
    "<input value='%s'>",
    "<textarea>%s</textarea>",
]
PLACES = [
    *ESCAPABLE,
    '<a href="%s">link</a>',
    "<style>p{color:%s}</style><p>page",
    "<!-- %s --><p>page",
]


@pytest.fixture(scope="module")
def careless(browser: Browser) -> Iterator[tuple[Watched, dict[str, str]]]:
    """Shows the page at `pages["page"]`, with the headers of `pages["headers"]`."""
    pages = {"page": "", "headers": ""}

    def script(connection: socket.socket, head: bytes) -> None:
        headers = ["Content-Type: text/html; charset=utf-8", *pages["headers"].split("\n")]
        found = head.startswith(b"GET / ")
        page = f"<!doctype html>{pages['page']}" if found else ""
        answer(page.encode(), *filter(None, headers))(connection, head)

    with serving(script) as server:
        context = browser.new_context()
        yield Watched(context, pages.setdefault("url", server.url())), pages
        context.close()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(payload, marks=() if number % SAMPLE == 0 else OTHERS)
        for number, payload in enumerate(LIVE)
    ],
)
def test_the_watch_sees_what_is_not_escaped(
    careless: tuple[Watched, dict[str, str]], payload: str
) -> None:
    """The other tests can fail: each payload shows itself where it is not escaped."""
    watched, pages = careless

    def shows_itself(place: str) -> bool:
        pages["page"] = place % payload
        return watched.look(pages["url"]) != []

    assert any(map(shows_itself, PLACES))


def test_the_watch_sees_nothing_in_what_is_escaped(
    careless: tuple[Watched, dict[str, str]],
) -> None:
    watched, pages = careless
    for place in ESCAPABLE:
        pages["page"] = "".join(place % escape(payload) for payload in PAYLOADS)
        assert watched.look(pages["url"]) == []


@pytest.mark.parametrize("payload", ["<script>marked()</script>", "<style>p{color:red}</style>"])
def test_the_watch_sees_what_the_policy_stops(
    careless: tuple[Watched, dict[str, str]], payload: str
) -> None:
    watched, pages = careless
    pages["headers"] = "\n".join(f"{name}: {value}" for name, value in HEADERS.items())
    pages["page"] = f"<p>{payload}"
    happened = watched.look(pages["url"])
    pages["headers"] = ""
    assert "executed" not in happened
    assert any(one.startswith("policy: ") for one in happened)


# -- the pages of the app


def in_url(payload: str) -> str:
    """The payload as the path of a URL that the app takes: no blanks, no control characters."""
    shown = "".join(each if each.isprintable() else quote(each) for each in payload)
    return shown.replace(" ", "/").replace("#", "%23").replace("?", "%3F")


def in_header(payload: str) -> str:
    """The payload as far as a header can hold it."""
    return "".join(each for each in payload if " " <= each <= "~")


@pytest.fixture(scope="module")
def author() -> Iterator[Server]:
    """Has a page and a recording for each payload, by its number."""

    def script(connection: socket.socket, head: bytes) -> None:
        _, kind, number, *_ = head.split(b" ")[1].decode("latin-1").split("/")
        payload = PAYLOADS[int(number)]
        text = escape(payload)
        page = (
            f"<html><head><title>{text}</title></head><body><article><h1>{text}</h1>"
            f"<p>{text} {FILLER}</p><h2>{text}</h2><p>{FILLER} {text}</p></article></body></html>"
        )
        types = {
            "page": f"text/html; charset=utf-8; x={in_header(payload)}",
            "recording": f"audio/{in_header(payload).replace(';', '')}",
            "odd": in_header(payload) or "odd",
        }
        if kind == "recording" and head.startswith(b"GET"):
            server.stopping.wait(600)
        # What no kind knows is refused, with its type in the refusal.
        body = b"\0\1\2\3" if kind == "odd" else page.encode()
        answer(body, f"Content-Type: {types[kind]}")(connection, head)

    with serving(script) as server:
        yield server


# The ids of things by their kind, and by the number of their payload.
Things = dict[str, dict[int, str]]


@dataclass(frozen=True)
class Records:
    """What the database holds of things."""

    client: MongoClient[dict[str, Any]]

    def prediction_of(self, asset_id: str) -> str:
        """The id of the prediction that the thing's text is waited for from."""
        found = self.client["iaat"]["assets"].find_one({"_id": ObjectId(asset_id)})
        assert found is not None
        return str(found["replicate_process_id"])


@pytest.fixture(scope="module")
def records(cloud: Cloud) -> Iterator[Records]:
    client: MongoClient[dict[str, Any]]
    with MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"]) as client:
        yield Records(client)


def numbers_in(session: pytest.Session) -> list[int]:
    """The numbers of the payloads that this run tests, or of all where it names none."""
    tests = [each for each in session.items if isinstance(each, pytest.Function)]
    numbers = {
        each.callspec.params.get("number")
        for each in tests
        if each.module.__name__ == __name__ and hasattr(each, "callspec")
    }
    every = range(len(PAYLOADS))
    return [number for number in every if number in numbers] or list(every)


@pytest.fixture(scope="module")
def things(
    request: pytest.FixtureRequest, person: Person, author: Server, records: Records
) -> Things:
    """For each payload that is tested a page with it everywhere, a transcript of it, a failure."""
    numbers = numbers_in(request.session)

    def url(kind: str, number: int, what: str = "") -> str:
        return author.url(f"/{kind}/{number}/{what}{in_url(PAYLOADS[number])}")

    def page(number: int) -> str:
        return person.submit(url("page", number))

    def transcript(number: int) -> str:
        thing = person.submit(url("recording", number, "spoken/"))
        payload = PAYLOADS[number]
        segments = [
            {"start": at, "end": at + 4.5, "text": text}
            for at, text in enumerate([payload, FILLER, payload])
        ]
        output = {"transcription": f"{payload} {FILLER} {payload}", "segments": segments}
        told = {"id": records.prediction_of(thing), "status": "succeeded", "output": output}
        assert person.call_back(f"audio/{thing}", told).status_code == 200
        return thing

    def failure(number: int) -> str:
        thing = person.submit(url("recording", number, "failed/"))
        told = {"id": records.prediction_of(thing), "status": "failed", "error": PAYLOADS[number]}
        assert person.call_back(f"audio/{thing}", told).status_code == 200
        return thing

    with ThreadPoolExecutor(4) as pool:
        made = {
            make.__name__: dict(zip(numbers, pool.map(make, numbers), strict=True))
            for make in (page, transcript, failure)
        }
    for kind, ids in made.items():
        ends = {person.finished(thing)["status"] for thing in ids.values()}
        assert ends == {"PROCESSING_ERROR" if kind == "failure" else "SEARCHABLE"}
    return made


every_payload = pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=() if number % SAMPLE == 0 else OTHERS)
        for number in range(len(PAYLOADS))
    ],
)


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS)
    assert len(LIVE) >= 25
    assert DORMANT


def test_things_hold_what_was_written(person: Person, things: Things) -> None:
    """So that what the browser sees are the payloads, and not what was left of them."""

    def bare(text: str) -> str:
        """Without blanks and marks that nobody sees, which an HTML parser may drop."""
        seen = (each for each in text if each.isprintable() and not each.isspace())
        return "".join(seen).replace("\N{REPLACEMENT CHARACTER}", "")

    for number in things["page"]:
        payload = PAYLOADS[number]
        wanted = bare(payload)
        spoken = person.asset(things["transcript"][number])
        assert bare(spoken["text"]).startswith(wanted)
        assert wanted in bare(person.asset(things["failure"][number])["error"])
        page = person.asset(things["page"][number])
        assert wanted in bare(page["text"])
        # The extraction decodes titles once more than HTML does.
        assert bare(page["title"]) in (wanted, bare(unescape(payload)))


@every_payload
def test_the_pages_of_things(watched: Watched, cloud: Cloud, things: Things, number: int) -> None:
    for ids in things.values():
        assert watched.look(f"{cloud.address}/assets/{ids[number]}") == []
        assert watched.page.locator("h1").count() == 1


@every_payload
@pytest.mark.usefixtures("things")
def test_search_and_what_is_found(watched: Watched, cloud: Cloud, number: int) -> None:
    payload = PAYLOADS[number]

    def found() -> int:
        assert watched.look(f"{cloud.address}/search?query={quote(payload, safe='')}") == []
        # A query of nothing but excluded words is refused.
        what = "[role=alert]" if payload.startswith("-") else "[data-result]"
        return watched.page.locator(what).count()

    wait_for(found, "results, by a model that has much to do")
    assert watched.page.locator("#query").input_value() == payload.replace("\0", "\ufffd")


@every_payload
def test_refusals_and_error_pages(
    watched: Watched, cloud: Cloud, author: Server, number: int
) -> None:
    payload, page = PAYLOADS[number], watched.page
    assert watched.look(cloud.address) == []
    for url in (payload, f"http://{in_url(payload)}.invalid/", author.url(f"/odd/{number}")):
        page.locator("#url").fill(url)
        with page.expect_navigation(wait_until="load"):
            page.locator("#url").press("Enter")
        assert watched.settled() == []
        assert page.get_by_role("alert").count() == 1
    for path in ("/assets/", "/search?query=" + "long " * 500):
        assert watched.look(cloud.address + path + quote(payload, safe="")) == []


def test_the_home_page_with_all_of_them(watched: Watched, cloud: Cloud, things: Things) -> None:
    assert watched.look(f"{cloud.address}/?per_page=200") == []
    shown = watched.page.locator("[data-asset]")
    ids = shown.evaluate_all("rows => rows.map((row) => row.dataset.asset)")
    assert {*ids} >= {thing for ids in things.values() for thing in ids.values()}


def test_what_the_script_shows_when_it_arrives(
    watched: Watched, cloud: Cloud, person: Person, author: Server, records: Records
) -> None:
    """The page is open, and its script brings it up to date."""
    thing = person.submit(author.url("/recording/0/while-somebody-looks"))
    assert watched.look(f"{cloud.address}/assets/{thing}") == []
    text = " ".join(PAYLOADS)
    told = {
        "id": records.prediction_of(thing),
        "status": "succeeded",
        "output": {"transcription": text, "segments": []},
    }
    assert person.call_back(f"audio/{thing}", told).status_code == 200
    person.finished(thing)
    badge = watched.page.locator("[data-status=SEARCHABLE]")
    badge.first.wait_for()
    assert watched.settled() == []
    assert "<script>marked()</script>" in watched.page.locator(".passages").inner_text()

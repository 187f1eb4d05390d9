"""The gateway's page over the stand-in's real API, with a receiver that fails when told to."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.errors import RequestRefused, ServiceUnavailable
from allthethings.hookdeck.gateway import FRESH, SHORT_TIMEOUT, Gateway
from allthethings.web.security import HEADERS
from tests.allthethings.web.in_memory import HOSTILE, Memory, make_app, make_asset, text_of
from tests.allthethings.web.refusing import refusing
from tests.localcloud.hookdeck.gateway_process import API_KEY, Receiver, Reply
from tests.localcloud.hookdeck.gateway_process import Gateway as StandIn
from tools.harness.servers import answer, serving
from tools.harness.waiting import wait_for

THING = f"{1:024x}"
OTHER = f"{2:024x}"
AS_JSON = {"Accept": "application/json"}
NOWHERE = "http://127.0.0.1:9"
# The app's connections in the Hookdeck project.
NAMES = ["replicate-audio", "replicate-embedding"]
NO_MORE = {"type": "retry", "strategy": "linear", "count": 1, "interval": 3_600_000}


@dataclass
class World:
    """A stand-in with a connection to a receiver, and the app as a browser sees it."""

    gateway: StandIn
    receiver: Receiver
    connection: Any
    client: FlaskClient

    def send(self, path: str, status: int = 200) -> str:
        """Have a callback delivered and answered; its event's id."""
        self.receiver.replies.put(Reply(status))
        request_id = self.gateway.send(self.connection, b"{}", path)

        def delivered() -> str | None:
            events = self.gateway.call("GET", f"/requests/{request_id}/events")["models"]
            return events[0]["id"] if events and events[0]["attempts"] else None

        return str(wait_for(delivered, "a first attempt"))

    def page(self, path: str = "/gateway", code: int = 200) -> html.HtmlElement:
        answer = self.client.get(path)
        assert answer.status_code == code, answer.text
        assert API_KEY not in answer.text
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        return html.document_fromstring(answer.text)

    def entry(self, tree: html.HtmlElement, event_id: str) -> html.HtmlElement:
        (found,) = tree.xpath(f"//*[@data-entry='{event_id}']")
        return found


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("hookdeck")) as gateway:
        yield gateway


@pytest.fixture
def world(stand_in: StandIn) -> Iterator[World]:
    receiver = Receiver()
    things = [make_asset(1, S.PROCESSING, title=HOSTILE), make_asset(2, S.SEARCHABLE)]
    settings = {"hookdeck_api_key": API_KEY, "hookdeck_api_url": stand_in.url}
    client = make_app(Memory(things), **settings).test_client()
    connection = stand_in.connect(f"{receiver.url}/webhooks/audio", NO_MORE, name=NAMES[0])
    yield World(stand_in, receiver, connection, client)
    receiver.close()


def test_without_a_key_there_is_no_page_and_no_link() -> None:
    client = make_app(Memory([make_asset(1, S.SUBMITTED)])).test_client()
    assert client.get("/gateway").status_code == 404
    assert "gateway" not in client.get("/").text.lower()
    assert "/gateway" not in client.get(f"/assets/{THING}").text


def test_an_event_that_failed_is_listed_with_its_thing_and_retried(world: World) -> None:
    failed, well = world.send(f"/{THING}", 503), world.send(f"/{OTHER}")
    tree = world.page("/gateway?status=FAILED")
    entry = world.entry(tree, failed)
    assert not tree.xpath(f"//*[@data-entry='{well}']")
    assert entry.xpath(f".//a[@href='/assets/{THING}#history']/text()") == [HOSTILE]
    said = " ".join(entry.text_content().split())
    for words in ("failed", "1 attempt", "answered 503", "next try", "text"):
        assert words in said
    form = entry.xpath(".//form")[0]
    answer = world.client.post(
        form.get("action"), data=dict(form.fields), headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/gateway?show=events&status=FAILED"
    wait_for(
        lambda: world.gateway.call("GET", f"/events/{failed}")["status"] == "SUCCESSFUL",
        "the delivery",
    )
    tries = world.page(f"/gateway?show=attempts&event={failed}")
    second, first = text_of(tries, "//*[@data-entry]")
    assert "answered 503" in first
    assert "attempt 2" in second
    assert "manual retry" in second


def test_all_that_failed_are_retried_at_once(world: World) -> None:
    failed = [world.send(f"/{THING}", 500) for _ in range(3)]
    answer = world.client.post("/gateway/retry-failed", headers={"Accept": "application/json"})
    assert answer.status_code == 202
    assert "delivered again" in answer.get_json()["message"]

    def delivered() -> bool:
        events = [world.gateway.call("GET", f"/events/{event_id}") for event_id in failed]
        return all(event["status"] == "SUCCESSFUL" for event in events)

    wait_for(delivered, "the deliveries")
    assert world.client.post("/gateway/retry-failed").status_code == 303
    assert "No event has failed." in text_of(world.page(), "//*[@role='status']")


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """Another app, with a connection of its own in the same project."""
    receiver = Receiver()
    connection = world.gateway.connect(f"{receiver.url}/bills", NO_MORE, name="billing")
    yield World(world.gateway, receiver, connection, world.client)
    receiver.close()


def test_what_another_app_of_the_project_has_is_not_listed(world: World, other: World) -> None:
    mine, theirs = world.send(f"/{THING}", 503), other.send("/bill", 503)
    ids = {}
    for event in (mine, theirs):
        request = world.gateway.call("GET", f"/events/{event}")["request_id"]
        (attempt,) = world.gateway.call("GET", "/attempts", event_id=event)["models"]
        ids[event] = [event, request, attempt["id"]]
    for kind, own, foreign in zip(("events", "requests", "attempts"), *ids.values(), strict=True):
        shown = world.page(f"/gateway?show={kind}").xpath("//*[@data-entry]/@data-entry")
        assert own in shown
        assert foreign not in shown
    for path in (f"show=attempts&event={theirs}", f"show=events&request={ids[theirs][1]}"):
        assert not world.page(f"/gateway?{path}").xpath("//*[@data-entry]")


def test_what_failed_for_another_app_is_not_delivered_again(world: World, other: World) -> None:
    mine, theirs = world.send(f"/{THING}", 503), other.send("/bill", 503)
    assert world.client.post("/gateway/retry-failed", headers=AS_JSON).status_code == 202
    wait_for(lambda: status(world, mine) == "SUCCESSFUL", "the app's own")
    answer = world.client.post(f"/gateway/events/{theirs}/retry", headers=AS_JSON)
    assert answer.status_code == 502
    assert "no such event of this app" in answer.get_json()["error"]
    event = world.gateway.call("GET", f"/events/{theirs}")
    assert (event["status"], event["attempts"]) == ("FAILED", 1)


def test_without_a_connection_of_its_own_nothing_is_listed_or_retried(
    world: World, stand_in: StandIn
) -> None:
    """A filter without a value would let everything pass."""
    failed = world.send(f"/{THING}", 503)
    gateway = Gateway(stand_in.url, API_KEY, ["nobody"])
    for ask in (gateway.events, gateway.attempts, gateway.requests):
        with pytest.raises(RequestRefused, match="no connection named nobody"):
            ask({})
    with pytest.raises(RequestRefused, match="create-hookdeck-connections"):
        gateway.retry_failed()
    assert status(world, failed) == "FAILED"


def status(world: World, event_id: str) -> str:
    return str(world.gateway.call("GET", f"/events/{event_id}")["status"])


def test_a_slow_gateway_holds_a_page_no_longer_than_a_silent_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three answers that each take most of the time are not waited for one after the other."""
    now = [0.0]
    monkeypatch.setattr("allthethings.hookdeck.api.time", SimpleNamespace(monotonic=lambda: now[0]))
    moment = "2025-03-01T12:00:00Z"
    event = {"id": "evt_1", "status": "FAILED", "request_id": "req_1", "created_at": moment}
    body = json.dumps({"models": [{**event, "attempts": 2}]}).encode()

    def slow(connection: socket.socket, head: bytes) -> None:
        now[0] += 0.7 * SHORT_TIMEOUT
        answer(body, "Content-Type: application/json", "Connection: close")(connection, head)

    with serving(slow) as server:
        watched = Gateway(server.url(""), API_KEY, NAMES).watch(THING)
        assert watched.trouble == "The gateway is not available: it does not answer in time"
        assert len(server.requests) == 2


def test_pages_follow_the_cursors_of_the_api(world: World) -> None:
    sent = [world.send(f"/{THING}/{number}-{number}") for number in range(30)]
    seen: list[str] = []
    path = f"/gateway?thing={THING}"
    while len(seen) < 200:
        tree = world.page(path)
        seen += tree.xpath("//*[@data-entry]/@data-entry")
        if not (following := tree.xpath("//a[@rel='next']/@href")):
            break
        path = following[0]
    assert [event_id for event_id in seen if event_id in set(sent)] == sent[::-1]
    assert len(seen) == len(set(seen))
    back = world.page(world.page(path).xpath("//a[@rel='prev']/@href")[0])
    assert back.xpath("//*[@data-entry]")


def test_requests_lead_to_their_events(world: World) -> None:
    event_id = world.send(f"/{OTHER}")
    tree = world.page(f"/gateway?show=requests&status=accepted&thing={OTHER}")
    request_id = world.gateway.call("GET", f"/events/{event_id}")["request_id"]
    (link,) = world.entry(tree, request_id).xpath(".//a/@href")
    assert world.entry(world.page(link), event_id) is not None
    assert not world.page("/gateway?show=requests&status=rejected").xpath("//*[@data-entry]")


@pytest.mark.parametrize(
    "query", ["show=x", "status=x", "show=requests&status=FAILED", f"thing={HOSTILE}", "thing=../x"]
)
def test_what_is_no_filter_is_left_out(world: World, query: str) -> None:
    tree = world.page(f"/gateway?{query}")
    assert [script.get("src") for script in tree.iter("script")] == ["/static/app.js"]
    assert not tree.xpath("//a[contains(., 'Show all')]")


@pytest.mark.parametrize("query", ["next=none&status=FAILED", "show=attempts&event=x/../../y"])
def test_what_the_gateway_does_not_know_is_an_empty_list(world: World, query: str) -> None:
    assert "There is nothing here" in text_of(world.page(f"/gateway?{query}"), "//main")[0]


@pytest.mark.parametrize("identity", ["evt_none", "a%2Fb", "%2e%2e", "x" * 200])
def test_an_event_that_is_none_is_not_retried(world: World, identity: str) -> None:
    answer = world.client.post(
        f"/gateway/events/{identity}/retry", headers={"Accept": "application/json"}
    )
    assert answer.status_code in (404, 502)


@pytest.mark.parametrize("path", ["/gateway/retry-failed", "/gateway/events/evt_1/retry"])
def test_another_site_retries_nothing(world: World, path: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
        assert world.client.post(path, headers=headers).status_code == 403
    assert world.client.get(path).status_code in (404, 405)


def test_a_password_is_for_these_pages_too(stand_in: StandIn) -> None:
    settings = {"hookdeck_api_key": API_KEY, "hookdeck_api_url": stand_in.url}
    client = make_app(Memory(), app_password="horse battery", **settings).test_client()
    for path in ("/gateway", "/feed.atom", "/search.atom?query=x", "/opensearch.xml", "/tools"):
        assert client.get(path).status_code == 303, path
    assert client.post("/gateway/retry-failed").status_code == 303
    assert client.get("/feed.atom", auth=("reader", "horse battery")).status_code == 200


def test_the_timeline_has_what_never_reached_the_app(world: World) -> None:
    failed = world.send(f"/{THING}", 503)
    tree = world.page(f"/assets/{THING}")
    (hop,) = tree.xpath(f"//li[@class='failed'][.//code[text()='{failed}']]")
    said = " ".join(hop.text_content().split())
    for words in ("Delivery failed", "attempt 1", "first delivery", "answered 503", "next try"):
        assert words in said
    assert hop.xpath(".//a/@href") == [f"/gateway?show=attempts&event={failed}"]


def test_a_gateway_that_is_away_fails_no_page() -> None:
    settings = {"hookdeck_api_key": API_KEY, "hookdeck_api_url": NOWHERE}
    client = make_app(Memory([make_asset(1, S.SUBMITTED)]), **settings).test_client()
    thing = client.get(f"/assets/{THING}")
    assert thing.status_code == 200
    assert "The gateway is not available: it does not answer." in thing.text
    page = client.get("/gateway")
    assert page.status_code == 503
    assert "it does not answer" in page.text
    assert API_KEY not in page.text
    assert client.post("/gateway/retry-failed").status_code == 303


@pytest.mark.parametrize("status", [200, 302, 401, 404, 422, 429, 500])
def test_strange_answers_have_no_key_in_their_errors(status: int) -> None:
    with refusing(status) as address:
        gateway = Gateway(address, API_KEY, NAMES)
        with pytest.raises((RequestRefused, ServiceUnavailable)) as caught:
            gateway.events({})
        trouble = gateway.watch(THING).trouble
    assert trouble
    assert API_KEY not in trouble + str(caught.value)


def test_a_thing_is_not_asked_for_all_the_time(stand_in: StandIn) -> None:
    now = [100.0]
    gateway = Gateway(stand_in.url, API_KEY, NAMES, lambda: now[0])
    receiver = Receiver()
    connection = stand_in.connect(f"{receiver.url}/webhooks/audio")
    thing = "e" * 24
    assert not gateway.watch(thing).events
    stand_in.send(connection, b"{}", f"/{thing}")
    receiver.wait_for(1)
    receiver.close()
    now[0] += FRESH - 0.1
    assert not gateway.watch(thing).events
    now[0] += 0.2
    assert len(gateway.watch(thing).events) == 1


def test_events_lead_to_the_dashboard_of_hookdeck_itself_only() -> None:
    hookdeck = Gateway("https://api.hookdeck.com", API_KEY, NAMES)
    assert hookdeck.link("evt_1") == "https://dashboard.hookdeck.com/events/evt_1"
    assert hookdeck.link("../evil") == ""
    assert Gateway("http://127.0.0.1:1", API_KEY, NAMES).link("evt_1") == ""
    assert Gateway("https://api.hookdeck.com.evil.test", API_KEY, NAMES).link("evt_1") == ""

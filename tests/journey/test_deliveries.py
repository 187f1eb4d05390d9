"""The way of callbacks as the pages show it, through the local gateway; with quick models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId
from lxml import etree, html
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from pymongo import MongoClient

from tests.localcloud.hookdeck.gateway_process import signed
from tests.support.atom import NAMES, check
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

HTML = {"Accept": "text/html"}
TEXT = "The swift sleeps on the wing and lands only to nest under the eaves of old houses."


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """On a narrow screen; what scripts and the content policy complain of fails the test."""
    tab = browser.new_page(viewport={"width": 360, "height": 700})
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda line: complaints.append(line.text))
    yield tab
    tab.close()
    assert not complaints


def page_of(person: Person, path: str) -> html.HtmlElement:
    answer = person.http.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    assert person.cloud.endpoints["HOOKDECK_PROJECT_API_KEY"] not in answer.text
    return html.document_fromstring(answer.text)


def hops(person: Person, asset_id: str) -> list[str]:
    tree = page_of(person, f"/assets/{asset_id}")
    found = tree.xpath("//*[contains(@class, 'timeline')]//li")
    return [" ".join(hop.text_content().split()) for hop in found]


def spoken(site: Site, name: str) -> str:
    told = json.dumps({"text": f"{TEXT} This is {name}."}).encode()
    return site.add(f"/{name}.mp3", Page(told, "audio/mpeg"))


def test_a_recording_shows_every_hop_of_its_way(person: Person, site: Site) -> None:
    asset = person.index(spoken(site, "hops"))
    story = wait_for(
        lambda: next((s for s in [hops(person, asset["id"])] if "vector" in s[-2]), None),
        "the last callback in the timeline",
    )
    wanted = [
        ("Submitted",),
        ("Prediction created: text",),
        ("Text requested", "prediction "),
        ("Model started: text",),
        ("Model finished: text", " in "),
        ("Callback accepted and queued", "evt_"),
        ("Callback received: text", "evt_", "attempt 1", "signature valid", "sender verified"),
        ("Text received", "1 passage cut"),
        ("Vectors requested", "1 prediction"),
        ("Model finished: the vector of passage 1",),
        ("Callback received: the vector of passage 1", "evt_", "attempt 1", "signature valid"),
        ("All passages embedded: searchable",),
    ]
    for words in wanted:
        assert [hop for hop in story if all(word in hop for word in words)], (words, story)
    assert not [hop for hop in story if "fail" in hop]
    assert [entry["status"] for entry in asset["history"]] == [
        "SUBMITTED",
        "PROCESSING",
        "PROCESSED",
        "GENERATING_EMBEDDINGS",
        "SEARCHABLE",
    ]


def callback(cloud: Cloud, asset_id: str) -> None:
    """Send the gateway what Replicate would, about a thing that is not there yet."""
    payload = {
        "id": f"prediction-of-{asset_id}",
        "status": "succeeded",
        "output": {"transcription": TEXT, "segments": []},
    }
    body = json.dumps(payload).encode()
    headers = signed(body, secret=cloud.endpoints["REPLICATE_WEBHOOKS_SECRET"])
    url = f"{cloud.endpoints['AUDIO_WEBHOOK_URL']}/{asset_id}"
    assert httpx.post(url, content=body, headers=headers).status_code == 200


def put(cloud: Cloud, asset_id: str) -> None:
    """The thing, waiting for its callback; nobody else takes it up."""
    then = datetime.now(UTC)
    asset: dict[str, Any] = {
        "_id": ObjectId(asset_id),
        "url": f"https://example.org/{asset_id}",
        "url_key": f"https://example.org/{asset_id}",
        "content_type": "audio/mpeg",
        "content_length": None,
        "status": "PROCESSING",
        "created_at": then,
        "updated_at": then,
        "lease_until": then + timedelta(hours=1),
        "history": [{"status": "PROCESSING", "at": then}],
        "replicate_process_id": f"prediction-of-{asset_id}",
    }
    uri = cloud.endpoints["MONGODB_CONNECTION_URI"]
    with closing(MongoClient[dict[str, Any]](uri)) as client:
        client["iaat"]["assets"].insert_one(asset)


def failed_events(person: Person, asset_id: str) -> list[html.HtmlElement]:
    tree = page_of(person, f"/gateway?status=FAILED&thing={asset_id}")
    return list(tree.xpath("//*[@data-entry]"))


def test_a_delivery_that_failed_is_shown_and_retried(person: Person, cloud: Cloud) -> None:
    asset_id = str(ObjectId())
    callback(cloud, asset_id)
    (event,) = wait_for(lambda: failed_events(person, asset_id), "the failed event")
    assert "answered 404" in event.text_content()
    put(cloud, asset_id)
    before = hops(person, asset_id)
    assert [hop for hop in before if "Delivery failed" in hop and "answered 404" in hop], before
    form = event.xpath(".//form")[0]
    answer = person.http.post(form.get("action"), data=dict(form.fields), headers=HTML)
    assert answer.status_code == 303
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    wait_for(lambda: not failed_events(person, asset_id), "no failed event")

    def told() -> bool:
        story = hops(person, asset_id)
        event_id = str(event.get("data-entry"))
        again = ("Callback received: text", event_id, "attempt 2", "manual retry")
        return any(all(words in hop for words in again) for hop in story)

    wait_for(told, "the second attempt in the timeline")


def test_a_callback_that_nobody_signed_is_shown_as_refused(
    person: Person, cloud: Cloud, site: Site
) -> None:
    asset = person.index(spoken(site, "forged"))
    url = f"{cloud.endpoints['AUDIO_WEBHOOK_URL']}/{asset['id']}"
    assert httpx.post(url, json={"id": "p1", "status": "succeeded"}).status_code >= 400
    wanted = ("Callback rejected", "verification failed")
    wait_for(
        lambda: [hop for hop in hops(person, asset["id"]) if all(word in hop for word in wanted)],
        "the refusal in the timeline",
        pause=0.5,
    )


def test_what_became_searchable_is_in_the_feed_and_in_that_of_a_search(
    person: Person, cloud: Cloud, site: Site
) -> None:
    first = person.index(spoken(site, "first"))["id"]
    second = person.index(spoken(site, "second"))["id"]

    def entries(path: str) -> list[str]:
        root = etree.fromstring(person.http.get(path).content)
        for link in root.xpath("//a:link", namespaces=NAMES):
            link.set("href", link.get("href").replace("http://", "https://"))
        check(root)
        links = root.xpath("a:entry/a:link[@rel='alternate']/@href", namespaces=NAMES)
        return [link.rpartition("/")[2] for link in links]

    assert entries("/feed.atom")[:2] == [second, first]
    feed = etree.fromstring(person.http.get("/feed.atom").content)
    own = feed.xpath("a:link[@rel='self']/@href", namespaces=NAMES)
    assert own == [f"{cloud.address}/feed.atom"]
    assert "This is second." in str(feed.xpath("string(a:entry[1]/a:summary)", namespaces=NAMES))
    assert entries('/search.atom?query="This is second"') == [second]
    assert person.http.get("/search.atom?query=x&kind=none").status_code == 400


@needs_browser
def test_the_pages_in_a_narrow_browser(tab: Tab, person: Person, cloud: Cloud, site: Site) -> None:
    asset_id = str(ObjectId())
    callback(cloud, asset_id)
    wait_for(lambda: failed_events(person, asset_id), "the failed event")
    put(cloud, asset_id)
    thing = person.index(spoken(site, "narrow"))["id"]
    paths = ["/tools", "/gateway", "/gateway?show=requests", "/gateway?show=attempts"]
    for path in [*paths, f"/assets/{thing}"]:
        tab.goto(cloud.address + path)
        width = tab.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
    tab.goto(f"{cloud.address}/gateway?status=FAILED&thing={asset_id}")
    tab.get_by_role("button", name="Retry evt_").click()
    expect(
        tab.get_by_role("status").filter(has_text="The event is being delivered again.")
    ).to_be_visible()
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    tab.goto(f"{cloud.address}/assets/{asset_id}")
    tab.get_by_text("How it got here").click()
    expect(tab.get_by_text("Callback received: text")).to_be_visible()

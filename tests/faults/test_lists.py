"""Lists and their entries: a podcast, new episodes, lists in lists, what people do with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from allthethings.pipeline.list_entries import UNASKED
from tests.faults.things import Document
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

RSS = "application/rss+xml"
# What each of fifty guests repairs: two words that no other one has together.
THINGS = [
    f"{what} {of}"
    for what in ("wooden", "copper", "woollen", "paper", "glass", "leather")
    for of in (
        "anvils",
        "barges",
        "candles",
        "dykes",
        "easels",
        "gables",
        "hinges",
        "looms",
        "nets",
    )
]


def text_of(name: str) -> str:
    return f"A page of its own about {name}. It tells at length what {name} are for. " * 3


def episode(number: int, address: str, title: str | None = None) -> str:
    return (
        f"<item><title>{title or f'Episode {number}'}</title>"
        f"<enclosure url='{address}' type='audio/mpeg' length='1'/>"
        f"<guid isPermaLink='false'>episode-{number}</guid>"
        "<pubDate>Tue, 04 Mar 2025 09:12:44 GMT</pubDate></item>"
    )


def feed(*items: str, title: str = "A made-up podcast") -> Page:
    head = f"<title>{title}</title><description>About {title}.</description><ttl>30</ttl>"
    body = f"<rss version='2.0'><channel>{head}{''.join(items)}</channel></rss>"
    return Page(body.encode(), RSS)


def page_item(url: str) -> str:
    return f"<item><link>{url}</link></item>"


def add_pages(site: Site, prefix: str, number: int) -> list[str]:
    """So many pages to be listed."""
    return [
        site.add(f"/{prefix}/{each}", Page(text_of(f"{prefix} {each}").encode(), "text/plain"))
        for each in range(number)
    ]


def list_of(person: Person, list_id: str, query: str = "") -> dict[str, Any]:
    answer = person.http.get(f"/imports/{list_id}{query}")
    answer.raise_for_status()
    return dict(answer.json())


def when(person: Person, list_id: str, there: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The list when it is so."""

    def look() -> dict[str, Any] | None:
        answer = person.http.get(f"/imports/{list_id}")
        told = answer.json() if answer.status_code == 200 else None
        return told if told and there(told["import"]) else None

    return wait_for(look, f"list {list_id}", pause=0.2, moved=lambda: person.moved(list_id))


def all_searchable(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda told: told["things"]["searchable"] == number and told["state"] == "done"


def act(person: Person, list_id: str, name: str, data: Mapping[str, str] | None = None) -> int:
    return person.http.post(f"/imports/{list_id}/{name}", data=data).status_code


def exists(person: Person, asset_id: str) -> bool:
    return person.http.get(f"/assets/{asset_id}/state").status_code == 200


def test_a_podcast_of_fifty_episodes_becomes_fifty_things(person: Person, site: Site) -> None:
    """Each is found by what is said in it, and the link opens there."""
    items = []
    for number in range(1, 51):
        said = json.dumps(
            {"text": f"Welcome. The guest of week {number} repairs {THINGS[number]}."}
        )
        address = site.add(f"/podcast/{number}.mp3", Page(said.encode(), "audio/mpeg"))
        items.append(episode(number, address))
    podcast = person.index(site.add("/podcast.xml", feed(*items)))
    told = when(person, podcast["id"], all_searchable(50))
    assert told["import"]["counts"]["indexed"] == 50
    lines = {line["number"]: line for line in told["lines"]}
    twelfth = person.asset(lines[12]["asset_id"])
    assert (twelfth["title"], twelfth["dated"]) == ("Episode 12", "2025-03-04")
    assert twelfth["url"].endswith("/podcast/12.mp3")
    assert podcast["title"] == "A made-up podcast"
    for line in lines.values():
        said = THINGS[line["number"]]
        assert said in person.asset(line["asset_id"])["text"]
    [found] = person.search(f'"repairs {THINGS[12]}"')
    assert found["asset_id"] == twelfth["id"]
    assert found["passages"][0]["link"].startswith(f"{twelfth['url']}#t=")
    page = person.http.get(f"/assets/{twelfth['id']}", headers={"Accept": "text/html"}).text
    assert f"/assets/{podcast['id']}" in page


def test_many_entries_are_confirmed_first(person: Person, site: Site) -> None:
    urls = add_pages(site, "bells", UNASKED + 10)
    asked = person.index(site.add("/bells.xml", feed(*map(page_item, urls), title="Bells")))
    told = when(person, asked["id"], lambda told: told["state"] == "to be confirmed")
    assert told["import"]["counts"]["waiting"] == UNASKED + 10
    page = person.http.get(f"/assets/{asked['id']}", headers={"Accept": "text/html"}).text
    assert f"Index all {UNASKED + 10}" in page
    assert act(person, asked["id"], "confirm", {"first": "x"}) == 400
    assert act(person, asked["id"], "confirm", {"first": "2"}) == 202
    told = when(person, asked["id"], all_searchable(2))
    assert told["import"]["counts"]["left out"] == UNASKED + 8
    assert act(person, asked["id"], "confirm") == 409
    assert act(person, asked["id"], "undo") == 409


def test_what_failed_is_told_with_its_reason(person: Person, site: Site) -> None:
    good, *_ = add_pages(site, "wells", 1)
    bad = site.add("/wells/broken.html", Page(b"<html><body></body></html>"))
    gone = site.url("/wells/gone")
    parent = person.index(site.add("/wells.xml", feed(*map(page_item, (good, bad, gone)))))
    told = when(person, parent["id"], lambda told: told["things"]["failed"] == 1)
    told = when(person, parent["id"], lambda told: told["things"]["searchable"] == 1)
    assert told["import"]["counts"]["refused"] == 1
    page = person.http.get(f"/assets/{parent['id']}", headers={"Accept": "text/html"}).text
    assert "No text was found on this page" in page
    assert "There is nothing at this URL" in page


def test_a_list_that_is_deleted_keeps_its_things_or_takes_them_along(
    person: Person, site: Site
) -> None:
    urls = add_pages(site, "ovens", 4)
    own = person.index(urls[0])
    first = person.index(site.add("/ovens.xml", feed(*map(page_item, urls[:3]))))
    when(person, first["id"], all_searchable(3))
    second = person.index(site.add("/stoves.xml", feed(*map(page_item, urls[1:]))))
    told = when(person, second["id"], all_searchable(3))
    assert sorted(line["outcome"] for line in told["lines"]) == [
        "already indexed",
        "already indexed",
        "indexed",
    ]
    ids = {line["url"]: line["asset_id"] for line in told["lines"]}
    assert person.asset(ids[urls[1]])["url"] == urls[1]

    def without(list_id: str, things: str) -> None:
        answer = person.http.post(f"/assets/{list_id}/delete", data={"things": things})
        assert answer.status_code == 200
        wait_for(
            lambda: person.http.get(f"/imports/{list_id}").status_code == 404, "the list is gone"
        )

    assert (
        person.http.post(f"/assets/{first['id']}/delete", data={"things": "x"}).status_code == 400
    )
    without(first["id"], "delete")
    assert exists(person, own["id"]), "a person sent it"
    assert all(exists(person, ids[url]) for url in urls[1:]), "another list has them"
    without(second["id"], "delete")
    assert exists(person, own["id"])
    wait_for(lambda: not any(exists(person, ids[url]) for url in urls[1:]), "they went along")
    third = person.index(site.add("/kilns.xml", feed(*map(page_item, urls[2:]))))
    told = when(person, third["id"], all_searchable(2))
    without(third["id"], "keep")
    assert all(exists(person, line["asset_id"]) for line in told["lines"])


def test_a_list_of_feeds_leads_to_their_entries_and_no_deeper(person: Person, site: Site) -> None:
    pages = add_pages(site, "drums", 2)
    inner = site.add("/drums/inner.opml", Page(b"<opml><body/></opml>", "text/x-opml"))
    one = site.add("/drums/feed.xml", feed(page_item(pages[0]), page_item(inner)))
    outlines = "".join(f"<outline xmlUrl='{each}'/>" for each in (one, pages[1]))
    opml = (
        f"<opml version='2.0'><head><title>All drums</title></head><body>{outlines}</body></opml>"
    )
    outer = person.index(site.add("/drums.opml", Page(opml.encode(), "text/x-opml")))
    told = when(person, outer["id"], all_searchable(2))
    child = next(line for line in told["lines"] if line["url"] == one)["asset_id"]
    told = when(person, child, all_searchable(1))
    refused = next(line for line in told["lines"] if line["url"] == inner)
    assert "nested too deeply" in refused["message"]
    answer = person.http.post(f"/assets/{outer['id']}/delete", data={"things": "delete"})
    assert answer.status_code == 200
    wait_for(lambda: not exists(person, child), "the inner list")
    wait_for(
        lambda: not {each["url"] for each in person.assets()} & {*pages, one}, "the things in it"
    )


def looked(
    person: Person, site: Site, list_id: str, path: str, page: Page
) -> Callable[[dict[str, Any]], bool]:
    """Serve something else as the list, and look; tells whether the look has ended."""
    site.add(path, page)
    assert act(person, list_id, "look") == 202
    return lambda told: told["look_again_at"] > datetime.now(UTC).isoformat()


@pytest.mark.slow("looks at a feed five times; the tests beside it look once")
def test_new_entries_come_by_themselves(
    person: Person, site: Site, database: Database[Document]
) -> None:
    urls = add_pages(site, "tides", 3)
    first, both, every = (feed(*map(page_item, urls[:number])) for number in (1, 2, 3))
    parent = person.index(site.add("/tides.xml", first))
    key = {"_id": ObjectId(parent["id"])}
    when(person, parent["id"], all_searchable(1))
    planned = datetime.fromisoformat(list_of(person, parent["id"])["import"]["look_again_at"])
    assert timedelta(minutes=20) < planned - datetime.now(UTC) < timedelta(minutes=30)
    site.add("/tides.xml", replace(both, headers={"ETag": '"both"'}))
    database["imports"].update_one(key, {"$set": {"look_again_at": datetime.now(UTC)}})
    when(person, parent["id"], all_searchable(2))
    kept = database["imports"].find_one(key) or {}
    assert kept["version"]["etag"] == '"both"'
    ended = looked(person, site, parent["id"], "/tides.xml", Page(b"", RSS, status=304))
    when(person, parent["id"], ended)
    assert (database["imports"].find_one(key) or {})["looks"]["outcome"] == "unchanged"
    busy = Page(b"", RSS, status=503, headers={"Retry-After": "9000"})
    when(person, parent["id"], looked(person, site, parent["id"], "/tides.xml", busy))
    planned = datetime.fromisoformat(list_of(person, parent["id"])["import"]["look_again_at"])
    assert timedelta(seconds=8_000) < planned - datetime.now(UTC) < timedelta(seconds=9_000)
    page = person.http.get(f"/assets/{parent['id']}", headers={"Accept": "text/html"}).text
    assert "The check failed" in page
    assert "The server answered 503" in page
    assert act(person, parent["id"], "pause") == 202
    assert act(person, parent["id"], "look") == 409
    assert act(person, parent["id"], "resume") == 202
    looked(person, site, parent["id"], "/tides.xml", every)
    told = when(person, parent["id"], all_searchable(3))
    assert [line["url"] for line in told["lines"]] == urls


def test_a_list_that_is_empty_now_stays_as_it_is(person: Person, site: Site) -> None:
    [url] = add_pages(site, "sieves", 1)
    parent = person.index(site.add("/sieves.xml", feed(page_item(url))))
    when(person, parent["id"], all_searchable(1))
    when(person, parent["id"], looked(person, site, parent["id"], "/sieves.xml", feed()))
    told = list_of(person, parent["id"])
    assert told["import"]["things"]["searchable"] == 1
    assert person.asset(parent["id"])["status"] == "SEARCHABLE"


def test_the_links_of_a_page_become_things(person: Person, site: Site) -> None:
    near, *_ = add_pages(site, "knots", 1)
    body = (
        f"<html><title>Knots</title><body><a href='{near}'>Near</a> <a href='http://far.test/'>Far"
    )
    url = site.add("/knots.html", Page(body.encode()))
    answer = person.http.post("/process", data={"url": url, "links": "host"})
    assert answer.status_code == 201, answer.text
    told = when(person, answer.json()["asset"]["id"], all_searchable(1))
    assert [line["url"] for line in told["lines"]] == [near]
    assert person.asset(told["lines"][0]["asset_id"])["title"] == "Near"
    again = person.http.post("/process", data={"url": url, "links": "host"})
    assert again.status_code == 200, "it is indexed already, with these links"
    page = site.add("/hitches.html", Page(body.replace("Knots", "Hitches and bends").encode()))
    person.submit(page)
    for known in (page, url):
        wrong = person.http.post("/process", data={"url": known, "links": "all"})
        assert (wrong.status_code, wrong.json()["error_code"]) == (422, "bad_input")
        assert "already been indexed. These links were not" in wrong.json()["error"]
    text = site.add("/knots.txt", Page(text_of("ropes").encode(), "text/plain"))
    wrong = person.http.post("/process", data={"url": text, "links": "all"})
    assert (wrong.status_code, "web pages have links" in wrong.text) == (422, True)
    person.index(text)
    wrong = person.http.post("/process", data={"url": text, "links": "all"})
    assert (wrong.status_code, "web pages have links" in wrong.text) == (422, True)
    assert person.http.post("/process", data={"url": text, "links": "x"}).status_code == 422

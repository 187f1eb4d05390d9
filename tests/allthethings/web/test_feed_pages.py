"""Feeds, the description of the search, and the bookmark, as they are served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from lxml import etree, html

from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import WHOLE
from allthethings.search.syntax import Query
from allthethings.store.conditions import Condition
from allthethings.web.security import HEADERS
from tests.allthethings.web.in_memory import (
    HOSTILE,
    Memory,
    hostile_world,
    make_app,
    make_asset,
    make_hit,
)
from tests.support.atom import NAMES, check

PATHS = ["/feed.atom", "/search.atom?query=x", "/opensearch.xml", "/tools"]
ROW = {"position": 0, "text": "The bee dances.", "locator": WHOLE, "embedded": True}


def feed(memory: Memory, path: str, **settings: Any) -> Any:
    answer = make_app(memory, **settings).test_client().get(path)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/atom+xml"
    return etree.fromstring(answer.data)


def ids(root: Any) -> list[str]:
    links = root.xpath("a:entry/a:link[@rel='alternate']/@href", namespaces=NAMES)
    return [link.rpartition("/")[2] for link in links]


@pytest.mark.parametrize("path", PATHS)
def test_these_have_the_headers_of_every_answer(path: str) -> None:
    answer = make_app(hostile_world()).test_client().get(path)
    assert answer.status_code == 200
    assert {name: answer.headers.getlist(name) for name in HEADERS} == {
        name: [value] for name, value in HEADERS.items()
    }


def test_the_feed_has_what_is_searchable_newest_first() -> None:
    done = [make_asset(number, S.SEARCHABLE) for number in range(1, 61)]
    root = feed(Memory([*done, make_asset(99, S.PROCESSED)], [ROW]), "/feed.atom")
    check_over_http(root)
    assert ids(root) == [f"{number:024x}" for number in range(60, 10, -1)]
    assert root.xpath("a:entry[1]/a:summary/text()", namespaces=NAMES) == ["The bee dances."]


def check_over_http(root: Any) -> None:
    """As for any feed; the address is that of the test client."""
    for link in root.xpath("//a:link", namespaces=NAMES):
        link.set("href", link.get("href").replace("http://localhost/", "https://things.test/"))
    check(root)


def test_what_strangers_wrote_is_text_in_feeds_too() -> None:
    for path in ("/feed.atom", "/search.atom?query=x"):
        root = feed(hostile_world(), path)
        check_over_http(root)
        assert HOSTILE in root.xpath("//a:title/text()", namespaces=NAMES)


def test_addresses_are_those_that_the_app_is_known_by() -> None:
    memory = Memory([make_asset(1, S.SEARCHABLE)], [ROW])
    root = feed(memory, "/feed.atom", app_url="https://things.example")
    links = root.xpath("//a:link[@rel!='via']/@href", namespaces=NAMES)
    assert len(links) == 3
    assert all(link.startswith("https://things.example/") for link in links)


def test_a_reader_that_has_the_feed_is_told_so() -> None:
    memory = Memory([make_asset(1, S.SEARCHABLE)], [ROW])
    client = make_app(memory).test_client()
    first = client.get("/feed.atom")
    for name, header in (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")):
        again = client.get("/feed.atom", headers={header: first.headers[name]})
        assert (again.status_code, again.data) == (304, b"")
    memory.things = [*memory.things, make_asset(2, S.SEARCHABLE)]
    for name, header in (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")):
        assert client.get("/feed.atom", headers={header: first.headers[name]}).status_code == 200


def test_the_feed_of_a_search_has_its_matches_newest_first() -> None:
    things = [make_asset(number, S.SEARCHABLE) for number in (2, 3, 1)]
    memory = Memory(things, hits=[make_hit("A dance.", 0.7)])
    root = feed(memory, "/search.atom?query=bees&kind=audio&site=radio.test&after=2025&before=2026")
    check_over_http(root)
    assert ids(root) == [f"{number:024x}" for number in (3, 2, 1)]
    (query,) = memory.asked
    assert query == Query(
        "bees",
        filters=(
            Condition("kind", "$eq", "audio"),
            Condition("site", "$eq", "radio.test"),
            Condition("added", "$gte", datetime(2025, 1, 1, tzinfo=UTC)),
            Condition("added", "$lt", datetime(2026, 1, 1, tzinfo=UTC)),
        ),
    )
    assert root.xpath("a:link[@rel='self']/@href", namespaces=NAMES) == [
        "https://things.test/search.atom?query=bees&kind=audio&site=radio.test&after=2025&before=2026"
    ]
    far = Memory(things, hits=[make_hit("A dance.", 0.01)])
    assert not ids(feed(far, "/search.atom?query=bees"))


@pytest.mark.parametrize("query", ["", "query=", "query=x&kind=none", "query=x&after=soon"])
def test_a_bad_search_is_refused_in_words(query: str) -> None:
    answer = make_app(Memory()).test_client().get(f"/search.atom?{query}")
    assert answer.status_code == 400
    words = html.document_fromstring(answer.text).xpath("string(//*[@class='lead'])")
    assert len(words.split()) > 3


def test_pages_tell_of_the_feeds_and_of_the_search() -> None:
    memory = Memory([make_asset(1, S.SEARCHABLE)], hits=[make_hit("A dance.", 0.7)])
    client = make_app(memory).test_client()
    tree = html.document_fromstring(client.get("/search?query=bees&kind=audio").text)
    assert tree.xpath("//head/link[@rel='alternate']/@href") == [
        "/feed.atom",
        "/search.atom?query=bees&kind=audio",
    ]
    assert tree.xpath("//a[text()='Feed of this search']/@href") == [
        "/search.atom?query=bees&kind=audio"
    ]
    (search,) = tree.xpath("//head/link[@rel='search']")
    described = client.get(search.get("href"))
    assert described.mimetype == search.get("type") == "application/opensearchdescription+xml"
    (template,) = etree.fromstring(described.data).xpath(
        "o:Url[@type='text/html']/@template", namespaces=NAMES
    )
    asked = template.replace("{searchTerms}", "bees").removeprefix("http://localhost")
    assert client.get(asked).status_code == 200


def test_a_feed_looks_for_matches_on_some_pages_only() -> None:
    memory = Memory([make_asset(1, S.SEARCHABLE)], hits=[make_hit("A dance.", 0.7)], more=True)
    assert len(ids(feed(memory, "/search.atom?query=bees"))) == 1
    assert len(memory.asked) == 3


@pytest.mark.parametrize("path", ["/search", "/", "/none"])
def test_other_pages_are_no_search_with_a_feed(path: str) -> None:
    memory = Memory([make_asset(1, S.SEARCHABLE)])
    tree = html.document_fromstring(make_app(memory).test_client().get(path).text)
    assert tree.xpath("//head/link[@rel='alternate']/@href") == ["/feed.atom"]


@pytest.mark.parametrize("base", ["https://things.example", "https://a'b\".test"])
def test_the_bookmark_opens_the_form_with_the_address_of_a_page(base: str) -> None:
    page = make_app(Memory(), app_url=base).test_client().get("/tools").text
    (link,) = html.document_fromstring(page).xpath("//*[@class='bookmarklet']/a/@href")
    assert link.startswith("javascript:")
    assert not set("\"<> '") - {"'"} & set(link.replace("=>", ""))
    quoted = base.replace('"', '\\"')
    assert unquote(link) == (
        f'javascript:(()=>{{location.href="{quoted}/?url="+encodeURIComponent(location.href)}})()'
    )

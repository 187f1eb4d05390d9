"""Lists of every kind: how they are recognised, and what none of them may do."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from allthethings.assets.lists import MAX_ENTRIES, with_keys
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import get_asset_processor, recognise
from allthethings.processors.lists import (
    ATOM,
    JSON_FEED,
    LINKS,
    M3U,
    MAX_UNPACKED,
    OPML,
    RSS,
    SITEMAP,
    XSPF,
    ListProcessor,
)
from allthethings.sources.fetch import SNIFFED
from tests.allthethings.processors.kinds import tools
from tests.allthethings.processors.listings import FILES, listing_of, read, rss

OTHERS = pytest.mark.slow("a second each; a feed is read in every run")
BOMB = "".join(
    f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "told", "content_type"),
    [
        ("wordpress.xml", "application/rss+xml", RSS),
        ("wordpress.xml", "text/xml", RSS),
        ("hugo.xml", "application/xml", RSS),
        ("jekyll.xml", "application/xml", ATOM),
        ("blogger.xml", "application/atom+xml", ATOM),
        ("slash.rdf", "application/rdf+xml", RSS),
        ("feed.json", "application/json", JSON_FEED),
        ("subscriptions.opml", "application/octet-stream", OPML),
        ("sitemap.xml", "text/plain", SITEMAP),
        ("sitemaps.xml", "application/xml", SITEMAP),
        ("talks.m3u", "audio/x-mpegurl", M3U),
        ("talks.xspf", "", XSPF),
    ],
)
def test_a_list_is_recognised_whatever_its_server_calls_it(
    name: str, told: str, content_type: str
) -> None:
    first = (FILES / name).read_bytes()[:SNIFFED]
    found = recognise(told, [name], lambda: first)
    assert found == content_type
    assert isinstance(get_asset_processor(found, tools()), ListProcessor)


@pytest.mark.parametrize(
    "told", ["application/gzip", "application/x-gzip", "application/octet-stream"]
)
def test_a_packed_sitemap_is_recognised_and_read(told: str) -> None:
    urls = "".join(f"<url><loc>https://s.example/{n}</loc></url>" for n in range(9_000))
    packed = gzip.compress(f"<urlset>{urls}</urlset>".encode())
    assert recognise(told, ["sitemap.xml.gz"], lambda: packed[:SNIFFED]) == SITEMAP
    assert len(listing_of(packed, SITEMAP).entries) == 9_000
    other = gzip.compress(b"Some words that are no list. " * 400)
    assert ListProcessor.sniff(other[:SNIFFED]) is None


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"<?xml version='1.0'?><feed><entry/></feed>", None),
        (b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>", None),
        (b"<playlist/>", None),
        (b'{"version": "1", "items": []}', None),
        (b"<!-- rss --><html>", None),
        (b"<?xml version='1.0'?><!-- one --><!DOCTYPE rss [<!ENTITY a 'b'>]>\n<rss>", RSS),
    ],
)
def test_other_files_are_no_lists(beginning: bytes, kind: str | None) -> None:
    assert ListProcessor.sniff(beginning) == kind


@pytest.mark.parametrize(
    ("body", "noun"),
    [
        (rss(""), "feed"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title></feed>", "feed"),
        (b"<urlset/>", "sitemap"),
        (b"<opml><body/></opml>", "list of feeds"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": []}', "feed"),
        (rss("<item><title>Nowhere</title></item>"), "feed"),
        (rss("<item><link>javascript:alert(1)</link></item>"), "feed"),
    ],
)
def test_a_list_without_entries_is_refused(body: bytes, noun: str) -> None:
    with pytest.raises(UnusableThing, match=f"This {noun} has no entries") as caught:
        listing_of(body)
    assert caught.value.code is ErrorCode.NO_ENTRIES


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>This feed has moved.</body></html>",
        b"<rss",
        b"<?xml version='1.0'?>",
        b'{"version": "https://jsonfeed.org/version/1", "items": [',
        b'{"version": 7}',
        b"Not found",
        gzip.compress(b"<rss", mtime=0)[:14],
    ],
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(
        UnusableThing, match=r"list cannot be read|Its server calls this|has no entries"
    ):
        read(body, RSS)


def test_long_addresses_that_begin_alike_are_two() -> None:
    alike = f"https://a.example/?{'x' * 1_500}"
    feed = listing_of(rss("".join(f"<item><link>{alike}{each}</link></item>" for each in "ab")))
    assert [each.url[-1] for each in feed.entries] == ["a", "b"]
    assert all(len(each.key) == 64 for each in feed.entries)


def test_characters_that_no_database_keeps_are_replaced() -> None:
    item = r'{"id": "\ud800", "url": "https://a.example/\udfff", "title": "Half \ud800 a pair"}'
    head = r'"version": "https://jsonfeed.org/version/1", "title": "\ud800"'
    feed = listing_of(f'{{{head}, "items": [{item}]}}'.encode())
    [entry] = feed.entries
    for text in (entry.url, entry.key, entry.title, feed.title):
        assert text
        assert text.encode()


def test_an_identifier_that_entries_share_is_none() -> None:
    same = "<item><link>/{}</link><guid isPermaLink='false'>same</guid></item>"
    feed = listing_of(rss(same.format(1) + same.format(2) + same.format(2)))
    assert [each.key for each in feed.entries] == [
        "https://lists.example/1",
        "https://lists.example/2",
    ]
    assert with_keys([]) == []


@pytest.mark.parametrize(
    "body",
    [
        f"<!DOCTYPE rss [<!ENTITY a '{'a' * 99}'>{BOMB}]><rss><channel><item><link>/1</link>"
        "<title>&i;</title></item></channel></rss>",
        f"<!DOCTYPE rss [<!ENTITY a '{'a' * 99}'>{BOMB}]><rss><channel><item><link>/1</link>"
        "<enclosure url='/&i;' type='audio/mpeg'/></item></channel></rss>",
        "<!DOCTYPE rss [<!ENTITY f SYSTEM 'file:///etc/hostname'>]><rss><channel><item>"
        "<link>/1</link><title>&f;</title></item></channel></rss>",
    ],
)
def test_references_that_a_document_declares_are_not_followed(body: str) -> None:
    try:
        entries = listing_of(body.encode()).entries
    except UnusableThing:
        return
    assert [each.url for each in entries] == ["https://lists.example/1"]
    assert entries[0].title in (None, "&f;")


def an_rss(number: int) -> bytes:
    item = (
        "<item><title>Entry {0} of a long feed</title><link>https://a.example/{0}</link>"
        "<guid isPermaLink='false'>urn:{0}</guid><description>Some words.</description>"
        "<pubDate>Tue, 04 Mar 2025 09:12:44 GMT</pubDate></item>"
    )
    return rss("".join(item.format(each) for each in range(number)))


def a_sitemap(number: int) -> bytes:
    urls = "".join(f"<url><loc>https://a.example/{each}</loc></url>" for each in range(number))
    return f"<urlset>{urls}</urlset>".encode()


def a_json_feed(number: int) -> bytes:
    items = ",".join(
        f'{{"id": "{each}", "url": "https://a.example/{each}"}}' for each in range(number)
    )
    return f'{{"version": "https://jsonfeed.org/version/1", "items": [{items}]}}'.encode()


def a_playlist(number: int) -> bytes:
    return ("#EXTM3U\n" + "".join(f"https://a.example/{each}\n" for each in range(number))).encode()


def a_page(number: int) -> bytes:
    return "".join(
        f"<a href='https://a.example/{each}'>{each}</a>" for each in range(number)
    ).encode()


@pytest.mark.parametrize(
    ("made", "content_type"),
    [
        (an_rss, RSS),
        pytest.param(a_sitemap, SITEMAP, marks=OTHERS),
        pytest.param(a_json_feed, JSON_FEED, marks=OTHERS),
        pytest.param(a_playlist, M3U, marks=OTHERS),
        pytest.param(a_page, LINKS, marks=OTHERS),
    ],
)
def test_of_a_hundred_thousand_entries_the_first_are_taken(
    made: Callable[[int], bytes], content_type: str
) -> None:
    content = read(made(100_000), content_type)
    assert content.listing is not None
    assert len(content.listing.entries) == MAX_ENTRIES
    assert content.listing.more == 100_000 - MAX_ENTRIES
    assert content.remark == "It has 100,000 entries. The first 10,000 were taken."


def test_what_unpacks_to_too_much_is_refused() -> None:
    packed = gzip.compress(b"<urlset>" + b" " * MAX_UNPACKED)
    with pytest.raises(UnusableThing, match="unpacks to more than 64 MB") as caught:
        read(packed, SITEMAP)
    assert caught.value.code is ErrorCode.TOO_LARGE

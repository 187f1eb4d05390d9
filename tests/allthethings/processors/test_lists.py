"""Lists as different programs write them, and what their entries become."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from allthethings.assets.lists import MAX_ENTRIES, Entry, Listing, with_keys
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content, get_asset_processor, recognise
from allthethings.processors.lists import (
    ATOM,
    JSON_FEED,
    LINKS,
    LINKS_OF_HOST,
    M3U,
    MAX_UNPACKED,
    OPML,
    RSS,
    SITEMAP,
    XSPF,
    ListProcessor,
)
from allthethings.sources.fetch import SNIFFED, Download
from tests.allthethings.processors.kinds import tools

OTHERS = pytest.mark.slow("a second each; a feed is read in every run")
FILES = Path(__file__).parent / "lists"
AT = "https://lists.example/some/list"
BOMB = "".join(
    f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def read(body: bytes, content_type: str = "") -> Content:
    """As it is read in a process of its own."""
    return ListProcessor(tools()).read(Download(AT, body, None, content_type))


def listing_of(body: bytes, content_type: str = "") -> Listing:
    listing = ListProcessor.parse(Download(AT, body, None, content_type)).listing
    assert listing is not None
    return listing


def of_file(name: str, content_type: str = "") -> Listing:
    return listing_of((FILES / name).read_bytes(), content_type)


def rss(items: str, head: str = "") -> bytes:
    return f"<rss version='2.0'><channel><title>T</title>{head}{items}</channel></rss>".encode()


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


def test_wordpress() -> None:
    feed = of_file("wordpress.xml")
    assert (feed.noun, feed.title, feed.wait) == ("feed", "The Heron Post", 1_800)
    assert feed.description == "News of a wet meadow – and its birds"
    assert feed.entries == [
        Entry(
            "https://heron.example/2025/03/neck/",
            "What the heron’s neck is for & what it is not",
            "Ines Marsh",
            "2025-03-04",
            "https://heron.example/?p=118",
        ),
        Entry(
            "https://heron.example/2025/02/mowing/?a=1&b=2",
            "Mowing late",
            "Ines Marsh",
            "2025-02-02",
            "https://heron.example/?p=101",
        ),
    ]


def test_jekyll() -> None:
    feed = of_file("jekyll.xml")
    assert (feed.title, feed.description, feed.author) == (
        "Kiln notes",
        "Glazes that went wrong.",
        "Toma Ash",
    )
    [entry] = feed.entries
    assert (entry.url, entry.title) == (
        "https://kiln.example/2025/01/09/copper.html",
        "Cone 6 & copper",
    )
    assert (entry.author, entry.dated) == ("Toma Ash", "2025-01-09")


def test_hugo_whose_second_item_has_its_address_as_identifier_alone() -> None:
    feed = of_file("hugo.xml")
    assert [entry.url for entry in feed.entries] == [
        "https://boats.example/posts/caulking/",
        "https://boats.example/posts/oars/",
    ]
    assert feed.entries[1].dated == "2025-01-09"


def test_blogger() -> None:
    [entry] = of_file("blogger.xml").entries
    assert (entry.url, entry.title, entry.author, entry.dated) == (
        "https://box.example/2025/02/thyme.html",
        "Thyme",
        "Petra",
        "2025-02-11",
    )


def test_a_podcast_whose_entries_are_its_recordings() -> None:
    content = read((FILES / "buzzsprout.xml").read_bytes())
    feed = content.listing
    assert feed is not None
    assert (feed.noun, feed.title, feed.wait) == ("podcast", "Two Minutes of Moss", 3_600)
    assert content.text == "A short podcast on small green things."
    assert (content.title, content.author) == ("Two Minutes of Moss", "Ola Fern")
    assert feed.entries[0] == Entry(
        "https://www.sprout.example/1/episodes/22-peat.mp3?x=1&y=2",
        "2. Peat",
        "Ola Fern",
        "2025-03-03",
        "Sprout-22",
    )
    assert feed.entries[1].url == "https://www.sprout.example/1/episodes/21-spores.mp3"


def test_youtube() -> None:
    feed = of_file("youtube.xml")
    assert feed.noun == "feed"
    assert [(each.url, each.title, each.dated) for each in feed.entries] == [
        ("https://www.youtube.com/watch?v=abc", "A verge escapement", "2025-01-18")
    ]


def test_mediawiki() -> None:
    [entry] = of_file("mediawiki.xml").entries
    assert entry.url == "https://wiki.example/w/index.php?title=Thatch&diff=5&oldid=4"
    assert (entry.author, entry.dated) == ("Reed", "2025-03-01")


def test_rss_1_with_names_of_characters_that_xml_does_not_know() -> None:
    feed = of_file("slash.rdf")
    assert (feed.title, feed.wait) == ("Old news", 7 * 86_400)
    assert feed.entries == [
        Entry(
            "https://old.example/1", "Cafés close", "CmdrTea", "2004-05-06", "https://old.example/1"
        )
    ]


def test_json_feed() -> None:
    feed = of_file("feed.json")
    assert (feed.title, feed.description, feed.left_out) == (
        "Paper boats",
        "Folding, and floating.",
        1,
    )
    assert feed.entries == [
        Entry("https://lists.example/two", "Wax", None, "2025-01-02", "2"),
        Entry("https://elsewhere.example/one", None, "Ada", None, "1"),
        Entry("https://paper.example/zero.m4a", None, None, None, "0"),
    ]


def test_opml_leads_to_feeds_first_and_its_folders_are_not_missed() -> None:
    feed = of_file("subscriptions.opml")
    assert [(each.url, each.title) for each in feed.entries] == [
        ("https://heron.example/feed/", "The Heron Post"),
        ("https://kiln.example/feed.xml", "Kiln notes"),
        ("https://boats.example/", "A page"),
    ]
    assert (feed.title, feed.left_out) == ("Morning reading", 1)


def test_sitemaps() -> None:
    pages = of_file("sitemap.xml")
    assert [each.url for each in pages.entries] == [
        "https://shop.example/",
        "https://shop.example/a?b=1&c=2",
    ]
    assert [each.dated for each in pages.entries] == [None, None]
    several = of_file("sitemaps.xml")
    assert several.noun == "list of sitemaps"
    assert len(several.entries) == 2
    assert read((FILES / "sitemap.xml").read_bytes()).text == "A sitemap of lists.example."


def test_playlists() -> None:
    songs = of_file("talks.m3u", M3U)
    assert (songs.title, songs.left_out) == ("Evening talks", 1)
    assert [(each.url, each.title) for each in songs.entries] == [
        ("https://lists.example/some/looms.mp3", "Ada - Looms"),
        ("https://cdn.example/engines.mp3", "Engines, again"),
        ("https://lists.example/some/other/plain.ogg", None),
    ]
    tracks = of_file("talks.xspf")
    assert (tracks.title, tracks.description, tracks.left_out) == (
        "Evening talks",
        "Four of them.",
        1,
    )
    assert tracks.entries[0] == Entry(
        "https://cdn.example/looms.mp3", "Looms", "Ada", None, "https://cdn.example/looms.mp3"
    )
    assert tracks.entries[1].url == "https://lists.example/b.ogg"


def test_the_pieces_of_a_stream_are_refused_in_words() -> None:
    stream = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.9,\nfirst.ts\n"
    with pytest.raises(UnusableThing, match="stream in segments"):
        read(stream, M3U)


def test_the_links_of_a_page() -> None:
    page = of_file("news.html", LINKS)
    assert (page.title, page.description) == ("Today's links", "Chosen by nobody.")
    assert [(each.url, each.title) for each in page.entries] == [
        ("https://lists.example/some/vote?id=1", "▲"),
        ("https://far.example/story", "A story"),
        ("https://lists.example/some/from?site=far.example", "far.example"),
        ("https://lists.example/some/item?id=1", "41 comments"),
    ]
    own = of_file("news.html", LINKS_OF_HOST)
    assert {each.url.split("/")[2] for each in own.entries} == {"lists.example"}
    assert len(own.entries) == 3


def test_a_page_without_links_is_refused() -> None:
    with pytest.raises(UnusableThing, match="has no entries") as caught:
        read(b"<html><body>Words.", LINKS)
    assert caught.value.code is ErrorCode.NO_ENTRIES


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


def test_a_feed_that_breaks_off_gives_what_it_has() -> None:
    body = rss("<item><link>https://a.example/1</link></item><item><link>https://a.exa")
    feed = listing_of(body[: body.index(b"</channel>")])
    assert feed.entries[0].url == "https://a.example/1"


def test_marks_of_html_are_no_part_of_a_title() -> None:
    items = (
        "<item><title>&lt;b&gt;Bold&lt;/b&gt; &amp;amp; plain</title><link>/1</link></item>"
        "<item><title><![CDATA[3 < 4 & <i>so</i>]]></title>"
        "<link><![CDATA[/2?a=1&b=2]]></link></item>"
        f"<item><title>{'long ' * 400}</title><link>/3</link></item>"
    )
    first, second, third = listing_of(rss(items)).entries
    assert first.title == "Bold & plain"
    assert second.url == "https://lists.example/2?a=1&b=2"
    assert second.title
    assert "<" not in second.title.replace("3 <", "")
    assert third.title
    assert len(third.title) <= 300


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("Tue, 04 Mar 2025 09:12:44 GMT", "2025-03-04"),
        ("4 Mar 2025 09:12:44 EST", "2025-03-04"),
        ("2025-03-04T09:12:44.000+01:00", "2025-03-04"),
        ("2025-03-04", "2025-03-04"),
        ("yesterday", None),
        ("Tue, 99 Mar 2025 99:12:44 GMT", None),
    ],
)
def test_dates(date: str, day: str | None) -> None:
    item = f"<item><link>/1</link><pubDate>{date}</pubDate></item>"
    assert listing_of(rss(item)).entries[0].dated == day


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("ann@a.example (Ann Able)", "Ann Able"),
        ("ann@a.example", "ann@a.example"),
        ("Ann", "Ann"),
        ("", None),
    ],
)
def test_authors(author: str, name: str | None) -> None:
    item = f"<item><link>/1</link><author>{author}</author></item>"
    assert listing_of(rss(item)).entries[0].author == name


@pytest.mark.parametrize(
    ("head", "wait"),
    [
        ("<ttl>15</ttl>", 900),
        ("<ttl>soon</ttl>", None),
        ("<ttl>99999999999</ttl>", None),
        ("", None),
    ],
)
def test_how_long_a_feed_says_to_wait(head: str, wait: float | None) -> None:
    assert listing_of(rss("<item><link>/1</link></item>", head)).wait == wait


def test_bases_and_other_recordings() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://b.example/x/">
    <entry xml:base="y/"><link href="page"/><link rel="enclosure" href="talk.MP3?t=1"/></entry>
    <entry><content src="whole.html"/></entry><entry><link rel="edit" href="z"/></entry></feed>"""
    feed = listing_of(body)
    assert [each.url for each in feed.entries] == [
        "https://b.example/x/y/talk.MP3?t=1",
        "https://b.example/x/whole.html",
    ]
    assert feed.left_out == 1
    media = rss(
        "<item><link>/p</link><m:group xmlns:m='http://search.yahoo.com/mrss/'>"
        "<m:content url='/film.mp4' type='video/mp4'/></m:group></item>"
    )
    assert listing_of(media).entries[0].url == "https://lists.example/film.mp4"


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

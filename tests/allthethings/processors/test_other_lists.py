"""Lists of feeds, sitemaps, playlists and the links of pages."""

from __future__ import annotations

import pytest

from allthethings.assets.lists import Entry
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.lists import (
    LINKS,
    LINKS_OF_HOST,
    M3U,
)
from tests.allthethings.processors.listings import FILES, of_file, read


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
    assert read((FILES / "sitemap.xml").read_bytes()).text == "A sitemap from lists.example."


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

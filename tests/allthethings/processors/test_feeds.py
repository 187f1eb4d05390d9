"""Feeds as different programs write them, and what their entries become."""

from __future__ import annotations

import pytest

from allthethings.assets.lists import Entry
from tests.allthethings.processors.listings import FILES, listing_of, of_file, read, rss


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

"""Feeds are valid Atom, whatever the things are called."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from allthethings.web.atom import (
    ATOM,
    MAX_SUMMARY,
    OPENSEARCH,
    SHORT_NAME,
    Entry,
    Feed,
    atom,
    clean,
    identity,
    opensearch,
    shortened,
)
from tests.support.atom import NAMES, check

AT = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
THING = "0123456789abcdef01234567"


def make_entry(**changed: Any) -> Entry:
    fields: dict[str, Any] = {
        "asset_id": THING,
        "title": "Bees & flowers",
        "page": f"https://things.test/assets/{THING}",
        "original": "https://radio.test/bees.mp3?a=1&b=2",
        "content_type": "audio/mpeg",
        "kind": "audio",
        "published": AT,
        "updated": AT + timedelta(seconds=5),
        "summary": "A dance.",
        **changed,
    }
    return Entry(**fields)


def parsed(*entries: Entry, title: str = "Things") -> Any:
    feed = Feed(title, "https://things.test/feed.atom", "https://things.test/", entries)
    return etree.fromstring(atom(feed))


def test_a_feed_has_what_atom_wants() -> None:
    root = parsed(make_entry(), make_entry(asset_id="f" * 24))
    check(root)
    assert root.xpath("a:link[@rel='self']/@href", namespaces=NAMES) == [
        "https://things.test/feed.atom"
    ]
    assert root.findtext(f"{{{ATOM}}}updated") == "2025-03-01T12:30:05.000Z"
    entry = root.find(f"{{{ATOM}}}entry")
    assert entry.xpath("a:link[@rel='via']/@href", namespaces=NAMES) == [
        "https://radio.test/bees.mp3?a=1&b=2"
    ]
    assert entry.findtext(f"{{{ATOM}}}summary") == "A dance."


def test_a_feed_without_entries_is_one_too() -> None:
    check(parsed())


def test_ids_stay_as_they_are() -> None:
    assert identity(THING) == "urn:uuid:dd847b77-c63c-507c-9a3f-b9fecaa7e41d"
    here = parsed(make_entry(page="https://one.test/x", title="a"))
    there = parsed(make_entry(page="https://two.test/y", title="b"), title="Others")
    path = "a:entry/a:id/text()"
    assert here.xpath(path, namespaces=NAMES) == there.xpath(path, namespaces=NAMES)
    feed = Feed("Things", "https://things.test/feed.atom", "https://things.test/", [make_entry()])
    assert atom(feed) == atom(feed)


PAGE = f"https://things.test/assets/{THING}"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("\x00\x01\x08\x0b\x1f", PAGE),
        ("", PAGE),
        (" \n", PAGE),
        ("a\x00b\ud800c\ufffed\uffffe", "abcde"),
        ("]]><script>alert(1)</script><!--", "]]><script>alert(1)</script><!--"),
        ('"><entry/>&amp;&#0;', '"><entry/>&amp;&#0;'),
        ("\U0001f41d", "\U0001f41d"),
    ],
)
def test_hostile_titles_are_text(title: str, shown: str) -> None:
    root = parsed(make_entry(title=title, summary=title, kind=title))
    check(root)
    assert root.findtext(f"{{{ATOM}}}entry/{{{ATOM}}}title") == shown
    assert root.findtext(f"{{{ATOM}}}entry/{{{ATOM}}}summary") == clean(title).strip()
    assert not root.xpath("//*[local-name()='script']")


@given(st.text(alphabet=st.characters(max_codepoint=sys.maxunicode, categories=None)))
def test_any_text_can_be_read_back(text: str) -> None:
    root = parsed(make_entry(title=f"x{text}"))
    shown = root.findtext(f"{{{ATOM}}}entry/{{{ATOM}}}title")
    assert shown == clean(f"x{text}").strip()


def test_times_are_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    root = parsed(make_entry(updated=datetime(2025, 3, 1, 14, 30, tzinfo=there)))
    assert root.findtext(f"{{{ATOM}}}updated") == "2025-03-01T12:30:00.000Z"


def test_only_an_address_becomes_a_link() -> None:
    assert not parsed(make_entry(original="")).xpath("//a:link[@rel='via']", namespaces=NAMES)


def test_long_texts_are_cut_between_words() -> None:
    text = "the bee dances\n " * 100
    assert len(shortened(text)) <= MAX_SUMMARY + 2
    assert shortened(text).endswith((" the …", " bee …", " dances …"))
    assert shortened("x" * 1_000).endswith(" …")
    assert shortened(" a\n b ") == "a b"


def test_the_search_is_described_as_opensearch_wants_it() -> None:
    pages = {"text/html": "https://things.test/search?query={searchTerms}"}
    described = opensearch("https://things.test", pages, "https://things.test/mark.svg", "/self")
    root = etree.fromstring(described)
    assert root.tag == f"{{{OPENSEARCH}}}OpenSearchDescription"
    assert root.findtext(f"{{{OPENSEARCH}}}ShortName") == SHORT_NAME
    assert 1 <= len(SHORT_NAME) <= 16
    assert 1 <= len(root.findtext(f"{{{OPENSEARCH}}}Description")) <= 1024
    assert root.xpath("o:Url[@type='text/html']/@template", namespaces=NAMES) == [
        "https://things.test/search?query={searchTerms}"
    ]

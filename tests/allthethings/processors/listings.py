"""Lists as the tests read them: files of different programs, and lists that are made here."""

from __future__ import annotations

from pathlib import Path

from allthethings.assets.lists import Listing
from allthethings.processors import Content
from allthethings.processors.lists import ListProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools

FILES = Path(__file__).parent / "lists"
AT = "https://lists.example/some/list"


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

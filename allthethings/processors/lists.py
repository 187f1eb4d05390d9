"""Lists of things: feeds, podcasts, sitemaps, playlists, and the links of a web page."""

from __future__ import annotations

import zlib
from typing import ClassVar
from urllib.parse import urlsplit

from allthethings.assets import locators
from allthethings.assets.lists import Listing
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import other_lists, xml_lists
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.magic import CONTROLS
from allthethings.processors.processor import Content, Words, svg
from allthethings.sources.charsets import text_of
from allthethings.sources.fetch import SNIFFED, Download

RSS, ATOM, OPML = "application/rss+xml", "application/atom+xml", "text/x-opml"
JSON_FEED, M3U, XSPF = (
    "application/feed+json",
    "application/vnd.apple.mpegurl",
    "application/xspf+xml",
)
SITEMAP = "application/x-sitemap+xml"
# A web page whose links are to be indexed: all of them, or those of its own host. No server sends
# these: who submits a page chooses them.
LINKS, LINKS_OF_HOST = "application/x-links+html", "application/x-host-links+html"
# What may stand before the root of an XML document.
PROLOG = (
    rb"(?i)(?:\xef\xbb\xbf)?"
    rb"(?>(?:\s|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*(?:\[[^\]]*\]\s*)?>)*)<(?:[\w.-]+:)?"
)
GZIP = b"\x1f\x8b"
# Bytes of a list when it is unpacked.
MAX_UNPACKED = 64 * 1024 * 1024


class ListProcessor(DocumentProcessor):
    """A list by what it says of itself. Its entries become things of their own."""

    kind: ClassVar = "list"
    accepts: ClassVar = (
        *(RSS, ATOM, JSON_FEED, OPML, SITEMAP, XSPF, M3U, LINKS, LINKS_OF_HOST),
        *("text/opml", "application/x-opml+xml", "application/x-mpegurl"),
    )
    signatures: ClassVar = {
        RSS: PROLOG + rb"(?:rss\b|rdf\b[^>]*(?:purl\.org/rss/|my\.netscape\.com/rdf/))",
        ATOM: PROLOG + rb"feed\b[^>]*(?:w3\.org/2005/atom|purl\.org/atom/)",
        OPML: PROLOG + rb"opml\b",
        SITEMAP: PROLOG + rb"(?:urlset|sitemapindex)\b",
        XSPF: PROLOG + rb"playlist\b[^>]*xspf\.org",
        JSON_FEED: rb'(?:\xef\xbb\xbf)?\s*\{.{0,3000}?"version"\s*:\s*'
        rb'"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/version',
        M3U: rb"(?:\xef\xbb\xbf)?#EXTM3U",
    }
    suffixes: ClassVar = {
        ".rss": RSS,
        ".atom": ATOM,
        ".opml": OPML,
        ".m3u": M3U,
        ".m3u8": M3U,
        ".xspf": XSPF,
    }
    is_text: ClassVar = True
    # What becomes of a list is that entries come; `pipeline.following` looks for those.
    looked_at_again: ClassVar = False
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "list"
    no_text: ClassVar = "This list cannot be read."
    words: ClassVar = Words(
        submitted="Being read", running="Being read", share="{:.0%}", text="The description"
    )
    mark: ClassVar = svg("M2 4h1M6 4h8M2 8h1M6 8h8M2 12h1M6 12h8")
    preload: ClassVar = ("chardet", "lxml.etree")

    @classmethod
    def sniff(cls, first: bytes) -> str | None:
        """As for other kinds; a list in XML may be packed with gzip, as sitemaps are."""
        if first.startswith(GZIP):
            first = _unpacked(first, SNIFFED)
        return super().sniff(first)

    @staticmethod
    def parse(document: Download) -> Content:
        """What the list says of itself, and its entries. Raises UnusableThing where it has
        none."""
        listing = _listing(document)
        if listing is None:
            return Content((), "")
        if not listing.entries:
            raise UnusableThing(f"This {listing.noun} has no entries.", ErrorCode.NO_ENTRIES)
        title = listing.title
        about = listing.description or f"A {listing.noun} from {urlsplit(document.url).hostname}."
        heading = title or listing.noun.capitalize()
        return Content(
            (Piece(about, locators.under(heading)),),
            about,
            title,
            listing.author,
            remark=_remark(listing),
            listing=listing,
        )


def _listing(document: Download) -> Listing | None:
    body = document.body
    if body.startswith(GZIP):
        body = _unpacked(body, MAX_UNPACKED)
    text = text_of(body, document.charset, markup=True).removeprefix("\ufeff")
    if document.content_type in (LINKS, LINKS_OF_HOST):
        same_host = document.content_type == LINKS_OF_HOST
        return other_lists.read_links(text, document.url, same_host=same_host)
    if CONTROLS.search(text):
        return None
    start = text.lstrip()[:1]
    if start == "{":
        return other_lists.read_json(text, document.url)
    if start == "<":
        return xml_lists.read_xml(text, document.url)
    if document.content_type in (M3U, "application/x-mpegurl"):
        return other_lists.read_m3u(text, document.url)
    return None


def _unpacked(body: bytes, most: int) -> bytes:
    """At most so many bytes of what was packed with gzip; those before the first that is damaged.
    Raises UnusableThing for a whole list that is larger."""
    packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = packed.decompress(body, most + 1)
    except zlib.error:
        return b""
    if len(unpacked) > MAX_UNPACKED:
        message = f"This list unpacks to more than {MAX_UNPACKED >> 20:,} MB."
        raise UnusableThing(message, ErrorCode.TOO_LARGE)
    return unpacked[:most]


def _remark(listing: Listing) -> str | None:
    """What of the list was not taken."""
    told = []
    if listing.more:
        many = len(listing.entries) + listing.more
        told.append(f"It has {many:,} entries. The first {len(listing.entries):,} were taken.")
    if listing.left_out:
        have = "has" if listing.left_out == 1 else "have"
        told.append(f"{listing.left_out:,} of its entries {have} no web address.")
    return " ".join(told) or None

"""Atom feeds (RFC 4287) and the OpenSearch 1.1 description, as XML."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"
ATOM_TYPE = "application/atom+xml"
OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
OPENSEARCH_TYPE = "application/opensearchdescription+xml"
NAME = "Index All The Things"
# OpenSearch allows 16 characters.
SHORT_NAME = "Index All Things"
# Characters of an entry's summary.
MAX_SUMMARY = 500
# When a feed with no entries changed last: a feed has to say so.
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
# The namespace of the ids of assets in feeds.
_ASSETS = uuid.UUID("6f1c1b0e-52a7-4b0e-9d52-6a2f7f2c9a41")
# Characters that XML 1.0 does not allow.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """An asset in a feed. `original` is its own URL, empty if a page may not link to it."""

    asset_id: str
    title: str
    page: str
    original: str
    content_type: str
    kind: str
    published: datetime
    updated: datetime
    summary: str


@dataclass(frozen=True)
class Feed:
    """`address` is the feed's own URL, `page` the URL of the page whose content it follows."""

    title: str
    address: str
    page: str
    entries: Sequence[Entry]

    @property
    def updated(self) -> datetime:
        return max((entry.updated for entry in self.entries), default=BEFORE_ALL)


def atom(feed: Feed) -> bytes:
    """The feed as a document in UTF-8; the same feed always makes the same bytes."""
    root = etree.Element(_atom("feed"), nsmap={None: ATOM})
    _add(root, "id", uuid.uuid5(uuid.NAMESPACE_URL, feed.address).urn)
    _add(root, "title", feed.title)
    _add(root, "updated", stamp(feed.updated))
    _add(etree.SubElement(root, _atom("author")), "name", NAME)
    _link(root, "self", feed.address, ATOM_TYPE)
    _link(root, "alternate", feed.page, "text/html")
    for entry in feed.entries:
        _entry(etree.SubElement(root, _atom("entry")), entry)
    return _document(root)


def _entry(into: etree._Element, entry: Entry) -> None:
    _add(into, "id", identity(entry.asset_id))
    _add(into, "title", clean(entry.title).strip() or entry.page)
    _add(into, "published", stamp(entry.published))
    _add(into, "updated", stamp(entry.updated))
    _link(into, "alternate", entry.page, "text/html")
    if entry.original:
        _link(into, "via", entry.original, entry.content_type)
    etree.SubElement(into, _atom("category"), term=clean(entry.kind))
    _add(into, "summary", shortened(entry.summary))


def identity(asset_id: str) -> str:
    """The id of an asset in every feed; it does not depend on the app's URL."""
    return uuid.uuid5(_ASSETS, asset_id).urn


def opensearch(base: str, pages: Mapping[str, str], icon: str, address: str) -> bytes:
    """How a browser searches here: `pages` are URL templates by media type."""
    root = etree.Element(f"{{{OPENSEARCH}}}OpenSearchDescription", nsmap={None: OPENSEARCH})

    def add(name: str, text: str | None = None, **attributes: str) -> None:
        element = etree.SubElement(root, f"{{{OPENSEARCH}}}{name}", attributes)
        element.text = None if text is None else clean(text)

    add("ShortName", SHORT_NAME)
    add("Description", f"Search by meaning and by words in {base}"[:1024])
    add("InputEncoding", "UTF-8")
    add("Image", icon, width="16", height="16", type="image/svg+xml")
    for kind, template in pages.items():
        add("Url", type=kind, template=clean(template))
    add("Url", type=OPENSEARCH_TYPE, rel="self", template=clean(address))
    return _document(root)


def clean(text: str) -> str:
    """The text without the characters that XML does not allow, even escaped."""
    return _NO_XML.sub("", text)


def shortened(text: str) -> str:
    """The text in one line of at most MAX_SUMMARY characters, cut between words."""
    line = " ".join(text.split())
    if len(line) <= MAX_SUMMARY:
        return line
    return line[:MAX_SUMMARY].rpartition(" ")[0].rstrip() + " …"


def stamp(moment: datetime) -> str:
    """The moment in UTC, as RFC 3339 writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _atom(name: str) -> str:
    return f"{{{ATOM}}}{name}"


def _add(into: etree._Element, name: str, text: str) -> None:
    etree.SubElement(into, _atom(name)).text = clean(text)


def _link(into: etree._Element, rel: str, address: str, kind: str) -> None:
    etree.SubElement(into, _atom("link"), rel=rel, href=clean(address), type=clean(kind))


def _document(root: etree._Element) -> bytes:
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return document

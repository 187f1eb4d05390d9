"""The entries of lists in XML, each an element."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from allthethings.assets.facts import day_of
from allthethings.assets.lists import Entry
from allthethings.sources.markup import MAX_TITLE, parse_html

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
MEDIA = "{http://search.yahoo.com/mrss/}"
# Content types of what is listened to or watched, and ends of names where a feed gives none.
PLAYED = ("audio/", "video/")
PLAYED_SUFFIXES = (
    *(".aac", ".flac", ".m4a", ".m4v", ".mkv", ".mov", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".ogv", ".opus", ".wav", ".webm"),
)
# How RSS writes an author: an address, and the name in parentheses.
NAME_OF_ADDRESS = re.compile(r"\s*\S+@\S+\s*\((.+)\)\s*")
# Characters of markup that are read for a line of text.
MAX_MARKUP = 8 * MAX_TITLE
# Characters of a description.
MAX_DESCRIPTION = 20_000


def local(element: Element) -> str:
    """The name of an element, without its namespace, and without a prefix that nobody declared."""
    return str(element.tag).rpartition("}")[2].rpartition(":")[2]


def child(element: Element, name: str) -> Element | None:
    """The first child of that name in the element's own namespace."""
    namespace = str(element.tag).rpartition("}")[0]
    for each in element:
        if each.tag == name or (namespace and each.tag == f"{namespace}}}{name}"):
            return each
    return None


def text_of(element: Element | None) -> str:
    """All text in an element, in one line."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def plain(markup: str, longest: int = MAX_TITLE) -> str:
    """A line of text that may have HTML in it, without that."""
    if "<" in markup or "&" in markup:
        root = parse_html(markup[: max(MAX_MARKUP, 4 * longest)])
        markup = " ".join("".join(root.itertext()).split()) if root is not None else ""
    return markup[:longest].strip()


def day(told: str) -> str | None:
    """The day of a date as RSS (RFC 822) or as the others write it (ISO 8601)."""
    if found := day_of(told):
        return found
    with contextlib.suppress(ValueError, OverflowError):
        return parsedate_to_datetime(told).date().isoformat()
    return None


def address(told: str | None, element: Element, url: str) -> str | None:
    """As `absolute`, for an address in an element, which may have a base of its own."""
    bases = [base for each in (element, *element.iterancestors()) if (base := each.get(XML_BASE))]
    for base in reversed(bases):
        url = absolute(base, url) or url
    return absolute(told, url)


def absolute(told: object, url: str) -> str | None:
    """An address in a list at `url`, made absolute; None for what is none of the web."""
    if not isinstance(told, str) or not told.strip():
        return None
    try:
        whole = urljoin(url, told.strip())
        parts = urlsplit(whole)
    except ValueError:
        return None
    return whole if parts.scheme in ("http", "https") and parts.netloc else None


def enclosed(element: Element) -> str | None:
    """Where the recording or the video of an entry is, as it is written there."""
    for each in element.iter():
        told = each.get("url") or each.get("href") or ""
        if told and _is_enclosure(each):
            kind = (each.get("type") or "").lower()
            path = told.partition("?")[0].lower()
            if kind.startswith(PLAYED) or (not kind and path.endswith(PLAYED_SUFFIXES)):
                return told
    return None


def _is_enclosure(element: Element) -> bool:
    name = local(element)
    linked = name == "link" and element.get("rel") == "enclosure"
    return linked or name == "enclosure" or element.tag == f"{MEDIA}content"


def author_of(element: Element) -> str | None:
    """Who made an entry or a feed."""
    told = element.findtext(f"{ITUNES}author") or element.findtext(f"{DUBLIN_CORE}creator")
    author = child(element, "author")
    if told is None and author is not None:
        name = child(author, "name")
        told = text_of(author if name is None else name)
    found = NAME_OF_ADDRESS.fullmatch(told or "")
    return plain(found.group(1) if found else told or "") or None


def of_rss(item: Element, url: str) -> Entry | None:
    """An item of RSS: its recording, or the page that it links to."""
    identifier = child(item, "guid")
    key = text_of(identifier)
    lasting = identifier is not None and (identifier.get("isPermaLink") or "").lower() != "false"
    told = (enclosed(item), text_of(child(item, "link")), key if lasting else None)
    date = text_of(child(item, "pubDate")) or item.findtext(f"{DUBLIN_CORE}date") or ""
    return _entry(item, told, url, date, key)


def of_atom(entry: Element, url: str) -> Entry | None:
    """An entry of Atom: its recording, or the page that it links to."""
    links = [each for each in entry if local(each) == "link"]
    pages = (each.get("href") for each in links if each.get("rel", "alternate") == "alternate")
    content = child(entry, "content")
    told = (enclosed(entry), next(pages, None), None if content is None else content.get("src"))
    dates = (text_of(child(entry, name)) for name in ("published", "issued", "updated"))
    return _entry(entry, told, url, next(filter(None, dates), ""), text_of(child(entry, "id")))


def _entry(
    element: Element, told: Iterable[str | None], url: str, date: str, key: str
) -> Entry | None:
    """The entry of a feed that leads to the first of these addresses."""
    found = next((whole for each in told if (whole := address(each, element, url))), None)
    title = plain(text_of(child(element, "title"))) or None
    return Entry(found, title, author_of(element), day(date.strip()), key) if found else None


def of_outline(outline: Element, url: str) -> Entry | None:
    """An outline of OPML: the feed, or what else it links to."""
    told = {str(name).lower(): str(value) for name, value in outline.attrib.items()}
    addresses = (told.get(name) for name in ("xmlurl", "url", "htmlurl"))
    found = next((whole for each in addresses if (whole := address(each, outline, url))), None)
    title = plain(told.get("title") or told.get("text") or "")
    return Entry(found, title or None) if found else None


def of_sitemap(element: Element, url: str) -> Entry | None:
    """A page of a sitemap, or a sitemap of a list of them. The date on which it was changed last is
    not its own."""
    found = address(text_of(child(element, "loc")), element, url)
    return Entry(found) if found else None


def of_track(track: Element, url: str) -> Entry | None:
    """A track of XSPF."""
    found = address(text_of(child(track, "location")), track, url)
    if found is None:
        return None
    title, creator = (plain(text_of(child(track, name))) or None for name in ("title", "creator"))
    return Entry(found, title, creator)


def leads_nowhere(element: Element) -> bool:
    """Whether an entry without an address should have had one: a folder of OPML should not."""
    return local(element) != "outline" or not len(element)

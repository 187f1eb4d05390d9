"""The URLs in a list: typed lines, and the files that browsers and bookmark services export."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from allthethings.errors import BadInput
from allthethings.sources.markup import addresses_in

# Bytes at the beginning of a file that show whether it holds bookmarks.
TOP = 64 * 1024
BOOKMARKS = re.compile(rb"<!doctype netscape-bookmark|<a\s[^>]{0,200}href", re.IGNORECASE)
XML = re.compile(rb"\s*<(?:\?xml|opml|posts)\b", re.IGNORECASE)
# Programs that do not escape URLs in XML leave these; the parser would drop what they begin.
BARE_AMPERSAND = re.compile(rb"&(?!#?\w+;)")
# Ends of lines. Unicode has more of them, which a text field does not show as such.
NEW_LINE = re.compile(r"\r\n|\r|\n")
SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The names of the column with the URLs, in lower case: `url` of Pocket and Raindrop, and others.
COLUMNS = ("url", "href", "link", "uri", "address")
DELIMITERS = ",;\t"
# Characters of the first row of a table.
MAX_HEADER = 2_000
# Characters of one cell. A note can be as long as the file.
MAX_CELL = 16 * 1024 * 1024
# Where a JSON file has its entries, if it is no list itself: in karakeep's export, in answers of
# linkding's API, in answers of Pinboard's API.
ENTRIES = ("bookmarks", "results", "posts")
# Attributes with the URL of an OPML outline, the best one first: a link (OPML 2.0, section
# "inclusion"), a feed's site, and a feed.
OUTLINE = ("url", "htmlurl", "xmlurl")


@dataclass(frozen=True)
class Listed:
    """The URLs of a list or a file. `left_out` counts its entries that are no http or https
    URLs."""

    lines: Sequence[str] = field(default=())
    left_out: int = 0


def lines_of(text: str) -> list[str]:
    """The lines that are neither empty nor comments, which begin with #."""
    lines = (line.strip() for line in NEW_LINE.split(text))
    return [line for line in lines if line and not line.startswith("#")]


def listed_in(file: bytes) -> Listed:
    """The URLs in a file, in their order. Raises BadInput.

    The file is a text with a URL on each line, bookmarks in the Netscape format (all browsers,
    Pocket until 2025, Pinboard, linkding), OPML, a CSV table with a column of URLs (Pocket,
    Raindrop), JSON (karakeep, Pinboard) or Pinboard's XML.
    """
    if file.lstrip()[:1] in (b"{", b"["):
        return _web_addresses(_in_json(_text(file)))
    if XML.match(file):
        found = _in_xml(file)
        if found is not None:
            return _web_addresses(found)
    text = None if b"\0" in file[:4] else _text(file)
    rows = _table(text) if text is not None else None
    if rows is not None:
        return _web_addresses(rows)
    if BOOKMARKS.search(file, 0, TOP):
        return _web_addresses(addresses_in(file))
    return Listed(lines_of(_text(file)))


def _web_addresses(found: Iterable[str | None]) -> Listed:
    every = [(address or "").strip() for address in found]
    lines = [address for address in every if address and not SCHEME.match(address)]
    return Listed(lines, len(every) - len(lines))


def _text(file: bytes) -> str:
    for sign, encoding in BYTE_ORDER_MARKS:
        if file.startswith(sign):
            return file.decode(encoding, "replace")
    if b"\0" in file:
        raise BadInput(
            "This file is not a list of addresses: it is neither text nor exported bookmarks."
        )
    try:
        return file.decode("utf-8")
    except UnicodeDecodeError:
        return file.decode("latin-1")


def _in_json(text: str) -> list[str | None]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("This JSON file is damaged. Export it again.") from error
    if isinstance(told, Mapping):
        told = next((told[name] for name in ENTRIES if isinstance(told.get(name), list)), None)
    if not isinstance(told, list):
        raise BadInput("This JSON file has no bookmarks where an export has them.")
    return [_link(entry) for entry in told]


def _link(entry: Any) -> str | None:
    """The URL of an entry: `url` (linkding), `href` (Pinboard) or `content.url` (karakeep)."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, Mapping):
        return None
    content = entry.get("content")
    inner = content.get("url") if isinstance(content, Mapping) else None
    found = entry.get("url") or entry.get("href") or inner
    return found if isinstance(found, str) else None


def _in_xml(file: bytes) -> list[str | None] | None:
    """The URLs of an OPML file or of Pinboard's XML; None for other documents."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(BARE_AMPERSAND.sub(b"&amp;", file), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    tag = root.tag.lower() if root is not None and isinstance(root.tag, str) else ""
    if tag == "posts":
        return [post.get("href") for post in root.iter("post")]
    if tag != "opml":
        return None
    outlines = (_attributes(outline) for outline in root.iter("outline"))
    found = [next((told[name] for name in OUTLINE if told.get(name)), None) for told in outlines]
    return [address for address in found if address]  # the others are folders


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in element.attrib.items()}


def _table(text: str) -> list[str | None] | None:
    """The cells of the column with the URLs; None for a text whose first line names no such
    column."""
    header = NEW_LINE.split(text[:MAX_HEADER].lstrip("\ufeff"), maxsplit=1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    column = next((names.index(name) for name in COLUMNS if name in names), None)
    if column is None or "://" in header:
        return None
    csv.field_size_limit(MAX_CELL)
    try:
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise BadInput("This CSV file is damaged. Export it again.") from error
    return [row[column] if len(row) > column else None for row in rows[1:] if row]

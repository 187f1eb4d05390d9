"""Lists that are no XML: JSON Feed, M3U, and the links of a web page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from allthethings.assets.facts import day_of
from allthethings.assets.lists import MAX_ENTRIES, Entry, Listing, with_keys
from allthethings.assets.texts import encodable
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.feed_entries import MAX_DESCRIPTION, PLAYED, absolute
from allthethings.sources.markup import MAX_TITLE, parse_html

JSON_FEED = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/")
# The line before a file in an M3U playlist: its length in seconds, attributes, and its title.
EXTINF = re.compile(r"#EXTINF:\s*-?[\d.]*[^,]*,\s*(.*)")
PLAYLIST_NAME = "#PLAYLIST:"
# Only the playlists of HTTP Live Streaming have such lines, which name the pieces of one recording
# (RFC 8216).
STREAM = re.compile(r"^#EXT-X-(?:TARGETDURATION|STREAM-INF|MEDIA-SEQUENCE)", re.MULTILINE)
# Elements of a page that lead about its site, and are no part of what it lists.
ABOUT_THE_SITE = frozenset({"nav", "header", "footer", "script", "style", "template"})


def read_json(text: str, url: str) -> Listing | None:
    """The list in a JSON Feed at this URL (version 1 or 1.1); None where it is none."""
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(feed, Mapping) or not JSON_FEED.match(str(feed.get("version"))):
        return None
    told = feed.get("items")
    items = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    found = [_item(each, url) for each in items[:MAX_ENTRIES]]
    entries = [entry for entry in found if entry]
    episodes = sum(_attached(each) is not None for each in items[:MAX_ENTRIES])
    return Listing(
        "podcast" if entries and episodes * 2 > len(entries) else "feed",
        _line(feed.get("title")),
        _line(feed.get("description"), MAX_DESCRIPTION) or "",
        _author(feed),
        with_keys(entries),
        more=max(0, len(items) - MAX_ENTRIES),
        left_out=len(found) - len(entries),
    )


def _item(item: Mapping[str, Any], url: str) -> Entry | None:
    told = (_attached(item), item.get("url"), item.get("external_url"))
    found = next((encodable(whole) for each in told if (whole := absolute(each, url))), None)
    if found is None:
        return None
    date = item.get("date_published") or item.get("date_modified")
    key = item.get("id")
    return Entry(
        found,
        _line(item.get("title")),
        _author(item),
        day_of(date) if isinstance(date, str) else None,
        encodable(str(key)) if isinstance(key, (str, int)) else "",
    )


def _attached(item: Mapping[str, Any]) -> str | None:
    """The recording or the video of an item."""
    told = item.get("attachments")
    for each in told if isinstance(told, list) else ():
        if isinstance(each, Mapping) and str(each.get("mime_type")).lower().startswith(PLAYED):
            return str(each.get("url") or "") or None
    return None


def _author(told: Mapping[str, Any]) -> str | None:
    several = told.get("authors")
    first = several[0] if isinstance(several, list) and several else told.get("author")
    return _line(first.get("name")) if isinstance(first, Mapping) else None


def _line(told: object, longest: int = MAX_TITLE) -> str | None:
    if not isinstance(told, str):
        return None
    return encodable(" ".join(told.split())[:longest]).strip() or None


def read_m3u(text: str, url: str) -> Listing:
    """The files of an M3U playlist at this URL. Raises UnusableThing for the playlist of a
    stream."""
    if STREAM.search(text):
        message = "This is a stream in segments (HLS), which cannot be read."
        raise UnusableThing(message, ErrorCode.UNSUPPORTED_TYPE)
    title, named, left_out, more = None, None, 0, 0
    found: list[Entry] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith(PLAYLIST_NAME):
            named = _line(line.removeprefix(PLAYLIST_NAME))
        elif line.startswith("#"):
            told = EXTINF.match(line)
            title = _line(told.group(1)) if told else title
        else:
            address = absolute(line, url)
            if address is None:
                left_out += 1
            elif len(found) < MAX_ENTRIES:
                found.append(Entry(address, title))
            else:
                more += 1
            title = None
    return Listing("playlist", named, entries=with_keys(found), more=more, left_out=left_out)


def read_links(markup: str, url: str, *, same_host: bool) -> Listing | None:
    """What a web page at this URL links to, each once; its own host alone with `same_host`. None
    where there is no page."""
    root = parse_html(markup)
    if root is None:
        return None
    base = root.find(".//base[@href]")
    start = absolute(base.get("href"), url) if base is not None else None
    host = urlsplit(url).netloc.lower()
    found: dict[str, Entry] = {}
    for link in _links(root):
        address = (absolute(link.get("href"), start or url) or "").partition("#")[0]
        elsewhere = urlsplit(address).netloc.lower() != host
        if address and address != url.partition("#")[0] and not (same_host and elsewhere):
            title = _line("".join(link.itertext()))
            found.setdefault(address, Entry(address, title))
    every = list(found.values())
    heading = root.find(".//title")
    described = root.xpath("//meta[@name='description']/@content")
    return Listing(
        "list of links",
        _line("".join(heading.itertext())) if heading is not None else None,
        (_line(described[0], MAX_DESCRIPTION) if described else None) or "",
        entries=with_keys(every[:MAX_ENTRIES]),
        more=max(0, len(every) - MAX_ENTRIES),
    )


def _links(root: etree._Element) -> Iterator[etree._Element]:
    """The links in the body of a page, but for those that lead about its site."""
    walk = etree.iterwalk(root, events=("start",))
    for _, element in walk:
        if element.tag in ABOUT_THE_SITE:
            walk.skip_subtree()
        elif element.tag == "a" and element.get("href"):
            yield element

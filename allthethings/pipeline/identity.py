"""The one URL of a thing that has several: where permanent redirects lead, or the canonical URL of
a page (RFC 6596)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import IndexingError
from allthethings.processors import processor_class
from allthethings.sources.fetch import Download, Probe

# Parameters that choose a part of a list. Pages often name its first part as the canonical URL of
# all parts.
PART_OF_LIST = frozenset({"page", "paged", "p", "pg", "offset", "start", "from"})
# The paths of a site's home page.
HOME = re.compile(r"/?(?:(?:index|default)(?:\.\w+)?)?")

# Downloads the beginning of the page at a URL. Raises UnusableThing.
Look = Callable[[str], Download]


def key_of_thing(seen: Probe, look: Look) -> str:
    """The key of the URL that stands for a thing. A canonical URL counts only where the page there
    has the same title and names itself: many sites name their home page, or the first of many."""
    key = url_key(seen.url)
    processor = processor_class(seen.content_type)
    look = cache(look)
    try:
        told = processor.canonical(lambda: look(seen.url))
        if told is None:
            return key
        other = clean_url(told)
        other_key = url_key(other)
        if other_key == key or not _plausible(other, seen.url):
            return key
        title = processor.title(lambda: look(seen.url))
        same = title is not None and title == processor.title(lambda: look(other))
        itself = processor.canonical(lambda: look(other))
        return other_key if same and itself and url_key(clean_url(itself)) == other_key else key
    except IndexingError:  # no URL, or no page that could confirm it
        return key


def _plausible(canonical: str, url: str) -> bool:
    """Whether a page of this URL may have that canonical URL: one of the same site, and neither its
    home page nor another part of a list."""
    one, other = urlsplit(canonical), urlsplit(url)
    if _site(one.hostname) != _site(other.hostname) or one.port != other.port:
        return False
    home = one.path in ("", "/") and not one.query
    if home and not HOME.fullmatch(other.path):
        return False
    return _parts_of_list(one.query) == _parts_of_list(other.query)


def _site(host: str | None) -> str:
    return (host or "").removeprefix("www.")


def _parts_of_list(query: str) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in parse_qsl(query) if name in PART_OF_LIST)

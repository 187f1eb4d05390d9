"""Lists in XML: RSS, Atom, OPML, sitemaps and XSPF.

They are read entry by entry, so that one of a hundred thousand entries takes little memory, and
forgivingly: programs that make feeds seldom check them, and readers of feeds never refused them.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allthethings.assets.lists import MAX_ENTRIES, Entry, Listing, with_keys
from allthethings.processors import feed_entries as entries
from allthethings.processors.feed_entries import MAX_DESCRIPTION, child, local, text_of

if TYPE_CHECKING:
    from lxml import etree
    from lxml.etree import _Element as Element

SYNDICATION = "{http://purl.org/rss/1.0/modules/syndication/}"
# Seconds of the periods of RSS's syndication module.
PERIODS: Mapping[str, float] = {
    "hourly": 3_600,
    "daily": 86_400,
    "weekly": 7 * 86_400,
    "monthly": 30 * 86_400,
    "yearly": 365 * 86_400,
}
# A section without markup, a reference to a character by name, and an ampersand that is none.
REFERENCE = re.compile(r"<!\[CDATA\[.*?\]\]>|&(?:([A-Za-z]\w*);|(?!#\w+;))", re.DOTALL)
OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})

# Reads an element: the entry that it is, None where it leads nowhere. The second argument is the
# URL of the list.
ReadEntry = Callable[["Element", str], Entry | None]


@dataclass(frozen=True)
class Form:
    """A form of list: the name of the elements that are its entries, how one is read, and what
    people call such a list."""

    each: str
    read: ReadEntry
    noun: str


# By the name of the root element.
FORMS: Mapping[str, Form] = {
    "rss": Form("item", entries.of_rss, "feed"),
    "RDF": Form("item", entries.of_rss, "feed"),
    "feed": Form("entry", entries.of_atom, "feed"),
    "opml": Form("outline", entries.of_outline, "list of feeds"),
    "urlset": Form("url", entries.of_sitemap, "sitemap"),
    "sitemapindex": Form("sitemap", entries.of_sitemap, "list of sitemaps"),
    "playlist": Form("track", entries.of_track, "playlist"),
}


def read_xml(text: str, url: str) -> Listing | None:
    """The list in an XML document at this URL; None where it is none."""
    from lxml import etree

    markup = REFERENCE.sub(_mended, text).encode(errors="replace")
    try:
        root = next((local(element) for _, element in _parts(markup, "start", None)), "")
        form = FORMS.get(root)
        return _read(form, markup, url) if form else None
    except etree.XMLSyntaxError:  # nothing that is XML
        return None


def _read(form: Form, markup: bytes, url: str) -> Listing:
    found: list[Entry] = []
    more, left_out, episodes = 0, 0, 0
    parts = _parts(markup, "end", [form.each, f"{{*}}{form.each}"])
    for _, element in parts:
        if len(found) == MAX_ENTRIES:
            more += 1
        elif entry := form.read(element, url):
            found.append(entry)
            episodes += entries.enclosed(element) is not None
        else:
            left_out += entries.leads_nowhere(element)
        _forget(element)
    noun = "podcast" if found and episodes * 2 > len(found) else form.noun
    told = _head(parts.root)
    return Listing(noun, **told, entries=with_keys(found), more=more, left_out=left_out)


def _parts(markup: bytes, event: str, tags: Sequence[str] | None) -> etree.iterparse[Any]:
    """Reads the elements of these names. References that a document declares itself stay as they
    are."""
    from lxml import etree

    return etree.iterparse(
        io.BytesIO(markup),
        events=(event,),
        tag=tags,
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )


def _forget(element: Element) -> None:
    """Free the memory of an entry that was read, and of the one before it."""
    element.clear(keep_tail=False)
    before, parent = element.getprevious(), element.getparent()
    if before is not None and parent is not None and before.tag == element.tag:
        parent.remove(before)


def _head(root: Element) -> dict[str, Any]:
    """What a list says of itself, by the names of the fields of Listing."""
    head = next((each for each in root if local(each) in ("channel", "head")), root)
    described = ("description", "subtitle", "tagline", "annotation")
    descriptions = (text_of(child(head, name)) for name in described)
    return {
        "title": entries.plain(text_of(child(head, "title"))) or None,
        "description": entries.plain(next(filter(None, descriptions), ""), MAX_DESCRIPTION),
        "author": entries.author_of(head),
        "wait": _wait(head),
    }


def _wait(head: Element) -> float | None:
    """After how many seconds a feed says that it may have changed."""
    minutes = text_of(child(head, "ttl"))
    if minutes.isdecimal() and len(minutes) < 10:
        return float(minutes) * 60
    period = PERIODS.get((head.findtext(f"{SYNDICATION}updatePeriod") or "").strip().lower())
    often = (head.findtext(f"{SYNDICATION}updateFrequency") or "").strip()
    times = int(often) if often.isdecimal() and len(often) < 10 else 1
    return period / max(times, 1) if period else None


def _mended(found: re.Match[str]) -> str:
    """A reference that XML knows: programs write those of HTML, and ampersands as such."""
    whole, name = found.group(), found.group(1)
    if whole == "&":
        return "&amp;"
    if not name or name in OF_XML:
        return whole
    character = html.unescape(whole)
    return whole if character == whole else html.escape(character, quote=False)

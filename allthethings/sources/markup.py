"""What is read of small HTML documents here and now: a page's title, a file of bookmarks."""

from __future__ import annotations

import codecs

from lxml import etree

# Characters of a title or a heading. Longer ones are cut.
MAX_TITLE = 300


def title_of(beginning: bytes, charset: str | None) -> str | None:
    """The title in the first bytes of a page; None when there is none in them."""
    root = _parse(beginning, charset)
    found = root.find(".//title") if root is not None else None
    text = " ".join("".join(found.itertext()).split()) if found is not None else ""
    return text[:MAX_TITLE] or None


def addresses_in(bookmarks: bytes) -> list[str]:
    """Where the links of a file of bookmarks lead, in their order (the Netscape format, that all
    browsers export; it is in UTF-8)."""
    root = _parse(bookmarks, "utf-8")
    links = root.iter("a") if root is not None else ()
    return [address for link in links if (address := (link.get("href") or "").strip())]


def _parse(body: bytes, charset: str | None) -> etree._Element | None:
    try:
        encoding = codecs.lookup(charset).name if charset else None
        parser = etree.HTMLParser(encoding=encoding, no_network=True)
    except LookupError:  # unknown to Python or to the parser; it looks for itself then
        parser = etree.HTMLParser(no_network=True)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):  # nothing, or nothing that is markup
        return None

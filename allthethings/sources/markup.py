"""What is read of small HTML documents here and now: a page's title, a file of bookmarks."""

from __future__ import annotations

from urllib.parse import urljoin

from lxml import etree

from allthethings.sources.charsets import text_of

# Characters of a title or a heading. Longer ones are cut.
MAX_TITLE = 300


def title_of(beginning: bytes, charset: str | None) -> str | None:
    """The title in the first bytes of a page; None when there is none in them."""
    root = parse_html(text_of(beginning, charset, markup=True))
    found = root.find(".//title") if root is not None else None
    text = " ".join("".join(found.itertext()).split()) if found is not None else ""
    return text[:MAX_TITLE] or None


def canonical_of(beginning: bytes, charset: str | None, url: str) -> str | None:
    """The URL that the first bytes of a page at `url` name as its canonical one (RFC 6596)."""
    root = parse_html(text_of(beginning, charset, markup=True))
    for link in root.iter("link") if root is not None else ():
        if "canonical" in (link.get("rel") or "").lower().split():
            target = (link.get("href") or "").strip()
            try:
                return urljoin(url, target) if target else None
            except ValueError:
                return None
    return None


def addresses_in(bookmarks: bytes) -> list[str]:
    """Where the links of a file of bookmarks lead, in their order (the Netscape format, that all
    browsers export; it is in UTF-8)."""
    root = parse_html(text_of(bookmarks, "utf-8"))
    links = root.iter("a") if root is not None else ()
    return [address for link in links if (address := (link.get("href") or "").strip())]


def parse_html(markup: str) -> etree._Element | None:
    """The root of an HTML document; None where there is no markup."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True)
    try:
        return etree.fromstring(markup.encode(errors="replace"), parser)
    except (etree.XMLSyntaxError, ValueError):  # nothing, or nothing that is markup
        return None

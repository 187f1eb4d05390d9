"""The text of a web page; pure, and as slow as the page wants it to be.

Runs in processes of its own (`bounded`), so the parser is imported there and not in the app.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allthethings.assets import locators
from allthethings.assets.passages import Piece
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

PRELOAD = (__name__, "trafilatura")
"""What a process has to have imported to read a page at once."""


@dataclass(frozen=True)
class Page:
    """A page's title, if it has one, and its paragraphs. Title and headings, which each passage
    keeps, are cut to MAX_TITLE characters."""

    title: str | None
    pieces: tuple[Piece, ...]


def read_page(body: bytes, charset: str | None, url: str) -> Page:
    """The main text of an HTML document without navigation and other trimmings; no pieces
    where there is none. `charset` is what the server says."""
    import trafilatura

    extract = trafilatura.bare_extraction(
        _markup(body, charset),
        url=url,
        include_comments=False,
        include_images=False,
        include_links=False,
        with_metadata=True,
        favor_recall=True,
    )
    if not isinstance(extract, trafilatura.settings.Document):
        return Page(None, ())
    return Page((extract.title or "")[:MAX_TITLE] or None, tuple(_paragraphs(extract.body)))


def _markup(body: bytes, charset: str | None) -> str:
    """The page as text: in the encoding that the server names, if it is right, else a guess."""
    from trafilatura.utils import decode_file

    try:
        text = body.decode(charset or "")
    except (LookupError, UnicodeError):  # 'undefined' is a codec that refuses everything
        text = decode_file(body)
    # trafilatura takes what has no <html> tag for no page; HTML lets the tag be left out.
    return text if "<html" in text[:5_000].lower() else f"<html><body>{text}</body></html>"


def _paragraphs(body: Element) -> Iterator[Piece]:
    """The text of trafilatura's tree (TEI names: head, p, list/item, table/row, quote, code)."""
    heading = ""
    for element in body.iter("head", "p", "item", "row", "quote", "code"):
        if any(above.tag in {"p", "item", "row", "quote"} for above in element.iterancestors()):
            continue
        text = " ".join(" ".join(element.itertext()).split())
        if element.tag == "head":
            heading = text[:MAX_TITLE]
        elif text:
            yield Piece(text, locators.under(heading))

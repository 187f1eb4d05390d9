"""Web pages: their main text and title, without navigation and other trimmings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets import locators
from allthethings.assets.facts import day_of
from allthethings.assets.passages import Piece
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.processor import Content, svg
from allthethings.sources.charsets import text_of
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE, canonical_of, parse_html, title_of

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

# A doctype or one of the outermost tags, behind comments and a byte order mark if there are any.
# Without the atomic group, the comments of a hostile page could be divided in 2**n ways.
FIRST_TAG = rb"(?i)(?:\xef\xbb\xbf)?(?>(?:\s|<!--.*?-->)*)<(?:!doctype )?(?:html|head|body)\b"

# Names of <meta> that hold the date of publication, the most telling first: Open Graph,
# schema.org, Google Scholar and Dublin Core.
PUBLISHED = (
    "article:published_time",
    "datepublished",
    "citation_publication_date",
    "citation_date",
    "dcterms.issued",
    "dc.date.issued",
    "dcterms.date",
    "dc.date",
    "date",
)


class HtmlProcessor(DocumentProcessor):
    """A web page by its headings. Its main text is found in the process that reads, and not in the
    app."""

    kind: ClassVar = "web page"
    accepts: ClassVar = ("text/html", "application/xhtml+xml")
    signatures: ClassVar = {"text/html": FIRST_TAG}
    suffixes: ClassVar = {
        ".html": "text/html",
        ".htm": "text/html",
        ".xhtml": "application/xhtml+xml",
    }
    is_text: ClassVar = True
    # About as much as can be read in READ_SECONDS.
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "page"
    no_text: ClassVar = "No text was found on this page."
    mark: ClassVar = svg("M2 3h12v10H2zM2 6h12M4 4.5h1")
    preload: ClassVar = ("chardet", "allthethings.processors.main_text")

    @classmethod
    def title(cls, look: Callable[[], Download]) -> str | None:
        """The <title>, if it is near the top."""
        start = look()
        return title_of(start.body, start.charset)

    @classmethod
    def canonical(cls, look: Callable[[], Download]) -> str | None:
        """The <link rel=canonical>, if it is near the top."""
        start = look()
        return canonical_of(start.body, start.charset, start.url)

    @staticmethod
    def parse(document: Download) -> Content:
        """The main text of an HTML document. Title and headings, which each passage keeps, are
        cut to MAX_TITLE characters."""
        from allthethings.processors.main_text import main_text

        markup = _markup(text_of(document.body, document.charset, markup=True))
        extract = main_text(markup, document.url)
        if extract is None:
            return Content((), "")
        pieces = tuple(_paragraphs(extract.body))
        text = "\n\n".join(piece.text for piece in pieces)
        return Content(
            pieces,
            text,
            (extract.title or "")[:MAX_TITLE] or None,
            (extract.author or "")[:MAX_TITLE] or None,
            _published(markup),
        )


def _markup(text: str) -> str:
    """The page with an <html> tag: trafilatura takes what has none for no page, and HTML lets it be
    left out."""
    return text if "<html" in text[:5_000].lower() else f"<html><body>{text}</body></html>"


def _published(markup: str) -> str | None:
    """The date in the head of a page. Dates elsewhere on it may be those of anything."""
    root = parse_html(markup)
    told: dict[str, str] = {}
    for meta in root.iter("meta") if root is not None else ():
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        told.setdefault(name.lower(), meta.get("content") or "")
    return next((day for name in PUBLISHED if (day := day_of(told.get(name)))), None)


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

"""Documents of word processors, by their headings: Word's .docx, and OpenDocument's .odt."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets import locators
from allthethings.assets.passages import Piece
from allthethings.processors import opendocument
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.packages import ALTERNATE, opened, parsed, parsed_xml, signature
from allthethings.processors.processor import Content, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element as Element

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOCX_MACROS = "application/vnd.ms-word.document.macroenabled.12"
ODT = "application/vnd.oasis.opendocument.text"
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FOOTNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
# A block of text: the level of a heading, or 0, and its words.
Block = tuple[int, str]


class WordProcessor(DocumentProcessor):
    """A document by its headings. python-docx is imported in the process that reads."""

    kind: ClassVar = "document"
    accepts: ClassVar = (DOCX, DOCX_MACROS, ODT)
    signatures: ClassVar = {
        DOCX: signature(b"word"),
        ODT: rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument\.text",
    }
    suffixes: ClassVar = {".docx": DOCX, ".docm": DOCX_MACROS, ".odt": ODT}
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "document"
    no_text: ClassVar = "No text was found in this document."
    mark: ClassVar = svg("M3 1.5h10v13H3zM5.5 5h5M5.5 8h5M5.5 11h3")
    preload: ClassVar = ("docx", "lxml.etree")

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs and the rows of tables, under their headings."""
        with opened(document.body, WordProcessor.noun) as archive:
            if "content.xml" in archive.namelist():
                return _open_document(archive)
        return _word(document.body)


def _word(body: bytes) -> Content:
    import docx

    document = docx.Document(io.BytesIO(body))
    about = document.core_properties
    blocks = [*_blocks(document.element.body, _levels(document)), *_footnotes(document)]
    dated = about.created.date().isoformat() if about.created else None
    return _content(blocks, about.title, about.author, dated)


def _content(
    blocks: Iterable[Block], title: str | None, author: str | None, dated: str | None
) -> Content:
    """Without a title of its own, a document has that of its first heading of the first level."""
    pieces, heading, first = [], "", None
    for level, text in blocks:
        if level:
            heading = text[:MAX_TITLE]
            first = first or (heading if level == 1 else None)
        pieces.append(Piece(text, locators.under(heading)))
    named = " ".join((title or "").split())[:MAX_TITLE] or first
    text = "\n\n".join(piece.text for piece in pieces)
    return Content(tuple(pieces), text, named, (author or "")[:MAX_TITLE] or None, dated)


def _levels(document: Document) -> dict[str, int]:
    """The levels of the styles that are for headings, by their ids. Their names are English in
    every language (ECMA-376, part 1, 17.7.4.9); a style of one's own may have a level too."""
    levels: dict[str, int] = {}
    for style in document.styles.element.iter(f"{WORD}style"):
        name = style.find(f"{WORD}name")
        words = "" if name is None else str(name.get(f"{WORD}val", "")).lower()
        outline = style.find(f"{WORD}pPr/{WORD}outlineLvl")
        level = words.removeprefix("heading ")
        if words == "title" or level.isdecimal():
            levels[str(style.get(f"{WORD}styleId"))] = 1 if words == "title" else int(level)
        elif outline is not None and (number := int(outline.get(f"{WORD}val", "9"))) < 9:
            levels[str(style.get(f"{WORD}styleId"))] = number + 1
    return levels


def _blocks(parent: Element, levels: dict[str, int]) -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{WORD}p":
            style = child.find(f"{WORD}pPr/{WORD}pStyle")
            level = 0 if style is None else levels.get(str(style.get(f"{WORD}val")), 0)
            if text := _words(child):
                yield level, text
        elif child.tag == f"{WORD}tbl":
            for row in _inside(child, f"{WORD}tr"):
                cells = (_words(cell) for cell in _inside(row, f"{WORD}tc"))
                if text := " | ".join(filter(None, cells)):
                    yield 0, text
        elif child.tag != ALTERNATE:  # what was inserted, and parts of forms
            yield from _blocks(child, levels)


def _inside(parent: Element, tag: str) -> Iterator[Element]:
    """The elements of a tag, also within forms and insertions, but not within one another: the
    words of a table in a cell are the cell's."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag != ALTERNATE:
            yield from _inside(child, tag)


def _words(element: Element) -> str:
    """The text of a paragraph or a cell, with that of its boxes. What was deleted is no w:t."""
    return " ".join("".join(_parts(element)).split())


def _parts(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag == f"{WORD}t":
            yield child.text or ""
        elif child.tag == f"{WORD}noBreakHyphen":
            yield "-"
        elif child.tag in (f"{WORD}tab", f"{WORD}br", f"{WORD}cr"):
            yield " "
        elif child.tag not in (ALTERNATE, f"{WORD}pPr", f"{WORD}rPr"):
            if child.tag == f"{WORD}p":
                yield " "
            yield from _parts(child)


def _footnotes(document: Document) -> Iterator[Block]:
    for relation in document.part.rels.values():
        if relation.reltype == FOOTNOTES and not relation.is_external:
            yield from _blocks(parsed_xml(relation.target_part.blob), {})


def _open_document(archive: zipfile.ZipFile) -> Content:
    opendocument.refuse_locked(archive, WordProcessor.noun)
    body = parsed(archive, "content.xml").find(f"{opendocument.OFFICE}body")
    blocks = [] if body is None else list(_open_blocks(body))
    return _content(blocks, *opendocument.described(archive))


def _open_blocks(parent: Element) -> Iterator[Block]:
    for child in parent:
        if child.tag in (f"{opendocument.TEXT}h", f"{opendocument.TEXT}p"):
            level = child.get(f"{opendocument.TEXT}outline-level", "1")
            titled = child.tag == f"{opendocument.TEXT}h"
            if text := " ".join(opendocument.words(child).split()):
                yield int(level) if titled and level.isdecimal() else 0, text
        elif child.tag == f"{opendocument.TABLE}table-row":
            cells = (" ".join(opendocument.words(cell).split()) for cell in child)
            if text := " | ".join(filter(None, cells)):
                yield 0, text
        elif child.tag not in opendocument.LEFT_OUT:
            yield from _open_blocks(child)

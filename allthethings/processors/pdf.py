"""PDF files, page by page, through PDFium."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from allthethings.assets.facts import day_of
from allthethings.assets.locators import Page
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import pdf_scans
from allthethings.processors.document_processor import PagedProcessor
from allthethings.processors.image import READER, ImageProcessor
from allthethings.processors.pdf_layout import HYPHEN, Line, largest_text, paragraphs
from allthethings.processors.processor import Content, svg
from allthethings.replicate.predictions import parse_text
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

MAX_PAGES = 3_000
# Characters by which the number of a character in PDFium's list may differ from its place in the
# text: the list has some that the text leaves out.
MAX_DRIFT = 8
# A line in PDFium's text. It writes no line break after a divided word.
LINE = re.compile(rf"[^\r\n{HYPHEN}]+{HYPHEN}?")
# Titles that programs put into files by themselves.
NO_TITLE = re.compile(
    r"(?i)untitled.*|microsoft (?:word|powerpoint|excel) - .*"
    r"|.*\.(?:docx?|pptx?|xlsx?|odt|rtf|md|tex|dvi|ps|pdf|indd|qxd|html?)"
)
# A date of a PDF (ISO 32000-2, 7.9.4): D:20240131120000+01'00'. All but the year may be missing.
DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?")


class PdfProcessor(PagedProcessor):
    """A PDF by its pages. pypdfium2 is imported in the process that reads and not in the app."""

    kind: ClassVar = "pdf"
    accepts: ClassVar = ("application/pdf", "application/x-pdf")
    # Readers accept a kilobyte of something else before the header.
    signatures: ClassVar = {"application/pdf": rb".{0,1024}?%PDF-[12]\.\d"}
    suffixes: ClassVar = {".pdf": "application/pdf"}
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "PDF"
    no_text: ClassVar = "No page of this PDF has text."
    page_model: ClassVar = ImageProcessor.model
    mark: ClassVar = svg("M3 1.5h7l3 3v10H3zM10 1.5v3h3M5.5 8h5M5.5 11h5")
    preload: ClassVar = ("pypdfium2", "PIL.JpegImagePlugin")
    drawn = staticmethod(pdf_scans.drawn)
    joined = staticmethod(pdf_scans.joined)

    @staticmethod
    def text_in(output: Any) -> str:
        """What the model that reads pictures has read."""
        return parse_text(output, READER)

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs of each page that has text, and which pages are pictures of it."""
        with _opened(document.body) as pdf:
            if len(pdf) > MAX_PAGES:
                raise UnusableThing(
                    f"This PDF has {len(pdf):,} pages, more than {MAX_PAGES:,}.",
                    ErrorCode.TOO_LARGE,
                )
            pages, scanned = _pages(pdf)
            title = _title(pdf.get_metadata_value("Title"))
            author = " ".join(pdf.get_metadata_value("Author").split())
            dated = _day(pdf.get_metadata_value("CreationDate"))
        first = pages[0] if pages and scanned[:1] != [1] else []
        pieces = tuple(
            Piece(paragraph, Page(number))
            for number, page in enumerate(paragraphs(pages), 1)
            for paragraph in page
        )
        return Content(
            pieces,
            "\n\n".join(piece.text for piece in pieces),
            (title or largest_text(first) or "")[:MAX_TITLE] or None,
            author[:MAX_TITLE] or None,
            dated,
            pdf_scans.beyond(scanned),
            tuple(scanned[: pdf_scans.MAX_SCANNED]),
        )


def _opened(body: bytes) -> PdfDocument:
    """Raises UnusableThing for one that asks for a password, PdfiumError for no PDF."""
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(body)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise UnusableThing(
                "This PDF asks for a password.", ErrorCode.PASSWORD_PROTECTED
            ) from error
        raise


def _pages(pdf: PdfDocument) -> tuple[list[list[Line]], list[int]]:
    """The lines of each page, and the numbers of the pages that are pictures of text."""
    pages, scanned = [], []
    for number, page in enumerate(pdf, 1):
        lines = list(_lines(page))
        if pdf_scans.is_scan(page, sum(len(line.text) for line in lines)):
            scanned.append(number)
        pages.append(lines)
        page.close()
    return pages, scanned


def _lines(page: PdfPage) -> Iterator[Line]:
    """The lines in the order in which the file has them, which is mostly that of reading."""
    characters = page.get_textpage()
    try:
        text = _in_units(characters.get_text_range())
        drift = 0
        for found in LINE.finditer(text):
            line = found.group()
            if words := " ".join(_whole(line).split()):
                start = found.start() + len(line) - len(line.lstrip())
                drift = _drift(characters, text, start, drift)
                yield Line(words, *_place(characters, start + drift))
    finally:
        characters.close()


def _in_units(text: str) -> str:
    """A text in which each UTF-16 unit is a character of its own, as in PDFium's list."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    return "".join(map(chr, units))


def _whole(units: str) -> str:
    """The text of UTF-16 units."""
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _drift(characters: PdfTextPage, text: str, start: int, last: int) -> int:
    """How much further on than in the text a character stands in PDFium's list, which also has
    some that the text leaves out."""
    from pypdfium2.raw import FPDFText_GetUnicode

    drift: int
    wanted = text[start : start + 3]
    for drift in (last, *range(last + 1, last + MAX_DRIFT)):
        at = start + drift
        if all(
            FPDFText_GetUnicode(characters, at + i) == ord(wanted[i]) for i in range(len(wanted))
        ):
            return drift
    return last


def _place(characters: PdfTextPage, index: int) -> tuple[float, float, float] | tuple[()]:
    """The left and the lower end, and the height, of a character with room around it; nothing
    where PDFium does not know."""
    from pypdfium2.raw import FS_RECTF, FPDFText_GetLooseCharBox

    box = FS_RECTF()
    if not FPDFText_GetLooseCharBox(characters, index, ctypes.byref(box)):
        return ()
    return box.left, box.bottom, box.top - box.bottom


def _title(told: str) -> str | None:
    """The title that the file tells, unless a program made it up."""
    title = " ".join(told.split())
    return None if NO_TITLE.fullmatch(title) else title or None


def _day(told: str) -> str | None:
    """The day, month or year of a PDF's date, as ISO 8601 has it."""
    found = DATE.match(told)
    return day_of("-".join(filter(None, found.groups()))) if found else None

"""Workbooks, sheet by sheet: Excel's .xlsx, .xlsb and .xls, and OpenDocument's .ods."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets.facts import day_of
from allthethings.assets.locators import Sheet
from allthethings.assets.passages import Piece
from allthethings.processors import opendocument
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.packages import (
    COMPOUND_FILE,
    opened,
    parsed,
    refuse_encrypted,
    signature,
)
from allthethings.processors.processor import Content, svg
from allthethings.processors.tables import in_words
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSM = "application/vnd.ms-excel.sheet.macroenabled.12"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
XLS = "application/vnd.ms-excel"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
# The metadata of Office's files (ECMA-376, part 2, 8).
DUBLIN_CORE, TERMS = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/dc/terms/}"
CORE = "docProps/core.xml"


class SpreadsheetProcessor(DocumentProcessor):
    """A workbook by its sheets. python-calamine is imported in the process that reads."""

    kind: ClassVar = "spreadsheet"
    accepts: ClassVar = (XLSX, XLSM, XLSB, XLS, ODS)
    signatures: ClassVar = {
        XLSX: signature(b"xl"),
        ODS: rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet",
    }
    suffixes: ClassVar = {".xlsx": XLSX, ".xlsm": XLSM, ".xlsb": XLSB, ".xls": XLS, ".ods": ODS}
    max_bytes: ClassVar = 32 * 1024 * 1024
    noun: ClassVar = "workbook"
    no_text: ClassVar = "All sheets of this workbook are empty."
    mark: ClassVar = svg("M2 2h12v12H2zM2 6h12M2 10h12M6 2v12M10 2v12")
    preload: ClassVar = ("python_calamine", "lxml.etree")

    @staticmethod
    def parse(document: Download) -> Content:
        """The rows of each sheet, each value with the name of its column if there is one."""
        from python_calamine import CalamineWorkbook

        title = author = dated = None
        if document.body.startswith(COMPOUND_FILE):
            refuse_encrypted(document.body, SpreadsheetProcessor.noun)
        else:
            with opened(document.body, SpreadsheetProcessor.noun) as archive:
                title, author, dated = _described(archive)
        with CalamineWorkbook.from_filelike(io.BytesIO(document.body)) as workbook:
            pieces = tuple(_pieces(workbook))
        text = "\n".join(piece.text for piece in pieces)
        return Content(pieces, text, (title or "")[:MAX_TITLE] or None, author, dated)


def _described(archive: zipfile.ZipFile) -> tuple[str | None, str | None, str | None]:
    """The title, the author and the day that a workbook tells, where it does."""
    if "content.xml" in archive.namelist():
        opendocument.refuse_locked(archive, SpreadsheetProcessor.noun)
        return opendocument.described(archive)
    if CORE not in archive.namelist():
        return None, None, None
    core = parsed(archive, CORE)
    author = core.findtext(f"{DUBLIN_CORE}creator") or ""
    dated = day_of(core.findtext(f"{TERMS}created"))
    return core.findtext(f"{DUBLIN_CORE}title"), author[:MAX_TITLE] or None, dated


def _pieces(workbook: CalamineWorkbook) -> Iterator[Piece]:
    for name in workbook.sheet_names:
        sheet = workbook.get_sheet_by_name(name)
        rows = ([_words(value) for value in row] for row in sheet.iter_rows())
        for _number, words in in_words(rows):
            yield Piece(words, Sheet(name[:MAX_TITLE]))


def _words(value: object) -> str:
    """A cell in words: whole numbers without a fraction, moments as ISO 8601 has them."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time.min:
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)

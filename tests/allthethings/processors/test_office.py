"""Documents, presentations and workbooks, as several programs write them (see files/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from allthethings.assets.locators import Heading, Sheet, Slide
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content, processor_class, recognise
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.packages import COMPOUND_FILE
from allthethings.processors.presentation import PPTX, PresentationProcessor
from allthethings.processors.spreadsheet import XLSX, SpreadsheetProcessor
from allthethings.processors.word import DOCX, WordProcessor
from allthethings.sources.fetch import SNIFFED, Download
from tests.allthethings.processors.kinds import EXAMPLES, tools
from tests.allthethings.processors.office import FILES
from tools.harness.archives import changed

KINDS: list[tuple[type[DocumentProcessor], str, str]] = [
    (WordProcessor, "pandoc.docx", DOCX),
    (PresentationProcessor, "libreoffice.pptx", PPTX),
    (SpreadsheetProcessor, "libreoffice.xlsx", XLSX),
]
every_kind = pytest.mark.parametrize(("processor", "file", "content_type"), KINDS)


def read(body: bytes, name: str) -> Content:
    """A file whose server tells nothing but its name."""
    told = recognise("application/octet-stream", [name], lambda: body[:SNIFFED])
    processor = processor_class(told)(tools())
    return processor.read(Download(f"https://e.example/{name}", body, None, told))


def read_file(name: str) -> Content:
    return read((FILES / name).read_bytes(), name)


@pytest.mark.parametrize(
    "name", ["pandoc.docx", "pandoc.odt", "libreoffice.docx", "libreoffice.odt"]
)
def test_a_document_is_read_by_its_headings(name: str) -> None:
    content = read_file(name)
    assert (content.title, content.author) == ("The marsh harrier", "Ann Example")
    assert [(piece.locator, piece.text) for piece in content.pieces][-5:] == [
        (Heading("Passing food"), "She misses one vole in twenty."),
        (Heading("Winter"), "Winter"),
        (
            Heading("Winter"),
            "In September most harriers leave for the marshes south of the Sahara; "
            "incomprehensibly, a few stay and sleep together in the stubble, dozens in one field.",
        ),
        (Heading("Counting"), "Counting"),
        (
            Heading("Counting"),
            "Volunteers count harriers at dusk, when the birds arrive at the roost one after the "
            "other.",
        ),
    ]


WORD_BODY = """<?xml version="1.0"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"
  xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:body>
<w:p><w:r><w:t>A </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins>
  <w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:r><w:tab/><w:t>word</w:t></w:r></w:p>
<w:sdt><w:sdtContent><w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>In a form</w:t></w:r>
  </w:p></w:sdtContent></w:sdt>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>one</w:t></w:r></w:p><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc>
  <w:tc><w:p><w:r><w:t>another</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>
  </w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>
  </w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>
</w:body></w:document>"""


def test_what_word_documents_hold_besides_paragraphs() -> None:
    body = changed(FILES / "pandoc.docx", {"word/document.xml": WORD_BODY.encode()})
    content = read(body, "x.docx")
    assert [(piece.locator.label, piece.text) for piece in content.pieces[:4]] == [
        ("", "A new word"),
        ("In a form", "In a form"),
        ("In a form", "one cell | another"),
        ("In a form", "boxed"),
    ]


CELL = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p>{}</w:tc>"
ROW = "<w:tbl><w:sdt><w:sdtContent><w:tr>{}</w:tr></w:sdtContent></w:sdt></w:tbl>"
IN_CELLS = ROW.format(
    CELL.format("outer", ROW.format(CELL.format("inner", ROW.format(CELL.format("core", "")))))
    + CELL.format("beside", "")
)


def test_a_table_in_a_cell_is_read_once() -> None:
    document = WORD_BODY[: WORD_BODY.index("<w:p>")] + IN_CELLS + "</w:body></w:document>"
    body = changed(FILES / "pandoc.docx", {"word/document.xml": document.encode()})
    content = read(body, "x.docx")
    assert content.pieces[0].text == "outer inner core | beside"
    assert not [piece for piece in content.pieces[1:] if "inner" in piece.text]


OPEN_BODY = """<?xml version="1.0"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:text>
<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>
<text:p>A<text:s/>word<office:annotation><text:p>Really?</text:p></office:annotation>, with a note
  <text:note><text:note-body><text:p>below</text:p></text:note-body></text:note></text:p>
<text:section><text:h text:outline-level="2">Within</text:h><text:list><text:list-item>
  <text:p>one item</text:p></text:list-item></text:list></text:section>
<table:table><table:table-row><table:table-cell><text:p>one</text:p><text:p>cell</text:p>
  </table:table-cell><table:table-cell><text:p>another</text:p></table:table-cell>
  </table:table-row></table:table>
</office:text></office:body></office:document-content>"""


def test_what_open_documents_hold_besides_paragraphs() -> None:
    body = changed(FILES / "pandoc.odt", {"content.xml": OPEN_BODY.encode()})
    content = read(body, "x.odt")
    assert [(piece.locator.label, piece.text) for piece in content.pieces] == [
        ("", "A word, with a note below"),
        ("Within", "Within"),
        ("Within", "one item"),
        ("Within", "one cell | another"),
    ]


@pytest.mark.parametrize("name", ["libreoffice.pptx", "libreoffice.odp", "bicycle.pptx"])
def test_a_presentation_is_read_by_its_slides(name: str) -> None:
    folder = EXAMPLES if name == "bicycle.pptx" else FILES
    content = read((folder / name).read_bytes(), name)
    assert (content.title, content.author) == ("Why a bicycle stays up", "The Slow Almanac")
    assert (Slide(7), "Children go on learning it in an afternoon.") in [
        (piece.locator, piece.text) for piece in content.pieces
    ]


def test_the_notes_of_a_slide_are_read_with_it() -> None:
    content = read_file("notes.pptx")
    assert [(piece.locator, piece.text) for piece in content.pieces] == [
        (Slide(1), "Harriers"),
        (Slide(2), "Passing food"),
        (Slide(2), "He drops it, she catches it."),
        (Slide(2), "Show the film here."),
    ]
    assert content.title == "Harriers"


SLIDE = """<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"
  xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"
  xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><p:cSld><p:spTree>
<mc:AlternateContent><mc:Choice Requires="a14">{0}</mc:Choice><mc:Fallback>{0}</mc:Fallback>
</mc:AlternateContent></p:spTree></p:cSld></p:sld>"""
FORMULA = "<p:sp><p:txBody><a:p><a:r><a:t>E = mc²</a:t></a:r></a:p></p:txBody></p:sp>"


def test_what_a_slide_has_for_older_programs_is_not_read_too() -> None:
    body = changed(FILES / "notes.pptx", {"ppt/slides/slide1.xml": SLIDE.format(FORMULA).encode()})
    pieces = read(body, "x.pptx").pieces
    assert [piece.text for piece in pieces if piece.locator == Slide(1)] == ["E = mc²"]


@pytest.mark.parametrize(
    "name", ["libreoffice.xlsx", "libreoffice.ods", "libreoffice.xls", "bread.xlsx"]
)
def test_a_workbook_is_read_by_its_sheets(name: str) -> None:
    folder = EXAMPLES if name == "bread.xlsx" else FILES
    content = read((folder / name).read_bytes(), name)
    found = [(piece.locator, piece.text) for piece in content.pieces]
    assert len(found) == 9
    assert found[0] == (Sheet("Starters"), "starter; flour; fed every; smells of; what to know")
    assert found[5] == (
        Sheet("Loaves"),
        "loaf: Friday rye; starter: Old Berta; hydration in percent: 82; baked at: 230; "
        "minutes: 55; what went wrong: Nothing, once it had rested for a day before it was cut.",
    )


def test_a_sheet_whose_cells_are_far_apart_is_refused_or_read() -> None:
    """The first and the last cell that a sheet can have: 17 thousand million between them."""
    cells = (
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    )
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{namespace}"><sheetData>{cells}</sheetData></worksheet>'
    body = changed(FILES / "libreoffice.xlsx", {"xl/worksheets/sheet1.xml": sheet.encode()})
    with pytest.raises(UnusableThing, match=r"MB of memory|could not be read") as caught:
        read(body, "x.xlsx")
    assert not caught.value.retryable


@pytest.mark.parametrize("name", ["locked.docx", "locked.xlsx"])
def test_a_password_is_asked_for(name: str) -> None:
    with pytest.raises(UnusableThing, match="asks for a password") as caught:
        read_file(name)
    assert caught.value.code is ErrorCode.PASSWORD_PROTECTED


LOCKED = """<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/>
</manifest:file-entry></manifest:manifest>"""


@pytest.mark.parametrize("name", ["libreoffice.odt", "libreoffice.odp", "libreoffice.ods"])
def test_a_password_of_an_open_document_is_asked_for(name: str) -> None:
    body = changed(FILES / name, {"META-INF/manifest.xml": LOCKED.encode()})
    with pytest.raises(UnusableThing, match="asks for a password") as caught:
        read(body, name)
    assert caught.value.code is ErrorCode.PASSWORD_PROTECTED


@every_kind
def test_a_bomb_is_refused(
    processor: type[DocumentProcessor], file: str, content_type: str
) -> None:
    body = changed(FILES / file, {"bomb.bin": b" " * 64 * 2**20})
    document = Download("https://e.example/x", body, None, content_type)
    with pytest.raises(UnusableThing, match="unpacks to more than 200 times its size") as caught:
        processor(tools()).read(document)
    assert caught.value.code is ErrorCode.TOO_LARGE


@every_kind
def test_a_file_that_was_cut_off(
    processor: type[DocumentProcessor], file: str, content_type: str
) -> None:
    whole = (FILES / file).read_bytes()
    document = Download("https://e.example/x", whole[: len(whole) // 2], None, content_type)
    with pytest.raises(UnusableThing, match="could not be read") as caught:
        processor(tools()).read(document)
    assert caught.value.code is ErrorCode.DOCUMENT_UNREADABLE


@every_kind
def test_an_archive_of_something_else(
    processor: type[DocumentProcessor], file: str, content_type: str
) -> None:
    other = next(FILES / name for _, name, _ in KINDS if name != file)
    document = Download("https://e.example/x", other.read_bytes(), None, content_type)
    with pytest.raises(UnusableThing) as caught:
        processor(tools()).read(document)
    assert not caught.value.retryable


@pytest.mark.parametrize("file", sorted(FILES.glob("*.[dopx][dlops]*")), ids=lambda file: file.name)
def test_first_bytes_are_enough_where_there_is_no_name(file: Path) -> None:
    first = file.read_bytes()[:SNIFFED]
    found = recognise("application/octet-stream", [], lambda: first)
    if first.startswith(COMPOUND_FILE):  # nothing tells what is inside
        assert found == "application/x-ole-storage"
    else:
        assert file.suffix in processor_class(found).suffixes

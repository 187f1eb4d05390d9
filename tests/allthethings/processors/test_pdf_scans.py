"""Pages of PDFs that are pictures: which they are, how they are drawn, and how they are joined."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from allthethings.assets.locators import Page
from allthethings.assets.passages import Piece
from allthethings.processors import Content, pdf_scans
from allthethings.processors.document_processor import PageNotDrawn
from allthethings.processors.pdf import PdfProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools
from tests.allthethings.processors.test_contract import asset_of
from tools.harness.pdfs import make_pdf, page_of, picture_of, stream

WORDS = page_of("A page of words, which are long enough to be the text of it.")
NUMBER = b"BT /F 11 Tf 300 20 Td (- 12 of 300 -) Tj ET"
# What a program that recognises text leaves behind a picture: words that are not drawn.
LAYER = b"BT 3 Tr /F 11 Tf 60 760 Td (A layer of words that nobody sees, but can copy.) Tj ET"
SPOT = b"q 9 0 0 9 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"


def read(body: bytes) -> Content:
    return PdfProcessor.parse(Download("https://e.example/x.pdf", body, None))


@pytest.mark.parametrize(
    ("page", "scanned"),
    [
        pytest.param(picture_of("x"), True, id="a picture"),
        pytest.param(picture_of("x", NUMBER), True, id="a picture with the number of its page"),
        pytest.param(stream(SPOT), True, id="a small picture"),
        pytest.param(stream(b"100 100 m 200 300 l S " * 40), True, id="outlines of letters"),
        pytest.param(picture_of("x", LAYER), False, id="a picture with a layer of text"),
        pytest.param(WORDS, False, id="words"),
        pytest.param(stream(NUMBER), False, id="a number"),
        pytest.param(stream(NUMBER + b" " + SPOT), False, id="a number and a small picture"),
        pytest.param(stream(b""), False, id="nothing"),
    ],
)
def test_which_pages_are_scans(page: bytes, scanned: bool) -> None:
    assert read(make_pdf(WORDS, page)).scanned == ((2,) if scanned else ())


def test_a_number_on_a_scanned_first_page_is_no_title() -> None:
    assert read(make_pdf(picture_of("x", NUMBER), WORDS)).title is None


def test_the_pages_beyond_the_first_hundred_are_told() -> None:
    content = read(make_pdf(WORDS, *[picture_of("x")] * 103))
    assert content.scanned == tuple(range(2, 102))
    assert content.remark == ("The first 100 scanned pages were read; pages 102 to 104 were not.")


FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize(
    ("name", "scanned"),
    [
        ("img2pdf.pdf", (1, 2, 3)),
        ("img2pdf-turned.pdf", (1,)),
        ("pillow.pdf", (1, 2)),
        ("layer.pdf", (2,)),
    ],
)
def test_scans_of_several_makers_are_drawn_alike(name: str, scanned: tuple[int, ...]) -> None:
    body = (FILES / name).read_bytes()
    assert read(body).scanned == scanned
    for page in scanned:
        assert difference(drawn(body, page), drawn((FILES / "reportlab.pdf").read_bytes())) < 6


def difference(one: Image.Image, other: Image.Image) -> float:
    """How much two pictures differ on the average, of 0 to 255, seen from far away."""
    small = (each.resize((60, 80), Image.Resampling.BOX) for each in (one, other))
    return float(ImageStat.Stat(ImageChops.difference(*small)).mean[0])


# -- drawn


def drawn(body: bytes, page: int = 1) -> Image.Image:
    return Image.open(io.BytesIO(pdf_scans.drawn(body, page)))


def test_a_page_is_drawn_at_300_dots_an_inch_in_grey() -> None:
    picture = drawn(make_pdf(WORDS, picture_of("x")), 2)
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", (2500, 3334))


def test_a_page_that_lies_on_its_side_is_drawn_upright() -> None:
    turned = make_pdf(picture_of("x")).replace(b"/Type /Page ", b"/Rotate 90 /Type /Page ")
    assert drawn(turned).size == (3334, 2500)


def test_a_large_page_has_fewer_dots() -> None:
    large = make_pdf(picture_of("x")).replace(b"[0 0 600 800]", b"[0 0 6000 8000]")
    picture = drawn(large)
    assert picture.width * picture.height == pytest.approx(pdf_scans.MAX_PIXELS, rel=0.01)


def test_a_page_that_is_not_there_cannot_be_drawn() -> None:
    def download(url: str, max_bytes: int) -> Download:
        assert max_bytes == PdfProcessor.max_bytes
        return Download(url, make_pdf(WORDS), None)

    processor = PdfProcessor(replace(tools(), download=download))
    with pytest.raises(PageNotDrawn, match="It is damaged"):
        processor.draw(asset_of("application/pdf", None), 2)
    assert processor.draw(asset_of("application/pdf", None), 1).startswith(b"\xff\xd8")


# -- joined


def test_pages_are_joined_in_their_order() -> None:
    pieces = tuple(Piece(text, Page(page)) for text, page in (("7", 1), ("Two.", 2), ("9", 3)))
    joined = pdf_scans.joined(
        Content(pieces, "", "A title", remark="One thing.", scanned=(1, 3, 4, 5)),
        {1: "One.\n\nIt goes\non.", 3: " \n", 4: "Four."},
        {5: "It is damaged."},
    )
    assert [(piece.text, piece.locator) for piece in joined.pieces] == [
        ("One.", Page(1)),
        ("It goes on.", Page(1)),
        ("Two.", Page(2)),
        ("9", Page(3)),
        ("Four.", Page(4)),
    ]
    assert joined.text == "One.\n\nIt goes on.\n\nTwo.\n\n9\n\nFour."
    assert (joined.title, joined.scanned) == ("A title", ())
    assert joined.remark == "One thing. Page 5 could not be read. It is damaged."


def test_several_pages_that_cannot_be_read_are_told_with_one_reason() -> None:
    joined = pdf_scans.joined(Content((), ""), {}, {7: "It is torn.", 3: "It is wet.", 4: "No."})
    assert joined.remark == "Pages 3 to 4, 7 could not be read. Page 3: It is wet."


def test_many_pages_are_named_in_short() -> None:
    assert pdf_scans.named(range(1, 100, 2)) == (
        "Pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and others"
    )

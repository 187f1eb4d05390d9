"""PDF files. Those in files/ were made by the programs that they are named after."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from allthethings.assets.locators import Page
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content, pdf
from allthethings.processors.pdf import PdfProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import EXAMPLES, tools
from tools.harness.pdfs import make_pdf, page_of, stream

FILES = Path(__file__).parent / "files"
MAKERS = ["chromium", "libreoffice", "reportlab", "weasyprint"]


def read(body: bytes) -> Content:
    return PdfProcessor(tools()).read(Download("https://e.example/x.pdf", body, None))


def paragraphs(content: Content) -> list[tuple[int, str]]:
    """Page numbers and texts."""
    return [
        (piece.locator.number, piece.text)
        for piece in content.pieces
        if isinstance(piece.locator, Page)
    ]


@pytest.mark.parametrize("maker", MAKERS)
def test_what_several_programs_make_reads_alike(maker: str) -> None:
    content = read((FILES / f"{maker}.pdf").read_bytes())
    assert content.title == "The marsh harrier"
    assert content.remark is None
    found = paragraphs(content)
    if maker != "libreoffice":  # it ignores the head that the source asks for
        assert found.pop(0) == (1, "Birds of the reed bed")
    assert found[0] == (1, "The marsh harrier")
    assert found[1][1].endswith("an arrangement that is otherwise characteristic of owls.")
    assert found[2:] == [
        (1, "A pair needs about a square kilometre of undisturbed reed bed."),
        (2, "Passing food"),
        (
            2,
            "The male does not come to the nest. He calls, she rises beneath him, turns on her "
            "back in the air, and catches what he drops. Ornithologists call this manoeuvre the "
            "food pass.",
        ),
        (2, "She misses one vole in twenty."),
        (3, "Winter"),
        (
            3,
            "In September most harriers leave for the marshes south of the Sahara; "
            "incomprehensibly, a few stay and sleep together in the stubble, dozens in one field.",
        ),
        (4, "Counting"),
        (
            4,
            "Volunteers count harriers at dusk, when the birds arrive at the roost one after the "
            "other.",
        ),
    ]


def test_a_sentence_that_goes_on_overleaf_is_found_where_it_begins() -> None:
    content = read((EXAMPLES / "glacier.pdf").read_bytes())
    assert (content.author, content.dated) == ("The Slow Almanac", "2025-01-14")
    [(page, _text)] = [each for each in paragraphs(content) if "the end of a rope" in each[1]]
    assert page == 1
    assert "however terrible it looks to somebody" in content.text
    assert "crea-" not in content.text


def test_running_lines_are_left_out_and_no_other_ones() -> None:
    pages = [
        page_of(
            "The book" if number % 2 else f"Chapter {number // 6}",
            "",
            f"Words that only page {number} has.",
            "",
            f"- {number} -",
        )
        for number in range(1, 21)
    ]
    found = paragraphs(read(make_pdf(*pages)))
    assert found[:3] == [
        (1, "The book"),
        (1, "Words that only page 1 has."),
        (2, "Chapter 0"),
    ]
    assert found[3:] == [(n, f"Words that only page {n} has.") for n in range(2, 21)]


def test_short_pages_that_end_alike_are_whole() -> None:
    names = ("Ann", "Bo", "Cy")
    pages = [page_of(f"Results of {name}", "", "They are", "good.") for name in names]
    assert [text for _, text in paragraphs(read(make_pdf(*pages)))] == [
        text for name in names for text in (f"Results of {name}", "They are good.")
    ]


def test_divided_words_are_whole_and_others_keep_their_hyphens() -> None:
    content = read(
        make_pdf(
            page_of(
                "A well-known bird is un-",
                "mistakable. It is well-",
                "known to the Anglo-",
                "Saxons since long ago.",
            )
        )
    )
    assert content.text == (
        "A well-known bird is unmistakable. It is well-known to the Anglo-Saxons since long ago."
    )


@pytest.mark.parametrize(
    ("info", "title", "dated"),
    [
        (b"/Title (Herons) /CreationDate (D:20240229)", "Herons", "2024-02-29"),
        (b"/Title (Microsoft Word - herons.doc) /CreationDate (D:2024)", None, "2024"),
        (b"/Title (herons_final.tex) /CreationDate (yesterday)", None, None),
        (b"/CreationDate (D:20230229)", None, "2023"),
        (b"", None, None),
    ],
)
def test_what_a_file_tells_of_itself(info: bytes, title: str | None, dated: str | None) -> None:
    content = read(make_pdf(page_of("Words."), info=info))
    assert (content.title, content.author, content.dated) == (title, None, dated)


def test_large_letters_are_the_title_of_a_file_without_one() -> None:
    content = stream(
        b"BT /F 24 Tf 60 760 Td (Herons) Tj 0 -28 Td (at dusk) Tj /F 11 Tf 0 -40 Td (A heron) Tj "
        b"0 -14 Td (stands still.) Tj ET"
    )
    assert read(make_pdf(content)).title == "Herons at dusk"


def test_pages_with_nothing_on_them_are_passed_over() -> None:
    empty, words = stream(b""), page_of("Words.")
    content = read(make_pdf(words, empty, empty, words, empty))
    assert (content.scanned, content.remark) == ((), None)
    with pytest.raises(UnusableThing, match="No page of this PDF has text") as caught:
        read(make_pdf(empty, empty))
    assert caught.value.code is ErrorCode.NO_TEXT


def test_a_password_is_asked_for() -> None:
    with pytest.raises(UnusableThing, match="asks for a password") as caught:
        read((FILES / "locked.pdf").read_bytes())
    assert caught.value.code is ErrorCode.PASSWORD_PROTECTED


def test_a_file_that_was_cut_off() -> None:
    whole = (FILES / "libreoffice.pdf").read_bytes()
    with pytest.raises(UnusableThing, match="could not be read") as caught:
        read(whole[: len(whole) // 2])
    assert caught.value.code is ErrorCode.DOCUMENT_UNREADABLE


def test_too_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(UnusableThing, match="has 3 pages, more than 2") as caught:
        PdfProcessor.parse(Download("", make_pdf(*[page_of("Words.")] * 3), None))
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_a_page_that_unpacks_to_gigabytes() -> None:
    packer = zlib.compressobj()
    first, next_one = (
        packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    packed = first + next_one * 4_000
    with pytest.raises(UnusableThing, match="more than 1,024 MB of memory") as caught:
        read(make_pdf(stream(packed, b"/Filter /FlateDecode")))
    assert caught.value.code is ErrorCode.DOCUMENT_TOO_COMPLEX


@pytest.mark.parametrize(
    "whole",
    [False, pytest.param(True, marks=pytest.mark.slow("PDFium has more to do without the places"))],
)
def test_a_million_objects(*, whole: bool) -> None:
    """Also where their places are not told, so that PDFium looks for them."""
    body = make_pdf(page_of("Words."), spare=1_000_000)
    body = body if whole else body.replace(b"startxref", b"startxxxx")
    assert PdfProcessor.parse(Download("", body, None)).text == "Words."


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (b"%PDF-1.4\n", True),
        (b"\n\nX-Header: 1\r\n\r\n%PDF-2.0\n", True),
        (b"About %PDF files", False),
        (b"x" * 2_000 + b"%PDF-1.4", False),
    ],
)
def test_files_are_recognised(first: bytes, known: bool) -> None:
    assert PdfProcessor.sniff(first) == ("application/pdf" if known else None)

from __future__ import annotations

import re
import zipfile

import pytest

from allthethings.assets.locators import Heading
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content
from allthethings.processors.book import EPUB, BookProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import EXAMPLES, tools
from tests.allthethings.processors.office import FILES
from tools.harness.archives import changed

HARRIER = FILES / "pandoc.epub"
CHAPTER = "EPUB/text/ch001.xhtml"


def read(body: bytes) -> Content:
    return BookProcessor(tools()).read(Download("https://e.example/x", body, None, EPUB))


def placed(content: Content) -> list[tuple[str, str]]:
    return [(piece.locator.label, piece.text) for piece in content.pieces]


def test_a_book_is_read_by_its_headings() -> None:
    content = read(HARRIER.read_bytes())
    assert (content.title, content.author) == ("The marsh harrier", "Ann Example")
    assert placed(content)[-5:] == [
        ("Passing food", "She misses one vole in twenty."),
        ("Winter", "Winter"),
        (
            "Winter",
            "In September most harriers leave for the marshes south of the Sahara; "
            "incomprehensibly, a few stay and sleep together in the stubble, dozens in one field.",
        ),
        ("Counting", "Counting"),
        (
            "Counting",
            "Volunteers count harriers at dusk, when the birds arrive at the roost one after the "
            "other.",
        ),
    ]


def test_chapters_without_headings_have_their_names_in_the_contents() -> None:
    """LibreOffice writes no headings."""
    body = FILES / "libreoffice.epub"
    nothing = {"OEBPS/toc.xhtml": b"<html/>", "OEBPS/toc.ncx": b"<ncx/>"}
    for content in (
        read(body.read_bytes()),
        read(changed(body, {"OEBPS/toc.xhtml": nothing["OEBPS/toc.xhtml"]})),
        read(changed(body, {"OEBPS/toc.ncx": nothing["OEBPS/toc.ncx"]})),
    ):
        assert (content.title, content.author) == ("The marsh harrier", "Ann Example")
        assert placed(content)[-2] == ("The marsh harrier", "Counting")
    assert placed(read(changed(body, nothing)))[-2] == ("", "Counting")


@pytest.mark.parametrize(
    ("told", "dated"),
    [(b"2024-02-29T06:00:00Z", "2024-02-29"), (b"1999", "1999"), (b"circa 1999", None)],
)
def test_a_date_is_one_of_the_calendar(told: bytes, dated: str | None) -> None:
    with zipfile.ZipFile(HARRIER) as archive:
        package = archive.read("EPUB/content.opf")
    changed_date = re.sub(rb"(<dc:date[^>]*>)[^<]*", rb"\g<1>" + told, package)
    assert read(changed(HARRIER, {"EPUB/content.opf": changed_date})).dated == dated


def test_the_chapters_are_read_in_their_order() -> None:
    content = read((EXAMPLES / "snow-post.epub").read_bytes())
    assert (content.title, content.dated) == ("The snow post", "2025-01-30")
    headings = list(dict.fromkeys(piece.locator for piece in content.pieces))
    assert headings[-3:] == [Heading("The bag"), Heading("The hut"), Heading("The thaw")]


@pytest.mark.parametrize(
    "chapter",
    [
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><style>p {}</style></head><body>'
        "<h2>One<!-- 1 --> head</h2><div>In a <b>box</b><p>Words,<br/>more</p></div>"
        "<table><tr><td>a</td><td>b</td></tr></table>last</body></html>",
        # No XML: an entity of HTML, and tags that nobody closes.
        "<h2>One&nbsp;head</h2>In a <b>box</b><p>Words,<br>more<table><tr><td>a<td>b</table>last",
    ],
)
def test_the_markup_of_a_chapter(chapter: str) -> None:
    content = read(changed(HARRIER, {CHAPTER: chapter.encode()}))
    assert placed(content)[-5:] == [
        ("One head", "One head"),
        ("One head", "In a box"),
        ("One head", "Words, more"),
        ("One head", "a | b"),
        ("One head", "last"),
    ]


def test_a_chapter_in_another_encoding() -> None:
    page = '<?xml version="1.0" encoding="iso-8859-2"?><p>Żuraw&nbsp;stoi</p>'
    content = read(changed(HARRIER, {CHAPTER: page.encode("iso-8859-2")}))
    assert placed(content)[-1][1] == "Żuraw stoi"


def protection(algorithm: str) -> bytes:
    return f"""<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>
<enc:EncryptionMethod Algorithm="{algorithm}"/></enc:EncryptedData></encryption>""".encode()


def test_a_protected_book_is_refused_but_not_one_with_hidden_fonts() -> None:
    path = "META-INF/encryption.xml"
    with pytest.raises(UnusableThing, match="protected against copying") as caught:
        read(changed(HARRIER, {path: protection("http://www.w3.org/2001/04/xmlenc#aes128-cbc")}))
    assert caught.value.code is ErrorCode.PASSWORD_PROTECTED
    assert read(changed(HARRIER, {path: protection("http://www.idpf.org/2008/embedding")})).pieces


def test_a_chapter_that_is_missing_is_passed_over() -> None:
    package = b"""<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>
<item id="a" href="text/gone.xhtml"/><item id="b" href="text/ch001.xhtml"/></manifest>
<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/></spine></package>"""
    content = read(changed(HARRIER, {"EPUB/content.opf": package}))
    assert content.title is None
    assert content.text.endswith("one after the other.")


@pytest.mark.parametrize(
    "members",
    [{"META-INF/container.xml": b"<container/>"}, {"EPUB/content.opf": b"<package"}],
)
def test_a_broken_book(members: dict[str, bytes]) -> None:
    with pytest.raises(UnusableThing, match="This book could not be read") as caught:
        read(changed(HARRIER, members))
    assert caught.value.code is ErrorCode.DOCUMENT_UNREADABLE


def test_a_bomb_is_refused() -> None:
    with pytest.raises(UnusableThing, match="unpacks to more than 200 times its size"):
        read(changed(HARRIER, {CHAPTER: b"<p>" + b" " * 32 * 2**20}))

"""Which kind gets a thing: by its first bytes, what its server calls it, and its name."""

from __future__ import annotations

import gzip

import pytest

from allthethings.processors import kind_of, recognise

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 99
MP3 = b"ID3\x04\x00\x00" + b"\x00" * 99
MP4 = b"\x00\x00\x00\x20ftypisom" + b"\x00" * 99
PAGE = b"<!doctype html><title>A page</title>"
WORDS = b"# Notes\n\nSome words about nothing."
LEGACY = "W\u00f6rter auf Deutsch.".encode("iso-8859-1")
OTHER = b"\x00\x01\x02\x03" * 99


def unasked() -> bytes:
    raise AssertionError("the first bytes are not needed")


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("text/html", ""),
        ("text/html", "index.html"),
        ("text/html", "index.php"),
        ("text/html", "tides.py"),
        ("text/vtt", "talk.txt"),
        ("audio/x-wav", "talk.mp3"),
        ("audio/mpeg", "talk.final"),
        ("text/markdown", "notes.txt"),
    ],
)
def test_a_server_that_is_clear_is_believed(told: str, name: str) -> None:
    assert recognise(told, [name], unasked) == told


@pytest.mark.parametrize(
    ("told", "name", "first", "content_type"),
    [
        # A server that does not know.
        ("", "", PAGE, "text/html"),
        ("application/octet-stream", "", MP3, "audio/mpeg"),
        ("application/octet-stream", "", WORDS, "text/plain"),
        ("application/octet-stream", "notes.md", WORDS, "text/markdown"),
        ("application/octet-stream", "notes.txt", LEGACY, "text/plain"),
        ("application/octet-stream", "talk.mp3", OTHER, "audio/mpeg"),
        ("application/octet-stream", "talk.mp3", PNG, "image/png"),
        ("application/octet-stream", "talk.mp3", WORDS, "text/plain"),
        ("application/octet-stream", "disc.iso", OTHER, "application/octet-stream"),
        ("application/octet-stream", "", PNG, "image/png"),
        ("", "", OTHER, ""),
        # A server that says the same of many kinds of files.
        ("text/plain", "README.md", WORDS, "text/markdown"),
        ("text/plain", "notes", WORDS, "text/plain"),
        ("text/plain", "", LEGACY, "text/plain"),
        ("text/plain", "talk.mp3", MP3, "audio/mpeg"),
        ("text/plain", "", PNG, "image/png"),
        ("text/plain", "page", PAGE, "text/html"),
        # A server that says something else than the name.
        ("text/html", "talk.mp3", MP3, "audio/mpeg"),
        ("text/html", "talk.mp3", PAGE, "text/html"),
        ("text/html", "talk.mp3", MP4, "video/mp4"),
        ("text/html", "talk.mp3", b"<p>A fragment.", "text/html"),
        ("audio/mpeg", "talk.html", PAGE, "text/html"),
        ("audio/mpeg", "talk.html", OTHER, "audio/mpeg"),
        ("audio/mpeg", "talk.py", WORDS, "text/x-python"),
        ("video/mp2t", "app.ts", WORDS, "text/x-typescript"),
        ("video/mp2t", "film.ts", b"\x47\x40\x00\x10" + b"\x00" * 99, "video/mp2t"),
        ("audio/mpeg", "talk", WORDS, "audio/mpeg"),
        ("audio/x-m4a", "talk.html", b"\x00\x00\x00\x20ftypM4A ", "audio/x-m4a"),
        # A content type that no kind has.
        ("application/x-nothing", "", MP3, "audio/mpeg"),
        ("application/x-nothing", "notes.md", WORDS, "text/markdown"),
        ("application/x-nothing", "", WORDS, "application/x-nothing"),
        ("application/x-nothing", "", b"", "application/x-nothing"),
        ("model/stl", "", PNG, "image/png"),
    ],
)
def test_bytes_and_names_tell_what_a_server_does_not(
    told: str, name: str, first: bytes, content_type: str
) -> None:
    assert recognise(told, [name], lambda: first) == content_type


def test_the_best_name_decides() -> None:
    names = ["notes.bin", "notes.md", "talk.mp3"]
    assert recognise("application/octet-stream", names, lambda: WORDS) == "text/markdown"


TAR = bytes(257) + b"ustar\x0000" + bytes(99)
ZIPPED = b"PK\x03\x04\x14\x00" + bytes(24) + b"notes/tea.mdTea leaves unroll."
DOCX = b"PK\x03\x04\x14\x00" + bytes(24) + b"[Content_Types].xml" + bytes(40) + b"\x00word/doc"
# The first member is a document that is not packed any further.
BOX = b"PK\x03\x04\x14\x00" + bytes(24) + b"papers/letter.docx" + DOCX
EPUB = b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip"
SITEMAP = gzip.compress(
    b"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/'></urlset>", mtime=0
)


@pytest.mark.parametrize("told", ["application/zip", "application/octet-stream", "text/plain", ""])
@pytest.mark.parametrize(
    ("name", "first", "kind"),
    [
        ("files.zip", ZIPPED, "archive"),
        ("files.zip", DOCX, "document"),
        ("files.zip", BOX, "archive"),
        ("files.zip", DOCX.replace(b"[Content_Types].xml", b"word/styles.xml"), "document"),
        ("letter.docx", DOCX, "document"),
        ("letter.docx", ZIPPED, "document"),
        ("story.zip", EPUB, "book"),
        ("files.tar", TAR, "archive"),
        ("files", TAR, "archive"),
        ("files.tar.gz", gzip.compress(TAR, mtime=0), "archive"),
        ("sitemap.xml.gz", SITEMAP, "list"),
    ],
)
def test_an_archive_is_told_from_the_documents_that_are_archives(
    told: str, name: str, first: bytes, kind: str
) -> None:
    assert kind_of(recognise(told, [name], lambda: first)) == kind


def test_a_zip_file_without_a_name_is_an_archive() -> None:
    assert recognise("", ["download"], lambda: ZIPPED) == "application/zip"
    assert recognise("application/zip", ["download"], lambda: ZIPPED) == "application/zip"
    assert recognise("application/gzip", ["a.xml.gz"], lambda: SITEMAP) != "application/gzip"

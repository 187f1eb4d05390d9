"""E-books, by their chapters: EPUB (https://www.w3.org/TR/epub-33/)."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from allthethings.assets import locators
from allthethings.assets.facts import day_of
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.blocks import blocks, parse
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.packages import opened, parsed
from allthethings.processors.processor import Content, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

EPUB = "application/epub+zip"
CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
PACKAGE = "{http://www.idpf.org/2007/opf}"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
XHTML = "{http://www.w3.org/1999/xhtml}"
TOC = "{http://www.daisy.org/z3986/2005/ncx/}"
NCX = "application/x-dtbncx+xml"
ENCRYPTION = "{http://www.w3.org/2001/04/xmlenc#}"
# Fonts that are only made hard to take out. All else that is encrypted needs a key.
FONT_ALGORITHMS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")

PROTECTED = "This book is protected against copying (DRM)."
# The encoding that an XML declaration names.
DECLARED = re.compile(rb"encoding=[\"']([\w-]+)")


class BookProcessor(DocumentProcessor):
    """A book by the headings of its chapters."""

    kind: ClassVar = "book"
    accepts: ClassVar = (EPUB,)
    signatures: ClassVar = {EPUB: rb"PK\x03\x04.{26}mimetypeapplication/epub\+zip"}
    suffixes: ClassVar = {".epub": EPUB}
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "book"
    no_text: ClassVar = "No text was found in this book; its pages may be pictures."
    mark: ClassVar = svg(
        "M8 4c-2-1.5-4-1.5-6-1v9c2-.5 4-.5 6 1 2-1.5 4-1.5 6-1V3c-2-.5-4-.5-6 1zM8 4v9"
    )
    preload: ClassVar = ("lxml.etree",)

    @staticmethod
    def parse(document: Download) -> Content:
        """The text in the order of reading, under its headings."""
        with opened(document.body, BookProcessor.noun) as archive:
            _refuse_protected(archive)
            container = parsed(archive, "META-INF/container.xml")
            path = container.find(f".//{CONTAINER}rootfile").get("full-path")
            package = parsed(archive, path)
            pieces = tuple(_pieces(archive, package, posixpath.dirname(path)))
        text = "\n\n".join(piece.text for piece in pieces)
        title, author, day = (_told(package, name) for name in ("title", "creator", "date"))
        return Content(pieces, text, title, author, day_of(day))


def _refuse_protected(archive: zipfile.ZipFile) -> None:
    if "META-INF/encryption.xml" not in archive.namelist():
        return
    for method in parsed(archive, "META-INF/encryption.xml").iter(f"{ENCRYPTION}EncryptionMethod"):
        if method.get("Algorithm") not in FONT_ALGORITHMS:
            raise UnusableThing(PROTECTED, ErrorCode.PASSWORD_PROTECTED)


def _told(package: Element, name: str) -> str | None:
    words = " ".join((package.findtext(f".//{DUBLIN_CORE}{name}") or "").split())
    return words[:MAX_TITLE] or None


def _pieces(archive: zipfile.ZipFile, package: Element, folder: str) -> Iterator[Piece]:
    contents = _contents(archive, package, folder)
    heading = ""
    for name in _chapters(package, folder):
        if name not in archive.namelist() or (root := _root(archive, name)) is None:
            continue
        heading = contents.get(name, heading)
        for level, text in blocks(root):
            if level:
                heading = text[:MAX_TITLE]
            yield Piece(text, locators.under(heading))


def _contents(archive: zipfile.ZipFile, package: Element, folder: str) -> dict[str, str]:
    """The names of the chapters in the table of contents, by their members: for those that have no
    heading of their own. It is HTML, and NCX in older books."""
    names: dict[str, str] = {}
    for item in package.iter(f"{PACKAGE}item"):
        is_table = "nav" in (item.get("properties") or "").split() or item.get("media-type") == NCX
        table = _member(folder, item.get("href"))
        if not is_table or table not in archive.namelist():
            continue
        root = _root(archive, table)
        for entry in root.iter(f"{XHTML}a", f"{TOC}navPoint") if root is not None else ():
            content = entry.find(f"{TOC}content")
            target = entry.get("href") if content is None else content.get("src")
            label = entry if content is None else entry.find(f"{TOC}navLabel")
            words = "" if label is None else " ".join("".join(label.itertext()).split())
            if target and words:
                path = _member(posixpath.dirname(table), target.partition("#")[0])
                names.setdefault(path, words[:MAX_TITLE])
    return names


def _member(folder: str, href: str | None) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href or "")))


def _root(archive: zipfile.ZipFile, name: str) -> Element | None:
    """A chapter, which should be XML; many are not."""
    from lxml import etree

    try:
        return parsed(archive, name)
    except etree.XMLSyntaxError:
        raw = archive.read(name)
        told = DECLARED.search(raw[:200])
        return parse(raw, told.group(1).decode() if told else "utf-8")


def _chapters(package: Element, folder: str) -> Iterator[str]:
    """The names of the members to read, in their order, without the table of contents."""
    items = {
        item.get("id"): item
        for item in package.iter(f"{PACKAGE}item")
        if "nav" not in (item.get("properties") or "").split()
    }
    for entry in package.iter(f"{PACKAGE}itemref"):
        item = items.get(entry.get("idref"))
        if item is not None:
            yield _member(folder, item.get("href"))

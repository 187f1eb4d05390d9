"""Presentations, slide by slide: PowerPoint's .pptx, and OpenDocument's .odp."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets.locators import Slide
from allthethings.assets.passages import Piece
from allthethings.processors import opendocument
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.packages import ALTERNATE, opened, parsed, signature
from allthethings.processors.processor import Content, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
SHOW = "application/vnd.openxmlformats-officedocument.presentationml.slideshow"
ODP = "application/vnd.oasis.opendocument.presentation"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


class PresentationProcessor(DocumentProcessor):
    """A presentation by its slides, each with its notes. python-pptx is imported in the process
    that reads."""

    kind: ClassVar = "presentation"
    accepts: ClassVar = (PPTX, SHOW, ODP)
    signatures: ClassVar = {
        PPTX: signature(b"ppt"),
        ODP: rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument\.presentation",
    }
    suffixes: ClassVar = {".pptx": PPTX, ".ppsx": SHOW, ".odp": ODP}
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "presentation"
    no_text: ClassVar = "No slide of this presentation has text."
    mark: ClassVar = svg("M1.5 2.5h13M2.5 2.5v8h11v-8M8 10.5v3M5 14h6")
    preload: ClassVar = ("pptx", "lxml.etree")

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs of each slide."""
        with opened(document.body, PresentationProcessor.noun) as archive:
            if "content.xml" in archive.namelist():
                return _open_document(archive)
        return _power_point(document.body)


def _power_point(body: bytes) -> Content:
    from pptx import Presentation

    presentation = Presentation(io.BytesIO(body))
    slides = []
    for slide in presentation.slides:
        paragraphs = list(_paragraphs(slide.element))
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
            paragraphs += notes.text.splitlines()
        slides.append(paragraphs)
    about = presentation.core_properties
    dated = about.created.date().isoformat() if about.created else None
    return _content(slides, about.title, about.author, dated)


def _paragraphs(slide: Element) -> Iterator[str]:
    for paragraph in slide.iter(f"{DRAWING}p"):
        if next(paragraph.iterancestors(ALTERNATE), None) is not None:
            continue  # the same for older programs
        texts = paragraph.iter(f"{DRAWING}t", f"{DRAWING}br")
        yield "".join(text.text or " " for text in texts)


def _open_document(archive: zipfile.ZipFile) -> Content:
    opendocument.refuse_locked(archive, PresentationProcessor.noun)
    content = parsed(archive, "content.xml")
    tags = (f"{opendocument.TEXT}p", f"{opendocument.TEXT}h")
    slides = [
        [opendocument.words(paragraph) for paragraph in page.iter(*tags)]
        for page in content.iter(f"{opendocument.DRAW}page")
    ]
    return _content(slides, *opendocument.described(archive))


def _content(
    slides: Iterable[Iterable[str]], title: str | None, author: str | None, dated: str | None
) -> Content:
    """Without a title of its own, a presentation has the first line of its first slide."""
    pieces = tuple(
        Piece(words, Slide(number))
        for number, slide in enumerate(slides, 1)
        for paragraph in slide
        if (words := " ".join(paragraph.split()))
    )
    first = pieces[0].text if pieces and pieces[0].locator == Slide(1) else ""
    named = " ".join((title or "").split()) or first
    text = "\n\n".join(piece.text for piece in pieces)
    return Content(
        pieces, text, named[:MAX_TITLE] or None, (author or "")[:MAX_TITLE] or None, dated
    )

"""Pages of PDFs that are pictures of text: which they are, drawing them for a model that reads
pictures, and joining what it read with the text of the other pages."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from allthethings.assets.locators import Page
from allthethings.assets.passages import Piece
from allthethings.processors.image import paragraphs_of
from allthethings.processors.processor import Content

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

# Pages of one PDF that a model reads; further ones are named on the thing's page.
MAX_SCANNED = 100
# Characters that a scan may have as text: a page number, a stamp.
STAMP = 40
# The share of a page that a picture takes up if the page with so few characters is a scan.
SHARE = 0.5
# Objects of a page that are looked at, and how deep they are looked for in others.
MAX_OBJECTS, DEPTH = 1_000, 4
# Dots an inch of a drawn page: letters of 6 points have some 25 dots of height then.
DPI = 300
# Pixels of the largest drawn page, A3 at that many dots; of a larger page there are fewer dots.
MAX_PIXELS = 17_500_000
QUALITY = 85
POINTS_AN_INCH = 72
# Runs of pages that are told one by one.
MAX_RUNS = 10


def is_scan(page: PdfPage, characters: int) -> bool:
    """Whether a page with so many characters of text shows text as a picture, or as lines."""
    from pypdfium2.raw import FPDFPage_CountObjects

    if characters == 0:
        return bool(FPDFPage_CountObjects(page) > 0)
    return characters <= STAMP and _pictured(page) >= SHARE


def _pictured(page: PdfPage) -> float:
    """The share of the page that its largest picture takes up."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    width, height = page.get_size()
    pictures = page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE], max_depth=DEPTH)
    boxes = [each.get_bounds() for each in islice(pictures, MAX_OBJECTS)]
    areas = [(right - left) * (top - bottom) for left, bottom, right, top in boxes]
    return float(max(areas, default=0.0) / max(width * height, 1.0))


def drawn(body: bytes, page: int) -> bytes:
    """A page, counted from 1, as a JPEG in shades of grey. Runs in the sandbox; raises anything."""
    from pypdfium2 import PdfDocument

    with PdfDocument(body) as pdf:
        sheet = pdf[page - 1]
        width, height = sheet.get_size()
        inches = max(width * height, 1.0) / POINTS_AN_INCH**2
        scale = min(DPI, math.sqrt(MAX_PIXELS / inches)) / POINTS_AN_INCH
        picture = sheet.render(scale=scale, grayscale=True).to_pil()
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def joined(content: Content, read: Mapping[int, str], failed: Mapping[int, str]) -> Content:
    """The content with the texts that were read of its scanned pages, by their numbers. `failed`
    has a sentence for each page that could not be read. Pages without a text keep their own."""
    pages: dict[int, list[Piece]] = {}
    for piece in content.pieces:
        pages.setdefault(_number(piece), []).append(piece)
    for number, text in read.items():
        if found := [Piece(words, Page(number)) for words, _ in paragraphs_of(text)]:
            pages[number] = found
    pieces = tuple(chain.from_iterable(pages[number] for number in sorted(pages)))
    return replace(
        content,
        pieces=pieces,
        text="\n\n".join(piece.text for piece in pieces),
        remark=" ".join(filter(None, [content.remark, _failures(failed)])) or None,
        scanned=(),
    )


def _number(piece: Piece) -> int:
    return piece.locator.number if isinstance(piece.locator, Page) else 1


def _failures(failed: Mapping[int, str]) -> str | None:
    if not failed:
        return None
    first = min(failed)
    why = failed[first] if len(failed) == 1 else f"Page {first}: {failed[first]}"
    return f"{named(sorted(failed))} could not be read. {why}"


def beyond(scanned: Sequence[int]) -> str | None:
    """What is said where more pages are scanned than a model is asked to read."""
    left = scanned[MAX_SCANNED:]
    if not left:
        return None
    were = "was" if len(left) == 1 else "were"
    return f"The first {MAX_SCANNED} scanned pages were read; {named(left).lower()} {were} not."


def named(numbers: Sequence[int]) -> str:
    """Pages by their ascending numbers: `Page 3`, `Pages 2 to 4, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    told = [" to ".join(map(str, run)) for run in runs[:MAX_RUNS]]
    more = " and others" if len(runs) > MAX_RUNS else ""
    return f"{'Page' if len(numbers) == 1 else 'Pages'} {', '.join(told)}{more}"

"""Reads the text of a page with PP-OCR, which finds lines and then reads each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from layout import Line, text_of
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Pixels = NDArray[np.uint8]

# A page is read in strips of at most this height, in pixels: the memory grows with the strip.
STRIP = 700
# Pixels of the neighbouring strips that are seen too. A line belongs to the strip where its middle
# is; taller lines would be cut.
MARGIN = 100
# Pixels of the longer side of a strip that is not made smaller: a banner of 16 million pixels is.
MAX_SIDE = 2_000
# Certainty, from 0 to 1, below which a line is taken for no text.
CERTAIN = 0.6
# Certainty of half of the lines below which a page may stand on its head.
DOUBTFUL = 0.8


@dataclass(frozen=True)
class _Found:
    """A line, and how certain its text is, from 0 to 1."""

    line: Line
    certainty: float


class Reader:
    """PP-OCRv6 of the package rapidocr. It is loaded when the first page is read. Only one thread
    at a time may use it."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        self._engine: RapidOCR | None = None

    def text(self, page: Pixels) -> str:
        """The text of a page, an array of shape (height, width, 3), blue first. A page that seems
        to lie on its side or its head is turned."""
        found = self._read(page)
        if found and _is_doubtful(found):
            turned = (
                self._read(np.ascontiguousarray(np.rot90(page, turns))) for turns in (1, 2, 3)
            )
            found = max([found, *turned], key=_legible)
        return text_of([each.line for each in found if each.certainty >= CERTAIN])

    def _read(self, page: Pixels) -> list[_Found]:
        return [found for strip in _strips(len(page)) for found in self._lines(page, strip)]

    def _lines(self, page: Pixels, strip: range) -> Iterator[_Found]:
        """The lines whose middle is in the strip."""
        top = max(0, strip.start - MARGIN)
        result: Any = self._loaded()(page[top : strip.stop + MARGIN], use_cls=False)
        if result.boxes is None:
            return
        for corners, text, certainty in zip(result.boxes, result.txts, result.scores, strict=True):
            left, upper = map(float, corners.min(axis=0))
            right, lower = map(float, corners.max(axis=0))
            line = Line(left, upper + top, right, lower + top, text)
            if strip.start <= line.middle < strip.stop:
                yield _Found(line, certainty)

    def _loaded(self) -> RapidOCR:
        if self._engine is None:
            from rapidocr import RapidOCR

            self._engine = RapidOCR(
                params={
                    "Global.log_level": "error",
                    "Global.max_side_len": MAX_SIDE,
                    "Rec.rec_batch_num": 1,  # six long lines together take 0.5 GB
                    "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                }
            )
        return self._engine


def _strips(height: int) -> Iterator[range]:
    """Rows of a page of that height, in strips of about the same height."""
    count = -(-height // STRIP)
    for number in range(count):
        yield range(height * number // count, height * (number + 1) // count)


def _is_doubtful(found: Sequence[_Found]) -> bool:
    """Whether most lines stand upright, or can hardly be read."""
    upright = sum(each.line.height > each.line.right - each.line.left for each in found)
    return upright > len(found) / 2 or median(each.certainty for each in found) < DOUBTFUL


def _legible(found: Sequence[_Found]) -> float:
    """How many letters can be read, of lines that lie."""
    return sum(
        len(each.line.text) * each.certainty
        for each in found
        if each.certainty >= CERTAIN and each.line.height < each.line.right - each.line.left
    )

"""Puts the lines that were found on a page into reading order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

# Between two columns is white of this width at least, and each has lines of this length at least:
# multiples of the height of a line.
GUTTER = 0.8
COLUMN_WIDTH = 8.0
# Lines that a column has at least. A few words beside each other are a row of a table.
COLUMN_LINES = 3
# The share of the lines that may cross a gutter, such as headings.
ACROSS = 0.3
# Heights of a line by which the white before a paragraph is larger than that within it.
PARAGRAPH = 0.45
# How much taller than its neighbour the line of a heading is.
HEADING = 1.35


@dataclass(frozen=True)
class Line:
    """A line of text and where it stands, in pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def crosses(self, x: float) -> bool:
        """Whether it stands on both sides of x."""
        return self.left < x < self.right


def text_of(lines: Sequence[Line]) -> str:
    """The text in reading order, with an empty line between paragraphs: from top to bottom, and
    the columns that stand beside each other from left to right."""
    return "\n\n".join("\n".join(each) for block in _blocks(lines) for each in _paragraphs(block))


def _blocks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Parts of the page in reading order, each without columns."""
    x = _gutter(lines)
    if x is None:
        yield lines
        return
    for across, group in groupby(
        sorted(lines, key=lambda line: line.middle), lambda line: line.crosses(x)
    ):
        part = list(group)
        if across:
            yield part
        else:
            yield from _blocks([line for line in part if line.left < x])
            yield from _blocks([line for line in part if line.left >= x])


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the second of two columns begins, if there are two: in the place that the fewest lines
    cross, and where the most white is."""
    if len(lines) < 2 * COLUMN_LINES:
        return None
    height = median(line.height for line in lines)
    places = {
        round(line.left / height): line.left for line in sorted(lines, key=lambda line: -line.left)
    }
    found = [each for x in places.values() if (each := _cost(lines, x, height)) is not None]
    return min(found)[-1] if found else None


def _cost(lines: Sequence[Line], x: float, height: float) -> tuple[int, float, float] | None:
    """How many lines cross x, less so the more white there is before it, and x; None if that is
    no gutter between two columns."""
    left = [line for line in lines if line.right <= x]
    right = [line for line in lines if line.left >= x]
    crossing = len(lines) - len(left) - len(right)
    if min(len(left), len(right)) < COLUMN_LINES or crossing > ACROSS * len(lines):
        return None
    white = x - max(line.right for line in left)
    narrowest = min(median(line.right - line.left for line in side) for side in (left, right))
    beside = min(_end(left), _end(right)) - max(_start(left), _start(right))
    if white < GUTTER * height or narrowest < COLUMN_WIDTH * height or beside < height:
        return None
    return crossing, -white, x


def _start(lines: Sequence[Line]) -> float:
    return min(line.top for line in lines)


def _end(lines: Sequence[Line]) -> float:
    return max(line.bottom for line in lines)


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[str]]:
    """The rows of each paragraph of a part without columns."""
    rows = list(_rows(lines))
    gaps = [max(0.0, _start(row) - _end(above)) for above, row in pairwise(rows)]
    usual = median(gaps) if gaps else 0.0
    paragraph: list[str] = []
    for number, row in enumerate(rows):
        if paragraph and _begins(rows[number - 1], row, gaps[number - 1] - usual):
            yield paragraph
            paragraph = []
        paragraph.append(" ".join(line.text for line in row))
    if paragraph:
        yield paragraph


def _begins(above: Sequence[Line], row: Sequence[Line], more: float) -> bool:
    """Whether a row begins a paragraph; `more` is how much more white than usual is before it."""
    heights = sorted(median(line.height for line in each) for each in (above, row))
    return more > PARAGRAPH * heights[0] or heights[1] > HEADING * heights[0]


def _rows(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that stand beside each other, from left to right."""
    row: list[Line] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if row and line.middle > median(other.bottom for other in row):
            yield sorted(row, key=lambda line: line.left)
            row = []
        row.append(line)
    if row:
        yield sorted(row, key=lambda line: line.left)

"""Where in a thing a piece of its text stands: at a time, on a page, under a heading.

The types are a closed set. Each says how people read it, how a link leads to it in the
original, how far a passage may reach, and how it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

# Words of a passage that a link into a page names, from its beginning and from its end.
FIRST_WORDS, LAST_WORDS = 6, 4


@dataclass(frozen=True)
class Locator:
    """What all places have in common."""

    # Whether it is a time, so that a player can begin there.
    timed: ClassVar[bool] = False
    # Whether a passage goes on from one piece to the next until it is long enough. Elsewhere it
    # ends with its paragraph.
    runs_on: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The place in words for people; empty where there is nothing to say."""
        return ""

    def link(self, url: str, text: str) -> str:
        """The address in the original at URL `url` of this text; of the original, if it is empty,
        where no browser would find a text."""
        return f"{url}#:~:text={_text_directive(text)}" if text else url

    def reaches(self, following: Locator) -> bool:
        """Whether a passage may span this place and the following one."""
        return self == following

    def through(self, others: Sequence[Locator]) -> Locator:
        """The place of a passage that begins here and goes on at the others."""
        del others  # it is found where it begins
        return self

    def part(self, begin: float, end: float) -> Locator:
        """The place of a part of the text that stands here, which begins and ends at these shares
        of it, 0 to 1."""
        del begin, end  # known only where time passes with the text
        return self

    def stored(self) -> dict[str, Any]:
        """The JSON that `read` takes: in the database and in the HTTP API."""
        return {}


@dataclass(frozen=True)
class Whole(Locator):
    """Somewhere in the thing."""


@dataclass(frozen=True)
class TimeSpan(Locator):
    """From one moment of a recording to another, in seconds from its beginning."""

    start: float
    end: float

    timed: ClassVar[bool] = True
    runs_on: ClassVar[bool] = True

    @property
    def label(self) -> str:
        if self.end == self.start:
            return clock(self.start)
        return f"{clock(self.start)} \N{EN DASH} {clock(self.end)}"

    def link(self, url: str, text: str) -> str:  # noqa: ARG002 - the time is enough
        """A temporal fragment (W3C, Media Fragments URI 1.0)."""
        seconds = f"{self.start:.3f}".rstrip("0").rstrip(".")
        return f"{url}#t={seconds}"

    def reaches(self, following: Locator) -> bool:
        return following.timed

    def through(self, others: Sequence[Locator]) -> Locator:
        ends = [other.end for other in others if isinstance(other, TimeSpan)]
        return replace(self, end=max([self.end, *ends]))

    def part(self, begin: float, end: float) -> Locator:
        """Words are spoken evenly, as far as anybody knows; to the millisecond."""
        length = self.end - self.start
        return TimeSpan(round(self.start + begin * length, 3), round(self.start + end * length, 3))

    def stored(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True)
class Heading(Locator):
    """Under a heading of a page or a document."""

    text: str

    @property
    def label(self) -> str:
        return self.text

    def stored(self) -> dict[str, Any]:
        return {"heading": self.text}


@dataclass(frozen=True)
class Page(Locator):
    """On a page of a document, counted from 1. A passage may go on to the next page, and is
    found where it begins."""

    number: int

    @property
    def label(self) -> str:
        return f"page {self.number}"

    def link(self, url: str, text: str) -> str:  # noqa: ARG002 - the number is enough
        """A page of a PDF (RFC 8118, section 3)."""
        return f"{url}#page={self.number}"

    def reaches(self, following: Locator) -> bool:
        return isinstance(following, Page)

    def stored(self) -> dict[str, Any]:
        return {"page": self.number}


@dataclass(frozen=True)
class Slide(Locator):
    """On a slide, counted from 1. A passage of short slides goes on to slide `last`, which is 0
    where it does not."""

    number: int
    last: int = 0

    @property
    def label(self) -> str:
        return _span("slide", self.number, self.last or self.number)

    def link(self, url: str, text: str) -> str:  # noqa: ARG002
        """The presentation: no fragment leads to a slide."""
        return url

    def through(self, others: Sequence[Locator]) -> Locator:
        ends = [other.last or other.number for other in others if isinstance(other, Slide)]
        last = max([self.number, self.last, *ends])
        return replace(self, last=last if last > self.number else 0)

    def stored(self) -> dict[str, Any]:
        return {"slide": self.number, "to": self.last} if self.last else {"slide": self.number}


@dataclass(frozen=True)
class Sheet(Locator):
    """On a sheet of a workbook."""

    name: str

    @property
    def label(self) -> str:
        return f"sheet {self.name}"

    def link(self, url: str, text: str) -> str:  # noqa: ARG002
        """The workbook: no fragment leads to a sheet."""
        return url

    def stored(self) -> dict[str, Any]:
        return {"sheet": self.name}


@dataclass(frozen=True)
class Rows(Locator):
    """From one row of a table to another, counted from 1 with the row of names. A passage may go
    on to the rows that follow."""

    first: int
    last: int

    @property
    def label(self) -> str:
        return _span("row", self.first, self.last)

    def link(self, url: str, text: str) -> str:  # noqa: ARG002
        """Rows of a CSV file (RFC 7111, section 2.1)."""
        rows = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{url}#row={rows}"

    def reaches(self, following: Locator) -> bool:
        return isinstance(following, Rows)

    def through(self, others: Sequence[Locator]) -> Locator:
        ends = [other.last for other in others if isinstance(other, Rows)]
        return replace(self, last=max([self.last, *ends]))

    def stored(self) -> dict[str, Any]:
        return {"rows": [self.first, self.last]}


@dataclass(frozen=True)
class Lines(Locator):
    """From one line of a file to another, counted from 1. A passage may go on to the lines that
    follow."""

    first: int
    last: int

    @property
    def label(self) -> str:
        return _span("line", self.first, self.last)

    def reaches(self, following: Locator) -> bool:
        return isinstance(following, Lines)

    def through(self, others: Sequence[Locator]) -> Locator:
        ends = [other.last for other in others if isinstance(other, Lines)]
        return replace(self, last=max([self.last, *ends]))

    def stored(self) -> dict[str, Any]:
        return {"lines": [self.first, self.last]}


WHOLE = Whole()


def read(stored: Mapping[str, Any]) -> Locator:
    """The place that `stored` gave. A time without an end is a moment; other keys say nothing."""
    match stored:
        case {"start": start}:
            return TimeSpan(start, stored.get("end", start))
        case {"heading": str(text)}:
            return under(text)
        case {"page": int(number)}:
            return Page(number)
        case {"slide": int(number)}:
            return Slide(number, stored.get("to", 0))
        case {"sheet": str(name)}:
            return Sheet(name)
        case {"rows": [int(first), int(last)]}:
            return Rows(first, last)
        case {"lines": [int(first), int(last)]}:
            return Lines(first, last)
    return WHOLE


def under(heading: str) -> Locator:
    """Under this heading; somewhere in the thing, where it is empty."""
    return Heading(heading) if heading else WHOLE


def clock(seconds: float) -> str:
    """A moment of a recording: 0:07, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _span(noun: str, first: int, last: int) -> str:
    return f"{noun} {first}" if first == last else f"{noun}s {first} \N{EN DASH} {last}"


def _text_directive(text: str) -> str:
    """The text's first and last words (WICG, URL Fragment Text Directives)."""
    words = text.split()
    if len(words) <= FIRST_WORDS + LAST_WORDS:
        return _encoded(words)
    return f"{_encoded(words[:FIRST_WORDS])},{_encoded(words[-LAST_WORDS:])}"


def _encoded(words: Sequence[str]) -> str:
    return quote(" ".join(words), safe="").replace("-", "%2D")

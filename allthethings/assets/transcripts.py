"""Transcripts: lines with their times, packed for storage, grouped for the page, as subtitles.

SubRip (SRT) has no standard but its use; WebVTT is W3C's, https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from allthethings.assets.locators import Locator, TimeSpan

# What SubRip would take for the times of a cue. It has no way to escape it.
ARROW = re.compile("-{2,}>")
# Bytes of packed lines, beside a text that may fill most of a MongoDB document.
MAX_PACKED = 1_000_000
# Seconds. No recording is longer, whatever a model says.
MAX_SECONDS = 10_000_000.0
# Characters of a file's name. A file system holds 255 bytes.
MAX_NAME = 80
# Characters of the names that Windows keeps for devices, as CON and CONOUT$.
MAX_DEVICE_NAME = 7
# Characters that some file systems do not allow in a name.
NOT_IN_NAMES = frozenset('\\/:*?"<>|')


@dataclass(frozen=True)
class Line:
    """Words spoken between two moments, in seconds from the beginning."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Group:
    """The lines of a passage, and the positions of the passages that begin with them."""

    positions: tuple[int, ...]
    lines: tuple[Line, ...]


# -- stored


def pack(text: str, lines: Iterable[Line]) -> bytes | None:
    """The lines as their times and their offsets in the text. None if there are none or too
    many, or if the text does not hold them all in this order."""
    numbers: list[int] = []
    end = 0
    for line in lines:
        start = text.find(line.text, end)
        if start < 0 or not line.text:
            return None
        numbers += [start - end, len(line.text), _milliseconds(line.start), _milliseconds(line.end)]
        end = start + len(line.text)
    packed = zlib.compress(json.dumps(numbers, separators=(",", ":")).encode())
    return packed if numbers and len(packed) <= MAX_PACKED else None


def unpack(text: str, packed: bytes) -> list[Line]:
    """The lines that `pack` was given, their times in whole milliseconds."""
    numbers = json.loads(zlib.decompress(packed))
    lines, end = [], 0
    for skipped, length, start_ms, end_ms in zip(*[iter(numbers)] * 4, strict=True):
        start = end + skipped
        end = start + length
        lines.append(Line(start_ms / 1000, end_ms / 1000, text[start:end]))
    return lines


def from_locators(rows: Iterable[tuple[str, Locator]]) -> list[Line]:
    """The lines among texts with locators, which may be pieces or passages."""
    return [
        Line(locator.start, locator.end, text)
        for text, locator in rows
        if isinstance(locator, TimeSpan)
    ]


# -- shown


def grouped(lines: Sequence[Line], passages: Iterable[Locator]) -> list[Group]:
    """The lines grouped by the passages with these locators, which are numbered from 0.

    A long line can be several passages, which all begin with it. A passage without a time begins
    with the first line.
    """
    groups: list[tuple[list[int], list[Line]]] = [([], [])]
    starts = [place.start if isinstance(place, TimeSpan) else 0.0 for place in passages]
    waiting = list(enumerate(starts))
    for line in lines:
        if waiting and waiting[0][1] <= line.start and groups[-1][1]:
            groups.append(([], []))
        while waiting and waiting[0][1] <= line.start:
            groups[-1][0].append(waiting.pop(0)[0])
        groups[-1][1].append(line)
    groups[-1][0].extend(position for position, _ in waiting)
    return [Group(tuple(positions), tuple(held)) for positions, held in groups]


# -- written


def srt(lines: Iterable[Line]) -> str:
    """SubRip: numbered cues with a comma before the milliseconds."""
    blocks = [
        f"{number}\n{_span(cue, ',')}\n{ARROW.sub('->', cue.text)}\n"
        for number, cue in enumerate(_cues(lines), 1)
    ]
    return "\n".join(blocks)


def vtt(lines: Iterable[Line]) -> str:
    """WebVTT, with its marks escaped in the texts of cues."""
    blocks = [f"{_span(cue, '.')}\n{_escaped(cue.text)}\n" for cue in _cues(lines)]
    return "\n".join(["WEBVTT\n", *blocks])


def plain(paragraphs: Iterable[str]) -> str:
    """The paragraphs with a blank line between them."""
    return "\n\n".join(filter(None, (text.strip() for text in paragraphs))) + "\n"


@dataclass(frozen=True)
class _Cue:
    """As a Line, in milliseconds; its text is one line."""

    start: int
    end: int
    text: str


def _cues(lines: Iterable[Line]) -> list[_Cue]:
    """Cues in the order of time, each at least a millisecond long, without overlaps. Lines that
    begin at the same time become one cue."""
    spoken = [
        _Cue(_milliseconds(line.start), _milliseconds(line.end), text)
        for line in lines
        if (text := " ".join(line.text.split()))
    ]
    return list(_apart(sorted(spoken, key=lambda cue: cue.start)))


def _apart(cues: Iterable[_Cue]) -> Iterator[_Cue]:
    last: _Cue | None = None
    for cue in cues:
        if last is None:
            last = cue
        elif cue.start == last.start:
            last = _Cue(last.start, max(last.end, cue.end), f"{last.text} {cue.text}")
        else:
            yield _Cue(last.start, min(max(last.end, last.start + 1), cue.start), last.text)
            last = cue
    if last is not None:
        yield _Cue(last.start, max(last.end, last.start + 1), last.text)


def _milliseconds(seconds: float) -> int:
    return round(min(max(0.0, seconds), MAX_SECONDS) * 1000)


def _span(cue: _Cue, mark: str) -> str:
    return f"{_clock(cue.start, mark)} --> {_clock(cue.end, mark)}"


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def file_name(title: str, extension: str) -> str:
    """A file name that every file system takes, and whose extension no character hides."""
    plain_title = "".join(
        each if each.isprintable() and each not in NOT_IN_NAMES else " " for each in title
    )
    words = " ".join(plain_title.split())[:MAX_NAME].strip(". ")
    if 0 < len(words) <= MAX_DEVICE_NAME:
        words += " transcript"
    return f"{words or 'transcript'}.{extension}"

"""Subtitles, cue by cue with their times: SubRip, WebVTT and SubStation Alpha."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets.locators import TimeSpan
from allthethings.assets.passages import Piece
from allthethings.processors.decoding import decoded
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.processor import Content, Words, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from pysubs2 import SSAEvent

SUBRIP, WEBVTT, SUBSTATION = "application/x-subrip", "text/vtt", "text/x-ssa"
# What follows the name of the format in the first line of WebVTT.
VTT_TITLE = re.compile(r"WEBVTT[ \t]+(?:- )?(\S.*)")
# Tags of voices and styles, and moments within a cue.
TAG = re.compile(r"<[^<>]*>")
# Seconds between two cues of which the second may begin with the last line of the first: recognised
# speech is often shown so, rolling up.
TOUCHING = 0.2


class SubtitlesProcessor(DocumentProcessor):
    """Subtitles by their times. pysubs2 is imported in the process that reads."""

    kind: ClassVar = "subtitles"
    accepts: ClassVar = (SUBRIP, "text/srt", "text/x-subrip", WEBVTT, SUBSTATION, "text/x-ass")
    signatures: ClassVar = {
        WEBVTT: rb"(?:\xef\xbb\xbf)?WEBVTT(?:[ \t\r\n]|$)",
        SUBRIP: rb"(?:\xef\xbb\xbf)?\s*\d+\s*\n\d+:\d\d:\d\d[,.]\d{1,3} --> \d",
        SUBSTATION: rb"(?:\xef\xbb\xbf)?\[Script Info\]",
    }
    suffixes: ClassVar = {".srt": SUBRIP, ".vtt": WEBVTT, ".ass": SUBSTATION, ".ssa": SUBSTATION}
    is_text: ClassVar = True
    of_video: ClassVar = True
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "subtitle file"
    no_text: ClassVar = "No subtitles were found in this file."
    words: ClassVar = Words(
        submitted="Being read", running="Being read", share="{:.0%}", text="Subtitles"
    )
    mark: ClassVar = svg("M1.5 3h13v10h-13zM4 8h3M9 8h3M4 10.5h5M11 10.5h1")
    preload: ClassVar = ("chardet", "pysubs2")

    @staticmethod
    def parse(document: Download) -> Content:
        """What is said, and when."""
        from pysubs2 import SSAFile

        text = decoded(document)
        form = _format(text)
        if form is None:
            return Content((), "")
        subtitles = SSAFile.from_string(text, format_=form)
        pieces = tuple(_pieces(sorted(subtitles.events)))
        named = VTT_TITLE.match(text)
        title = named.group(1) if named else subtitles.info.get("Title", "")
        whole = " ".join(piece.text for piece in pieces)
        return Content(pieces, whole, title.strip()[:MAX_TITLE] or None)


def _format(text: str) -> str | None:
    """The name that pysubs2 has for the format."""
    if text.startswith("WEBVTT"):
        return "vtt"
    if "[Events]" in text:
        return "ass"
    return "srt" if "-->" in text else None


def _pieces(events: list[SSAEvent]) -> Iterator[Piece]:
    last, until = "", 0.0
    for event in events:
        if event.is_comment or event.is_drawing:
            continue
        lines = [words for line in event.plaintext.splitlines() if (words := _words(line))]
        start, end = event.start / 1000, max(event.start, event.end) / 1000
        if lines and lines[0] == last and start - until < TOUCHING:
            del lines[0]
        until = end
        if lines:
            last = lines[-1]
            yield Piece(" ".join(lines), TimeSpan(start, end))


def _words(line: str) -> str:
    return " ".join(html.unescape(TAG.sub("", line)).split())

"""Plain text, and Markdown by its headings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import urlsplit

from allthethings.assets import locators
from allthethings.assets.passages import Piece
from allthethings.processors.processor import Content, DocumentProcessor, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

MARKDOWN_TYPES = ("text/markdown", "text/x-markdown")
MARKDOWN_SUFFIXES = (".md", ".markdown")
# The control characters that no text has. Tab, line feed, form feed, return and escape are not
# among them.
CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# How files begin that are for programs: markup, JSON, PDF, PostScript and scripts.
FOR_PROGRAMS = (b"<", b"{", b"%", b"#!")

# Markdown's blocks and inlines (CommonMark 0.31, and GitHub's tables), as far as they tell words
# from marks.
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
QUOTE = re.compile(r"(?:[ \t]*>)+[ \t]?")
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
WORDLESS = re.compile(r"[ \t|:*_=-]*| {0,3}\[[^\]]+\]:.*")
INLINES = (
    (re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>"), ""),
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"(?<!\w)([*_]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)


class TextProcessor(DocumentProcessor):
    """A text without markup, or with Markdown's."""

    kind: ClassVar = "text"
    accepts: ClassVar = ("text/plain", *MARKDOWN_TYPES)
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "file"
    no_text: ClassVar = "No text was found in this file."
    mark: ClassVar = svg("M3 3h10M3 6.5h10M3 10h10M3 13.5h6")
    preload: ClassVar = ("charset_normalizer",)

    @classmethod
    def sniff(cls, first: bytes) -> str | None:
        """UTF-8 without control characters is text, unless it is for programs."""
        try:  # the last character may be cut off
            text = codecs.getincrementaldecoder("utf-8-sig")().decode(first)
        except UnicodeDecodeError:
            return None
        if not text.strip() or CONTROLS.search(text) or first.lstrip().startswith(FOR_PROGRAMS):
            return None
        return "text/plain"

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs. In Markdown they stand under its headings, and the first heading of the
        first level is the title. No pieces for what is no text."""
        text = "\n".join(_decoded(document.body, document.charset).splitlines())
        if CONTROLS.search(text):
            return Content((), "")
        if not _is_markdown(document):
            paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", text))
            return _content([Piece(each) for each in paragraphs if each], None)
        blocks = list(_blocks(FRONT_MATTER.sub("", text, count=1).split("\n")))
        title = next((words for level, words in blocks if level == 1), None)
        return _content(list(_under_headings(blocks)), title)


def _content(pieces: list[Piece], title: str | None) -> Content:
    return Content(tuple(pieces), "\n\n".join(piece.text for piece in pieces), title)


def _is_markdown(document: Download) -> bool:
    suffix = PurePosixPath(urlsplit(document.url).path).suffix.lower()
    return document.content_type in MARKDOWN_TYPES or suffix in MARKDOWN_SUFFIXES


def _decoded(body: bytes, charset: str | None) -> str:
    """UTF-8 where it is that, else as the server says, else by a guess."""
    for encoding in ("utf-8-sig", charset or ""):
        try:
            text = body.decode(encoding)
        except (LookupError, UnicodeError):  # 'undefined' is a codec that refuses everything
            continue
        if "\0" not in text:  # else it is UTF-16, or no text
            return text
    from charset_normalizer import from_bytes

    best = from_bytes(body).best()
    return str(best) if best else "\0"


def _under_headings(blocks: Iterable[tuple[int, str]]) -> Iterator[Piece]:
    heading = ""
    for level, words in blocks:
        if level:
            heading = words
        else:
            yield Piece(words, locators.under(heading))


def _blocks(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The headings with their levels, and the paragraphs and list items with level 0."""
    paragraph: list[str] = []
    fence = ""
    for line in map(_unquoted, lines):
        if fence:
            fence = "" if line.strip().startswith(fence) else fence
            paragraph += [line] if fence else []
            continue
        underline, heading = UNDERLINE.fullmatch(line), HEADING.fullmatch(line)
        if paragraph and underline:
            yield from _block(1 if "=" in line else 2, paragraph)
            paragraph = []
            continue
        found, item = FENCE.match(line), ITEM.match(line)
        if found or heading or item or WORDLESS.fullmatch(line):
            yield from _block(0, paragraph)
            paragraph = []
        if found:
            fence = found[1]
        elif heading:
            yield from _block(len(heading[1]), [heading[2] or ""])
        elif not WORDLESS.fullmatch(line):
            paragraph.append(line[item.end() :] if item else line)
    yield from _block(0, paragraph)


def _unquoted(line: str) -> str:
    return QUOTE.sub("", line, count=1) if line.lstrip().startswith(">") else line


def _block(level: int, lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The words of the lines without marks, if there are any; a heading is cut to MAX_TITLE."""
    text = " ".join(lines)
    for pattern, words in INLINES:
        text = pattern.sub(words, text)
    text = " ".join(text.split())
    if text:
        yield level, text[:MAX_TITLE] if level else text

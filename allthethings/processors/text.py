"""Plain text, and Markdown by its headings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from allthethings.assets import locators
from allthethings.assets.members import file_name
from allthethings.assets.passages import Piece
from allthethings.processors import front_matter
from allthethings.processors.decoding import decoded
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.magic import CONTROLS
from allthethings.processors.processor import Content, svg
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from markdown_it.token import Token

MARKDOWN_TYPES = ("text/markdown", "text/x-markdown")
MARKDOWN_SUFFIXES = (".md", ".markdown")
# How files begin that are for programs: markup, JSON, PDF, PostScript and scripts.
FOR_PROGRAMS = ("<", "{", "%", "#!")

# The box before an item of a task list, which GitHub's Markdown has.
TASK = re.compile(r"\[[ xX]\] ")
# Tokens after which a block is complete.
BLOCK_ENDS = frozenset(
    {"heading_close", "paragraph_close", "tr_close", "fence", "code_block", "html_block"}
)
HTML_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)


class TextProcessor(DocumentProcessor):
    """A text without markup, or with Markdown's."""

    kind: ClassVar = "text"
    accepts: ClassVar = ("text/plain", *MARKDOWN_TYPES)
    suffixes: ClassVar = {
        ".txt": "text/plain",
        ".text": "text/plain",
        **dict.fromkeys(MARKDOWN_SUFFIXES, MARKDOWN_TYPES[0]),
    }
    is_text: ClassVar = True
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "file"
    no_text: ClassVar = "No text was found in this file."
    mark: ClassVar = svg("M3 3h10M3 6.5h10M3 10h10M3 13.5h6")
    preload: ClassVar = ("chardet", "markdown_it", "yaml")

    @classmethod
    def sniff(cls, first: bytes) -> str | None:
        """UTF-8 without control characters is text, unless it is for programs."""
        try:  # the last character may be cut off
            text = codecs.getincrementaldecoder("utf-8-sig")().decode(first)
        except UnicodeDecodeError:
            return None
        if not text.strip() or CONTROLS.search(text) or text.lstrip().startswith(FOR_PROGRAMS):
            return None
        return "text/plain"

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs. In Markdown they stand under its headings, and the title is that of its
        metadata, or the first heading of the first level. No pieces for what is no text."""
        text = decoded(document)
        if not _is_markdown(document):
            paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", text))
            return _content([Piece(each) for each in paragraphs if each], None)
        facts, text = front_matter.split(text)
        blocks = list(_blocks(text))
        title = facts.title or next((words for level, words in blocks if level == 1), None)
        content = _content(list(_under_headings(blocks)), title)
        return replace(content, author=facts.author, dated=facts.dated)


def _content(pieces: list[Piece], title: str | None) -> Content:
    return Content(tuple(pieces), "\n\n".join(piece.text for piece in pieces), title)


def _is_markdown(document: Download) -> bool:
    suffix = PurePosixPath(file_name(document.url)).suffix.lower()
    return document.content_type in MARKDOWN_TYPES or suffix in MARKDOWN_SUFFIXES


def _under_headings(blocks: Iterable[tuple[int, str]]) -> Iterator[Piece]:
    heading = ""
    for level, words in blocks:
        if level:
            heading = words
        else:
            yield Piece(words, locators.under(heading))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """The headings with their levels; paragraphs, rows of tables and code with level 0."""
    from markdown_it import MarkdownIt

    level, cells = 0, []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "heading_open":
            level = int(token.tag.removeprefix("h"))
        elif token.type == "inline":
            words = _words(token)
            cells.append(TASK.sub("", words, count=1) if TASK.match(words) else words)
        elif token.type in ("fence", "code_block", "html_block"):
            content = token.content
            cells.append(HTML_TAG.sub("", content) if token.type == "html_block" else content)
        if token.type in BLOCK_ENDS and cells:
            if words := " ".join(" | ".join(cells).split()):
                yield level, words[:MAX_TITLE] if level else words
            level, cells = 0, []


def _words(inline: Token) -> str:
    """The text of a block without its marks; of an image, its alternative text."""
    words = []
    for token in inline.children or ():
        if token.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif token.type in ("text", "code_inline", "image"):
            words.append(token.content)
    return "".join(words)

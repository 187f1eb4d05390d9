"""The blocks of an HTML document that is text from end to end: a chapter, a letter."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

HEADING = re.compile(r"h([1-6])")
# Elements that end the block before them, and are blocks themselves.
BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "caption", "dd", "div", "dl", "dt"),
        *("figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"),
        *("li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"),
    }
)
CELLS = frozenset({"td", "th"})
SKIPPED = frozenset({"head", "script", "style", "template", "noscript"})


def parse(markup: bytes, charset: str | None = None) -> Element | None:
    """The root of a document; None where there is none. An encoding that nobody knows is UTF-8."""
    from lxml import etree

    try:
        codecs.lookup(charset or "utf-8")
    except LookupError:
        charset = "utf-8"
    parser = etree.HTMLParser(
        encoding=charset, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(markup, parser)
    except etree.XMLSyntaxError:  # empty
        return None


def blocks(root: Element) -> Iterator[tuple[int, str]]:
    """Each heading with its level, and each other block of text with 0. The cells of a row are
    one block."""
    from lxml import etree

    level, parts = 0, [""]
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = str(element.tag).rpartition("}")[2].lower()
        if tag in BLOCKS:
            if text := " ".join("".join(parts).split()).strip("| "):
                yield level, text
            heading = HEADING.fullmatch(tag) if event == "start" else None
            level, parts = int(heading.group(1)) if heading else 0, []
        if event == "end":
            parts += [" "] * (tag == "br") + [" | "] * (tag in CELLS) + [element.tail or ""]
        elif tag in SKIPPED:
            walk.skip_subtree()
        else:
            parts.append(element.text or "")
    if text := " ".join("".join(parts).split()).strip("| "):
        yield level, text

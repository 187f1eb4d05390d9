"""The characters of a text file."""

from __future__ import annotations

import re

from allthethings.processors.magic import CONTROLS
from allthethings.sources.charsets import text_of
from allthethings.sources.fetch import Download

# Ends of lines. Python's own list has more, such as form feeds, which may stand within a line.
NEW_LINE = re.compile(r"\r\n|\r|\n")


def decoded(document: Download) -> str:
    """The text of a file, with \\n at the end of each line. Empty for what is no text."""
    text = NEW_LINE.sub("\n", text_of(document.body, document.charset)).removesuffix("\n")
    return "" if CONTROLS.search(text) else text

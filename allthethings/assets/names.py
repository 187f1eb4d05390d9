"""Readable names of things that have no title."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from allthethings.assets.members import encoded_path

# The end of a file's name that tells its type. A number behind a point is a version.
SUFFIX = re.compile(r"(?<=.)\.(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{1,8}$")
# Names that servers give to the page of a folder.
INDEX = frozenset({"index", "default"})
# Other marks than `_` that stand for spaces where a name has none. Hyphens in dates stay.
FOR_SPACES = re.compile(r"\++|(?<!\d)-+|-+(?!\d)")


def readable_name(url: str) -> str:
    """The name of the file that a URL leads to, as a person would write it: `My%20talk.mp3` is
    `My talk`. The host where the URL names no file."""
    for part in reversed(encoded_path(url).split("/")):
        name = _plain(part)
        stem = SUFFIX.sub("", name) if SUFFIX.search(name) else name
        if stem.lower() in INDEX:
            continue
        words = (stem if " " in stem else FOR_SPACES.sub(" ", stem)).replace("_", " ")
        if readable := " ".join(words.split()):
            return readable
    return urlsplit(url).netloc


def _plain(part: str) -> str:
    """A part of a path without percent-encoding, also where it was encoded twice; as it is where
    that is no UTF-8, or where control characters would come out."""
    for _ in range(2):
        try:
            plain = unquote(part, errors="strict")
        except UnicodeDecodeError:
            return part
        if not plain.isprintable():
            return part
        part = plain
    return part

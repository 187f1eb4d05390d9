"""What a file is by its first bytes alone, whether or not some kind takes it."""

from __future__ import annotations

import re

import puremagic

# The control characters that no text has. Tab, line feed, form feed, return and escape are not
# among them.
CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# Byte order marks of UTF-16, whose texts are full of zero bytes.
UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Signatures shorter than about four bytes have less: too many files begin so by chance.
CONFIDENCE = 0.3
# How files begin that contain others: ZIP, and the compound files of Microsoft's older formats.
# Many formats are written so, and the first bytes do not always tell which.
CONTAINERS = {
    "application/zip": b"PK\x03\x04",
    "application/x-ole-storage": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
}


def is_binary(first: bytes) -> bool:
    """Whether these are bytes of no text, in whatever encoding."""
    return not first.startswith(UTF16) and bool(CONTROLS.search(first.decode("latin-1")))


def type_of(first: bytes) -> str | None:
    """The content type of a binary file or a marked-up text that begins so; None for others."""
    for container, beginning in CONTAINERS.items():
        if first.startswith(beginning):
            return container
    try:
        matches = puremagic.magic_string(first)
    except (puremagic.PureError, ValueError):  # nothing known, or nothing at all
        return None
    good = (each for each in matches if each.mime_type and each.confidence >= CONFIDENCE)
    best = next(good, None)
    return best.mime_type.lower() if best else None

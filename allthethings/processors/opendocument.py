"""What the files of OpenDocument have in common (ISO/IEC 26300): texts and presentations."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from allthethings.assets.facts import day_of
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.packages import parsed

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
MANIFEST = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
# Parts of a text that are not read with it: what was deleted, and remarks.
LEFT_OUT = (f"{TEXT}tracked-changes", f"{OFFICE}annotation", f"{TEXT}table-of-content")


def refuse_locked(archive: zipfile.ZipFile, noun: str) -> None:
    """Raises UnusableThing for a file whose members are encrypted."""
    manifest = parsed(archive, "META-INF/manifest.xml")
    if manifest.find(f".//{MANIFEST}encryption-data") is not None:
        raise UnusableThing(f"This {noun} asks for a password.", ErrorCode.PASSWORD_PROTECTED)


def words(element: Element) -> str:
    """The text of a paragraph or a heading, with single spaces."""
    parts = [element.text or ""]
    for child in element:
        if child.tag in (f"{TEXT}s", f"{TEXT}tab", f"{TEXT}line-break"):
            parts.append(" ")
        elif child.tag not in LEFT_OUT:
            parts += [" "] * (child.tag in (f"{TEXT}p", f"{TEXT}h")) + [words(child)]
        parts.append(child.tail or "")
    return "".join(parts)


def described(archive: zipfile.ZipFile) -> tuple[str | None, str | None, str | None]:
    """The title, the author and the day that the file tells, where it does."""
    if "meta.xml" not in archive.namelist():
        return None, None, None
    meta = parsed(archive, "meta.xml")

    def told(*names: str) -> str | None:
        found = (meta.findtext(f".//{name}") for name in names)
        return next((" ".join(each.split()) for each in found if each and each.strip()), None)

    day = told(f"{META}creation-date", f"{DUBLIN_CORE}date")
    author = told(f"{META}initial-creator", f"{DUBLIN_CORE}creator")
    return told(f"{DUBLIN_CORE}title"), author, day_of(day)

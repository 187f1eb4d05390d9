"""Documents that are ZIP files of XML: opened within bounds, before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.magic import CONTAINERS

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

# Bytes that all members of a file may have when they are unpacked, and how many times as many as
# they take packed. XML seldom packs better than 50 to 1.
MAX_UNPACKED, MAX_RATIO = 256 * 1024 * 1024, 200
# Bytes of all members that are markup: a text of the longest that is kept has some ten times less.
MAX_MARKUP = 64 * 1024 * 1024
MARKUP = (".xml", ".rels", ".html", ".xhtml", ".htm", ".opf", ".ncx")
# Bytes below which any ratio is harmless.
HARMLESS = 16 * 1024 * 1024
MAX_MEMBERS = 10_000
# How the first member of an Office document is named, besides those in a folder of its kind: Open
# Packaging Conventions (ECMA-376, part 2), and what Microsoft's programs add.
FIRST = rb"\[Content_Types\]\.xml|\[trash\]/|_rels/|docProps/|customXml/|customUI/"
# The flag of a member that is encrypted (PKWARE's APPNOTE, 4.4.4).
ENCRYPTED = 0x1
# What stands in a document for programs that do not know its newer parts (ECMA-376, part 3).
ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# How files of Microsoft's older formats begin, and what those contain that hold an encrypted
# document (MS-OFFCRYPTO, 2.3).
COMPOUND_FILE = CONTAINERS["application/x-ole-storage"]
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def signature(folder: bytes) -> bytes:
    """A pattern of the first bytes of an Office document whose parts stand in this folder. The
    names of the first member and of another are looked at: an archive may hold such a document."""
    return rb"PK\x03\x04.{26}(?:%b/|(?:%b).*?[^\w/]%b/)" % (folder, FIRST, folder)


def opened(body: bytes, noun: str) -> zipfile.ZipFile:
    """The archive, whose members are small enough to be unpacked. Raises UnusableThing, and
    BadZipFile for what is none."""
    if body.startswith(COMPOUND_FILE):
        refuse_encrypted(body, noun)
    archive = zipfile.ZipFile(io.BytesIO(body))
    members = archive.infolist()
    if any(member.flag_bits & ENCRYPTED for member in members):
        raise _asks_for_password(noun)
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS:
        raise _too_large(noun, f"has more than {MAX_MEMBERS:,} parts")
    if unpacked > MAX_UNPACKED:
        raise _too_large(noun, f"unpacks to more than {MAX_UNPACKED >> 20:,} MB")
    markup = sum(each.file_size for each in members if each.filename.lower().endswith(MARKUP))
    if markup > MAX_MARKUP:
        raise _too_large(noun, f"has more than {MAX_MARKUP >> 20:,} MB of markup")
    if unpacked > max(HARMLESS, MAX_RATIO * len(body)):
        raise _too_large(noun, f"unpacks to more than {MAX_RATIO} times its size")
    return archive


def refuse_encrypted(body: bytes, noun: str) -> None:
    """Raises UnusableThing for an encrypted document of Microsoft's."""
    if ENCRYPTED_PACKAGE in body:
        raise _asks_for_password(noun)


def parsed(archive: zipfile.ZipFile, name: str) -> Element:
    """The root of an XML member. Raises KeyError where there is none."""
    return parsed_xml(archive.read(name))


def parsed_xml(markup: bytes) -> Element:
    """The root of an XML document without comments. Raises XMLSyntaxError, also for one whose
    elements are hundreds of levels deep."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(markup, parser)


def _asks_for_password(noun: str) -> UnusableThing:
    return UnusableThing(f"This {noun} asks for a password.", ErrorCode.PASSWORD_PROTECTED)


def _too_large(noun: str, why: str) -> UnusableThing:
    return UnusableThing(f"This {noun} {why}.", ErrorCode.TOO_LARGE)

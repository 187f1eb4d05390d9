"""Archives of files. Their members become things of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from allthethings.assets import locators
from allthethings.assets.asset import Asset
from allthethings.assets.lists import Entry, Listing
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.document_processor import DocumentProcessor, said_in_words
from allthethings.processors.processor import Content, Words, svg
from allthethings.processors.unpacking import Contents, Member, contents
from allthethings.sources.fetch import Download

ZIP, TAR, GZIP = "application/zip", "application/x-tar", "application/gzip"
BZIP2, XZ = "application/x-bzip2", "application/x-xz"
# Members by which a document is known that is an archive itself.
OFFICE, MIMETYPE = "[Content_Types].xml", "mimetype"


class ArchiveProcessor(DocumentProcessor):
    """An archive by the names of its members."""

    kind: ClassVar = "archive"
    has_members: ClassVar = True
    accepts: ClassVar = (
        *(ZIP, TAR, GZIP, BZIP2, XZ),
        *("application/x-zip", "application/x-zip-compressed", "application/x-gtar"),
        *("application/x-gzip", "application/x-tgz", "application/x-compressed-tar"),
        *("application/x-gtar-compressed", "application/x-bzip", "application/bzip2"),
        *("application/x-bzip-compressed-tar", "application/x-xz-compressed-tar"),
    )
    # Of a ZIP file, only an empty one is typical: documents of many kinds begin as the others do.
    signatures: ClassVar = {
        ZIP: rb"PK\x05\x06\x00{4}",
        TAR: rb".{257}ustar",
        GZIP: rb"\x1f\x8b\x08",
        BZIP2: rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
        XZ: rb"\xfd7zXZ\x00",
    }
    # What is in an archive are things of their own, which a new version of it would have to follow.
    looked_at_again: ClassVar = False
    suffixes: ClassVar = {
        ".zip": ZIP,
        ".tar": TAR,
        ".gz": GZIP,
        ".tgz": GZIP,
        ".bz2": BZIP2,
        ".tbz2": BZIP2,
        ".xz": XZ,
        ".txz": XZ,
    }
    max_bytes: ClassVar = 64 * 1024 * 1024
    noun: ClassVar = "archive"
    no_text: ClassVar = "There are no files in this archive."
    words: ClassVar = Words(
        submitted="Being unpacked", running="Being unpacked", share="{:.0%}", text="The file names"
    )
    mark: ClassVar = svg("M2 2.5h12v3H2zM3 5.5v8h10v-8M6.5 8.5h3")
    preload: ClassVar = ("zipfile", "tarfile", "bz2", "lzma")

    @staticmethod
    def parse(document: Download) -> Content:
        """The paths of the members, under their folders."""
        inside = contents(document.body, document.url)
        _refuse_document(inside)
        return Content(
            tuple(_pieces(inside.members)),
            "\n".join(member.path for member in inside.members),
            remark=" ".join(inside.notes) or None,
            listing=_listing(inside.members),
        )

    def process(self, asset: Asset) -> Content:
        """Download it, and unpack it."""
        document = replace(self._tools.download(asset.url, self.max_bytes), url=asset.url)
        content = self.read(replace(document, content_type=asset.content_type))
        with said_in_words(self.noun, asset.url):
            self._tools.unpack(asset, document)
        return content


def _listing(members: Sequence[Member]) -> Listing:
    entries = tuple(Entry(member.url, key=member.path) for member in members)
    return Listing("archive", entries=entries, closed=True)


def _refuse_document(inside: Contents) -> None:
    """Raises UnusableThing for a document whose server calls it an archive, and whose first bytes
    do not tell that it is none."""
    names = [member.path for member in inside.members]
    if OFFICE in names or names[:1] == [MIMETYPE]:
        raise UnusableThing(
            "Its server calls this an archive, but it is a document.", ErrorCode.MISLABELLED
        )


def _pieces(members: Sequence[Member]) -> Iterator[Piece]:
    for member in members:
        # The whole path: a passage of short names goes on to other folders.
        yield Piece(member.path, locators.under(member.path.rpartition("/")[0]))

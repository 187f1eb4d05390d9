"""Members of archives: how their bytes reach what reads them.

An archive is downloaded once. All its members are unpacked then, in the sandbox, and kept in the
database until they are read. Bytes that are gone, since nobody read them for a day, come from
the archive again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from dataclasses import replace

from allthethings.assets.asset import Asset
from allthethings.assets.members import file_name, is_member
from allthethings.errors import ErrorCode, IndexingError, UnusableThing
from allthethings.mongo import Database
from allthethings.processors import processor_class, recognise
from allthethings.processors.archive import ArchiveProcessor
from allthethings.processors.document_processor import said_in_words
from allthethings.processors.registry import Unsupported
from allthethings.processors.sandbox import stream_within
from allthethings.processors.unpacking import Member, unpacked
from allthethings.replicate.client import ReplicateClient
from allthethings.sources import fetch
from allthethings.sources.fetch import SNIFFED, Download, Part
from allthethings.store.members import StoredMember
from guardedfetch import Fetcher

log = logging.getLogger(__name__)

# CPU seconds to unpack all members of one archive.
UNPACK_SECONDS = 15
NESTED = "Archives within archives are not opened."
GONE = "The archive at this URL no longer contains this file."


class Sources:
    """Gets the bytes of things: from the servers of their URLs, or out of archives. One serves any
    number of threads."""

    def __init__(self, database: Database, fetcher: Fetcher, replicate: ReplicateClient) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._replicate = replicate
        self._members = database.members
        self._fetcher = fetcher

    def download(self, url: str, max_bytes: int) -> Download:
        """A document of at most so many bytes. Raises UnusableThing, in words."""
        member = self._members.find(url) if is_member(url) else None
        if member is None:
            return fetch.download(self._fetcher, url, max_bytes)
        body = self._body(member)
        if len(body) > max_bytes:
            limit = f"It is larger than {max_bytes >> 20:,} MB."
            raise UnusableThing(limit, ErrorCode.TOO_LARGE)
        return Download(url, body, None, member.content_type)

    def part(self, url: str, start: int, count: int) -> Part:
        """At most so many bytes of a file. Raises UnusableThing, in words."""
        member = self._members.find(url) if is_member(url) else None
        if member is None:
            return fetch.part(self._fetcher, url, start, count)
        part = self._members.part(member, start, count)
        if part is None:
            part = self._body(member)[start : start + count]
        return Part(part, member.size, partial=True)

    def unpack(
        self, archive: Asset, document: Download, only: Collection[str] | None = None
    ) -> None:
        """Keep the members of an archive that was downloaded: all, or those at `only` these
        addresses. Raises UnusableThing, and what the sandbox raises."""
        self._members.put(archive.id, _stored(archive, document, only))
        if self._assets.state(archive.id) is None:  # deleted in the meantime
            self._members.delete(archive.id)

    def lend(self, asset: Asset) -> str:
        """The URL at which a model gets a thing: its own, or that of a copy of a member, which is
        uploaded and noted with the asset. Raises UnusableThing, RequestRefused,
        ServiceUnavailable."""
        member = self._members.find(asset.url) if is_member(asset.url) else None
        if member is None:
            return asset.url
        self._remove_copy(asset)
        name = file_name(asset.url)
        file = self._replicate.upload(self._body(member), name, asset.content_type)
        copy = {"id": file.id, "url": file.url, "expires_at": file.expires_at}
        self._transitions.tell(asset, {"copy": copy})
        return file.url

    def forget(self, asset: Asset) -> None:
        """What was kept so that the thing could be read is not needed any more."""
        if is_member(asset.url):
            self._members.drop_body(asset.url)
            self._remove_copy(asset)

    def _remove_copy(self, asset: Asset) -> None:
        if asset.copy is None:
            return
        try:
            self._replicate.remove(asset.copy.id)
        except IndexingError as error:  # it expires
            log.warning("the copy of asset %s is not removed: %s", asset.id, error)

    def _body(self, member: StoredMember) -> bytes:
        body = self._members.body(member)
        if body is None:
            self._unpack_again(member)
            latest = self._members.find(member.url)
            body = self._members.body(latest) if latest else None
        if body is None:
            raise UnusableThing(GONE, ErrorCode.NOT_FOUND)
        return body

    def _unpack_again(self, member: StoredMember) -> None:
        archive = self._assets.state(member.archive_id)
        if archive is None:
            raise UnusableThing(GONE, ErrorCode.NOT_FOUND)
        log.info("archive %s is downloaded again for %s", archive.id, member.url)
        document = fetch.download(self._fetcher, archive.url, ArchiveProcessor.max_bytes)
        wanted = self._members.unread(archive.id) | {member.url}
        with said_in_words(ArchiveProcessor.noun, archive.url):
            self.unpack(archive, document, wanted)


def _stored(
    archive: Asset, document: Download, only: Collection[str] | None
) -> Iterator[tuple[StoredMember, bytes]]:
    stream = stream_within(UNPACK_SECONDS, unpacked, document.body, archive.url)
    with contextlib.closing(stream) as members:
        for member, content in members:
            if only is not None and member.url not in only:
                continue
            stored = _judged(member, content, archive.id)
            yield stored, b"" if stored.refusal else content


def _judged(member: Member, content: bytes, archive_id: str) -> StoredMember:
    """A member as it is kept: of a kind that is read, or refused."""
    stored = StoredMember(member.url, archive_id, "", member.size, member.refusal, member.code)
    if member.refusal:
        return stored
    first = content[:SNIFFED]
    content_type = recognise("", [file_name(member.url)], lambda: first)
    processor = processor_class(content_type)
    stored = replace(stored, content_type=content_type)
    if processor is ArchiveProcessor:
        return replace(stored, refusal=NESTED, code=ErrorCode.UNSUPPORTED_TYPE)
    if processor is Unsupported:
        known = f"Files of this type ({content_type}) cannot be read."
        refusal = known if content_type else "Its type is unknown."
        return replace(stored, refusal=refusal, code=ErrorCode.UNSUPPORTED_TYPE)
    return stored

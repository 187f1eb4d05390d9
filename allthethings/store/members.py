"""The collections `members` and `member_parts`: what archives hold.

`members` keeps what is known of each member for as long as its archive is there. `member_parts`
has the bytes of those that are yet to be read, in documents of at most PART bytes; they end with
the reading, or with their age.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from allthethings.errors import ErrorCode
from allthethings.store.asset_documents import code_of
from allthethings.store.documents import Document, available, now

# Bytes of one document. MongoDB takes 16 MiB.
PART = 4 * 1024 * 1024
# Bytes, and documents, that are stored by one command.
TOGETHER, DOCUMENTS = 8 * 1024 * 1024, 500
# How long bytes that nobody read are kept. After that the archive is downloaded again.
KEPT = timedelta(days=1)
# The fields of the indexes.
MEMBER_INDEXES = (("url",), ("archive_id",))
PART_INDEXES = (("archive_id",), ("at",))


@dataclass(frozen=True)
class StoredMember:
    """What is known of a member. `size` is bytes; `refusal` is why it is not read, in words for
    people, with its code; `body` names its bytes, which may have ended, until they were read."""

    url: str
    archive_id: str
    content_type: str = ""
    size: int = 0
    refusal: str = ""
    code: ErrorCode | None = None
    body: ObjectId | None = None


class MemberStore:
    """Keeps the members of archives. Every method raises ServiceUnavailable when the database is
    away."""

    def __init__(self, database: Database[Document]) -> None:
        self._members: Collection[Document] = database["members"]
        self._parts: Collection[Document] = database["member_parts"]

    def create_indexes(self) -> None:
        """Create the indexes that are missing."""
        for collection, indexes in ((self._members, MEMBER_INDEXES), (self._parts, PART_INDEXES)):
            for fields in indexes:
                keys = [(each, ASCENDING) for each in fields]
                collection.create_index(keys, name="_".join(fields))

    def put(self, archive_id: str, unpacked: Iterable[tuple[StoredMember, bytes]]) -> None:
        """Keep the members of an archive, with the bytes of those that have some. Members that were
        kept before are replaced, each once its bytes are there; others stay."""
        batch = _Batch()
        for member, content in unpacked:
            batch.add(archive_id, member, content)
            if batch.full:
                self._store(batch)
                batch = _Batch()
        self._store(batch)

    def _store(self, batch: _Batch) -> None:
        with available():
            if batch.parts:
                self._parts.insert_many(batch.parts, ordered=False)
            if batch.members:
                self._members.bulk_write(batch.members, ordered=False)

    def find(self, url: str) -> StoredMember | None:
        """The member at this address; None if no archive has one. Of an archive that is deleted
        and indexed again, it is that of the new one."""
        with available():
            document = self._members.find_one({"url": url}, sort=[("_id", DESCENDING)])
        return _to_member(document) if document else None

    def body(self, member: StoredMember) -> bytes | None:
        """Its bytes; None where they are not kept any more."""
        if member.body is None:
            return None
        with available():
            found = self._parts.find(_parts_of(member.body)).sort("_id", ASCENDING)
            parts = [bytes(each["data"]) for each in found]
        content = b"".join(parts)
        return content if len(content) == member.size else None

    def part(self, member: StoredMember, start: int, count: int) -> bytes | None:
        """At most so many of its bytes; None where they are not kept any more."""
        if member.body is None:
            return None
        length = max(0, min(count, member.size - start))
        first, last = start // PART, max(start, start + length - 1) // PART
        ids = {"$gte": _part_id(member.body, first), "$lte": _part_id(member.body, last)}
        with available():
            found = self._parts.find({"_id": ids}).sort("_id", ASCENDING)
            content = b"".join(bytes(each["data"]) for each in found)
        part = content[start % PART :][:length]
        return part if len(part) == length else None

    def unread(self, archive_id: str) -> set[str]:
        """The addresses of the members of an archive that nobody has read yet."""
        query = {"archive_id": ObjectId(archive_id), "body": {"$ne": None}}
        with available():
            return {document["url"] for document in self._members.find(query, {"url": 1})}

    def drop_body(self, url: str) -> None:
        """It was read: its bytes are not needed any more."""
        member = self.find(url)
        if member and member.body:
            with available():
                self._parts.delete_many(_parts_of(member.body))
                self._members.update_one(
                    {"url": url, "body": member.body}, {"$set": {"body": None}}
                )

    def delete(self, archive_id: str) -> None:
        """Forget all members of an archive."""
        with available():
            self._parts.delete_many({"archive_id": ObjectId(archive_id)})
            self._members.delete_many({"archive_id": ObjectId(archive_id)})

    def expire(self) -> None:
        """Remove bytes that nobody read."""
        with available():
            self._parts.delete_many({"at": {"$lt": now() - KEPT}})


class _Batch:
    """What one command stores."""

    def __init__(self) -> None:
        self.parts: list[Document] = []
        self.members: list[ReplaceOne[Document]] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._bytes >= TOGETHER or len(self.parts) + len(self.members) >= DOCUMENTS

    def add(self, archive_id: str, member: StoredMember, content: bytes) -> None:
        key = ObjectId(archive_id)
        body = ObjectId() if content else None
        for number, part in enumerate(_parts(content)):
            part_id = _part_id(body or key, number)
            self.parts.append({"_id": part_id, "archive_id": key, "at": now(), "data": part})
        self._bytes += len(content)
        document = {
            "_id": _member_id(archive_id, member.url),
            "archive_id": key,
            "url": member.url,
            "content_type": member.content_type,
            "size": member.size,
            "refusal": member.refusal,
            "error_code": member.code.value if member.code else None,
            "body": body,
        }
        self.members.append(ReplaceOne({"_id": document["_id"]}, document, upsert=True))


def _parts(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PART):
        yield content[start : start + PART]


def _parts_of(body: ObjectId) -> Document:
    return {"_id": {"$gte": _part_id(body, 0), "$lt": f"{body};"}}


def _member_id(archive_id: str, url: str) -> str:
    """The id of a member: one for each address, however long that is."""
    return f"{archive_id}:{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def _part_id(body: ObjectId, number: int) -> str:
    """The id of a part. The parts of one body sort in their order."""
    return f"{body}:{number:04}"


def _to_member(document: Mapping[str, Any]) -> StoredMember:
    return StoredMember(
        document["url"],
        str(document["archive_id"]),
        document["content_type"],
        document["size"],
        document["refusal"],
        code_of(document["error_code"]),
        document["body"],
    )

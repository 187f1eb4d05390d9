"""Uploaded files, which predictions can use as inputs for a day."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from localcloud.replicate.identifiers import new_id, timestamp
from localcloud.replicate.problems import Problem

# Bytes of the largest file that can be uploaded.
MAX_BYTES = 100 * 1024 * 1024
_LIFETIME = timedelta(days=1)
# Bytes that are copied at once.
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file, whose bytes are at `path`."""

    id: str
    name: str
    content_type: str
    size: int
    sha256: str
    metadata: dict[str, Any]
    created_at: str
    expires_at: str
    path: Path

    def payload(self, base: str) -> dict[str, Any]:
        """The file as the API returns it."""
        return {
            "id": self.id,
            "name": self.name,
            "content_type": self.content_type,
            "size": self.size,
            "etag": self.sha256,
            "checksums": {"sha256": self.sha256},
            "metadata": self.metadata,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "urls": {"get": f"{base}/v1/files/{self.id}"},
        }


class FileStore:
    """The uploads: rows in the database, and bytes in a folder. `base` is the server's address."""

    def __init__(self, db: sqlite3.Connection, folder: Path, base: str) -> None:
        self._db = db
        self._folder = folder
        self.base = base
        folder.mkdir(parents=True, exist_ok=True)

    async def add(
        self, source: BinaryIO, name: str, content_type: str, metadata: dict[str, Any]
    ) -> StoredFile:
        """Store a file. Raises Problem 413 if it is too large."""
        file_id, now = new_id(), datetime.now(UTC)
        path = self._folder / file_id
        try:
            size, sha256 = await asyncio.to_thread(_copy, source, path)
        except Problem:
            path.unlink()
            raise
        created, expires = timestamp(now), timestamp(now + _LIFETIME)
        self._db.execute(
            "INSERT INTO files (id, name, content_type, size, sha256, metadata, created_at,"
            " expires_at) VALUES (?,?,?,?,?,?,?,?)",
            (file_id, name, content_type, size, sha256, json.dumps(metadata), created, expires),
        )
        return StoredFile(
            file_id, name, content_type, size, sha256, metadata, created, expires, path
        )

    def get(self, file_id: str) -> StoredFile | None:
        row = self._db.execute("SELECT * FROM files WHERE id = ?", (file_id,)).fetchone()
        return self._file(row) if row else None

    def newest(self, limit: int) -> list[StoredFile]:
        """The files that were uploaded last, newest first."""
        rows = self._db.execute("SELECT * FROM files ORDER BY seq DESC LIMIT ?", (limit,))
        return [self._file(row) for row in rows]

    def by_url(self, url: str) -> StoredFile | None:
        """The file with that URL in `urls.get`."""
        prefix = f"{self.base}/v1/files/"
        return self.get(url.removeprefix(prefix)) if url.startswith(prefix) else None

    def delete(self, file_id: str) -> bool:
        """Delete a file; whether it was there."""
        query = "DELETE FROM files WHERE id = ? RETURNING id"
        rows = self._db.execute(query, (file_id,)).fetchall()
        for row in rows:
            (self._folder / row["id"]).unlink(missing_ok=True)
        return bool(rows)

    def expire(self, now: datetime) -> None:
        """Delete the files that are too old."""
        query = "DELETE FROM files WHERE expires_at < ? RETURNING id"
        for row in self._db.execute(query, (timestamp(now),)).fetchall():
            (self._folder / row["id"]).unlink(missing_ok=True)

    def _file(self, row: sqlite3.Row) -> StoredFile:
        names = [name for name in StoredFile.__dataclass_fields__ if name != "path"]
        fields = {name: row[name] for name in names}
        fields["metadata"] = json.loads(fields["metadata"])
        return StoredFile(**fields, path=self._folder / row["id"])


def _copy(source: BinaryIO, path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise Problem(413, "Content Too Large", "Files must be less than 100MB in size")
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return size, digest.hexdigest()

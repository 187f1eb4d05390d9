"""The search indexes that exist, kept in one SQLite file."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bson
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from localcloud.atlas.wire.messages import LOSSLESS, decode_document
from localcloud.sqlite import connect, transaction

log = logging.getLogger("atlas.catalog")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS indexes (
    id TEXT PRIMARY KEY, db TEXT NOT NULL, collection TEXT NOT NULL, uuid BLOB NOT NULL,
    name TEXT NOT NULL, type TEXT NOT NULL, definition BLOB NOT NULL,
    version INTEGER NOT NULL, created INTEGER NOT NULL,
    serving INTEGER, serving_definition BLOB,
    UNIQUE (db, collection, name));
"""


@dataclass(frozen=True)
class Request:
    """An index to create."""

    name: str
    type: str
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One search index.

    `version` counts the definitions from 0. `serving` is the version that answers searches: it is
    None until the first is built, and an older version while a new one is built. `uuid` is the
    collection's, which tells it from another collection with the same name.
    """

    id: str
    db: str
    collection: str
    uuid: bytes
    name: str
    type: str
    definition: Mapping[str, Any]
    version: int
    created: DatetimeMS
    serving: int | None = None
    serving_definition: Mapping[str, Any] | None = None

    @classmethod
    def new(cls, place: tuple[str, str, bytes], request: Request) -> Entry:
        """A first version. `place` is the database, the collection and its uuid."""
        index = (request.name, request.type, request.definition)
        return cls(str(ObjectId()), *place, *index, 0, now())

    def updated(self, definition: Mapping[str, Any]) -> Entry:
        """The entry with a new definition, which is yet to be built."""
        return replace(self, definition=definition, version=self.version + 1, created=now())

    def served(self) -> Entry:
        """The entry after its latest version was built."""
        return replace(self, serving=self.version, serving_definition=self.definition)


class Catalog:
    """The durable table of entries. Every change is on disk when its method returns."""

    def __init__(self, path: Path) -> None:
        """A damaged file is set aside for an empty one, as whoever needs an index creates it."""
        self._lock = threading.Lock()
        try:
            self._open(path)
        except (bson.errors.BSONError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.OperationalError):  # such as a full disk
                raise
            aside = path.with_suffix(".damaged")
            log.warning(
                "%s is damaged (%s) and is now %s: create the indexes again", path, error, aside
            )
            path.replace(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._open(path)

    def _open(self, path: Path) -> None:
        self._db = connect(path, schema=_SCHEMA, any_thread=True)
        try:
            self.entries()
        except BaseException:
            self._db.close()
            raise

    def entries(self) -> list[Entry]:
        with self._lock:
            rows = self._db.execute("SELECT * FROM indexes ORDER BY id").fetchall()
        return [_entry(tuple(row)) for row in rows]

    def save(self, *entries: Entry) -> None:
        """Insert or replace the entries, all or none."""
        with self._lock, transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO indexes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_row(entry) for entry in entries],
            )

    def delete(self, index_id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM indexes WHERE id = ?", (index_id,))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def now() -> DatetimeMS:
    return DatetimeMS(int(time.time() * 1000))


def _row(entry: Entry) -> tuple[Any, ...]:
    serving = entry.serving_definition
    return (
        *(entry.id, entry.db, entry.collection, entry.uuid, entry.name, entry.type),
        bson.encode(entry.definition, codec_options=LOSSLESS),
        *(entry.version, int(entry.created), entry.serving),
        None if serving is None else bson.encode(serving, codec_options=LOSSLESS),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    index_id, db, collection, uuid, name, kind = row[:6]
    definition, version, created, serving, serving_definition = row[6:]
    return Entry(
        *(index_id, db, collection, uuid, name, kind),
        decode_document(definition),
        version,
        DatetimeMS(created),
        serving,
        None if serving_definition is None else decode_document(serving_definition),
    )

"""The one SQLite file, opened so that what is committed survives a kill or a power cut."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from base64 import b32encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL DEFAULT 'null',
    error TEXT,
    logs TEXT NOT NULL DEFAULT '',
    metrics TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT,
    deadline TEXT,
    webhook TEXT,
    events TEXT NOT NULL DEFAULT '[]',
    urgent INTEGER NOT NULL DEFAULT 0,
    fetches INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    data_removed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS queued ON predictions (version, urgent DESC, seq)
    WHERE status = 'starting';
CREATE INDEX IF NOT EXISTS running ON predictions (id) WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS overdue ON predictions (deadline)
    WHERE deadline IS NOT NULL AND completed_at IS NULL;
CREATE INDEX IF NOT EXISTS expiring ON predictions (completed_at) WHERE data_removed = 0;
CREATE INDEX IF NOT EXISTS runs ON predictions (version, status);
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    body BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS due ON deliveries (due);
CREATE TABLE IF NOT EXISTS files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: several statements belong in a `transaction`."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_SCHEMA)
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block's writes, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def new_id() -> str:
    """An id as Replicate makes them: 26 characters of lower-case base 32."""
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def timestamp(moment: datetime | None = None) -> str:
    """UTC in ISO 8601 with microseconds and Z, so that text order is time order."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""The tables of the one SQLite file."""

from __future__ import annotations

import sqlite3

SCHEMA = """
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
    webhook TEXT,
    urgent INTEGER NOT NULL DEFAULT 0,
    fetches INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    data_removed INTEGER NOT NULL DEFAULT 0,
    deadline TEXT
);
CREATE INDEX IF NOT EXISTS queued ON predictions (version, urgent DESC, seq)
    WHERE status = 'starting';
CREATE INDEX IF NOT EXISTS running ON predictions (id) WHERE status = 'processing';
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
    metadata TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
"""


def upgrade(connection: sqlite3.Connection) -> None:
    """Add what a file of an older version lacks."""
    columns = {row["name"] for row in connection.execute("PRAGMA table_info (predictions)")}
    if "deadline" not in columns:
        connection.execute("ALTER TABLE predictions ADD COLUMN deadline TEXT")
    connection.execute(
        "CREATE INDEX IF NOT EXISTS limited ON predictions (deadline)"
        " WHERE completed_at IS NULL AND deadline IS NOT NULL"
    )

"""Opens SQLite files so that committed data survives a kill or a power cut."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

# Milliseconds to wait for another connection's lock before an error.
BUSY_TIMEOUT_MS = 10_000


def connect(path: Path, *, schema: str = "", any_thread: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, whose rows can be read by column name.

    `schema` is a script that creates what is missing. With `any_thread` the connection may be
    used from several threads, which must take turns.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=not any_thread)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all writes of the block, or none if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back after some errors
            connection.execute("ROLLBACK")
        raise

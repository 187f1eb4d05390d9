"""Opens SQLite files so that committed data survives a kill or a power cut.

A damaged file is named, with what to do about it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

# Milliseconds to wait for another connection's lock before an error.
BUSY_TIMEOUT_MS = 10_000
# Bytes of a write-ahead log that stay when its content is in the file. It grows with the largest
# transaction.
WAL_BYTES = 16_000_000
# SQLite's number for auto_vacuum = INCREMENTAL.
_INCREMENTAL = 2


class Damaged(sqlite3.DatabaseError):
    """The file is not what SQLite wrote. The message is for the person who started the program."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged ({reason}). Restore it from a backup, or move it away with the "
            f"files {path.name}-wal and {path.name}-shm: the next start makes an empty one. "
            "docs/running.md says under 'Backups' what is lost then."
        )


def connect(path: Path, *, schema: str = "", any_thread: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, whose rows can be read by column name.

    `schema` is a script that creates what is missing. With `any_thread` the connection may be
    used from several threads, which must take turns.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=not any_thread)
    try:
        with damage_named(path):
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise Damaged in place of SQLite's own error, which does not name the file."""
    try:
        yield
    except Damaged:
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)  # absent from errors of the module itself
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Damaged(path, str(error)) from error
        raise


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises Damaged at the first fault."""
    with damage_named(path):
        found = connection.execute("PRAGMA quick_check (1)").fetchone()[0]
    if found != "ok":
        raise Damaged(path, str(found).splitlines()[-1])


def make_shrinkable(connection: sqlite3.Connection) -> None:
    """Let `shrink` free the pages of the file one by one. A file of an earlier version is written
    anew for that, or at a later start where there is no room for a second file."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
        return
    connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        log.warning("the file cannot become smaller before a later start: %s", error)


def shrink(connection: sqlite3.Connection, pages: int, spare: int = 0) -> bool:
    """Give at most so many free pages back to the file system, but for the spare ones. Whether
    there are more. The connection is in no transaction."""
    before = _free_pages(connection)
    if before <= spare:
        return False
    # A plain `execute` takes one step of this statement, and so frees one page.
    connection.executescript(f"PRAGMA incremental_vacuum ({min(pages, before - spare)})")
    return before > _free_pages(connection) > spare


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def is_disk_full(error: BaseException) -> bool:
    """Whether a write has failed for want of room, so that it may succeed later."""
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0)  # absent from errors of the module itself
        return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


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

"""The SQLite table of a vector store: one row for each row of the matrix that is in use.

A row holds the document's encoded _id, its filter values, the document itself (see
index/sources.py) and the checksum of its vector. The table also holds the resume token, which is
committed together with the rows that it covers, and the rows that have changed since the latest
snapshot (see snapshot.py).
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bson

from localcloud.atlas.index.stores import DamagedStore
from localcloud.atlas.wire.messages import LOSSLESS, decode_document
from localcloud.sqlite import connect

# The version of the layout on disk. Another version is built anew.
FORMAT = 3
_SCHEMA = f"""
BEGIN;
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, fields BLOB NOT NULL, crc INTEGER NOT NULL,
    source BLOB NOT NULL);
CREATE TABLE changed (row INTEGER PRIMARY KEY);
COMMIT;
"""
# The values at the paths of the filter fields.
Fields = Mapping[str, Sequence[Any]]


class RowTable:
    """The table in a file. One thread writes; `source` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedStore."""
        with _damage_noticed():
            self._db = connect(path, any_thread=True)
            # Searches read documents over a connection of their own, which never waits for a
            # commit. It cannot see the documents in `_uncommitted`, which are kept by row.
            self._reader = connect(path, any_thread=True)
        self._reader_lock = threading.Lock()
        self._uncommitted: dict[int, bytes] = {}

    def load(self) -> Iterator[tuple[int, bytes, bytes, int]]:
        """Every row's number, encoded _id, encoded fields and checksum. Raises DamagedStore."""
        with _damage_noticed():
            yield from map(tuple, self._db.execute("SELECT row, id, fields, crc FROM rows"))

    def changed(self) -> Iterator[tuple[int, bytes | None, bytes, int]]:
        """As `load`, but the rows that changed since the snapshot; those deleted have no _id."""
        query = "SELECT changed.row, id, fields, crc FROM changed LEFT JOIN rows USING (row)"
        with _damage_noticed():
            yield from map(tuple, self._db.execute(query))

    def begin(self) -> None:
        """Open the transaction for changes, once the table is loaded."""
        self._db.execute("BEGIN")

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == FORMAT:
            return
        if self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise DamagedStore("another format")
        self._db.executescript(_SCHEMA)

    @property
    def token(self) -> Mapping[str, Any] | None:
        """The committed resume token; None if no commit has had one."""
        raw = self._meta("token")
        return None if raw is None else bson.decode(raw)

    @property
    def matrix_rows(self) -> int:
        """The number of matrix rows, live or dead, at the last commit."""
        with _damage_noticed():
            self._prepare()
            return int(self._meta("rows") or 0)

    def _meta(self, key: str) -> Any:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    @property
    def stamp(self) -> int:
        """The number of the snapshot since which changes are noted; 0 if there is none."""
        return int(self._meta("stamp") or 0)

    def live(self) -> Iterator[tuple[int, bytes, Fields, bytes]]:
        """Every row's number, encoded _id, fields and document, for the writing thread."""
        rows = self._db.execute("SELECT row, id, fields, source FROM rows ORDER BY row")
        for row, key, fields, source in rows:
            yield row, key, decode_document(fields), source

    def insert(self, row: int, key: bytes, fields: bytes, crc: int, source: bytes) -> None:
        self._uncommitted[row] = source
        values = (row, key, fields, crc, source)
        self._db.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", values)
        self._note(row)

    def update(self, row: int, fields: bytes, source: bytes) -> None:
        self._uncommitted[row] = source
        self._db.execute(
            "UPDATE rows SET fields = ?, source = ? WHERE row = ?", (fields, source, row)
        )
        self._note(row)

    def delete(self, row: int) -> None:
        self._db.execute("DELETE FROM rows WHERE row = ?", (row,))
        self._note(row)

    def _note(self, row: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO changed VALUES (?)", (row,))

    def begin_anew(self, stamp: int) -> None:
        """Note changes from now on, after the snapshot of that number was written."""
        self._db.execute("DELETE FROM changed")
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('stamp', ?)", (stamp,))
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def commit(self, matrix_rows: int, token: Mapping[str, Any] | None) -> None:
        """Make all changes durable; None keeps the token that is there."""
        values: dict[str, Any] = {"rows": matrix_rows}
        if token is not None:
            values["token"] = bson.encode(token)
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")
        self._uncommitted.clear()

    def source(self, row: int) -> bytes | None:
        """The document of a row; None if the row is gone or the table is closed."""
        with self._reader_lock:
            uncommitted = self._uncommitted.get(row)
            if uncommitted is not None:
                return uncommitted
            query = "SELECT source FROM rows WHERE row = ?"
            try:
                found = self._reader.execute(query, (row,)).fetchone()
            except sqlite3.ProgrammingError:  # closed because it was copied or dropped
                return None
            return None if found is None else bytes(found[0])

    def close(self) -> None:
        """Forget every change that was not committed."""
        with self._reader_lock:
            self._reader.close()
        self._db.close()


@contextlib.contextmanager
def _damage_noticed() -> Iterator[None]:
    """Raise SQLite's errors about the file's content as DamagedStore.

    An OperationalError, such as a full disk, is no damage.
    """
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedStore(str(error)) from error


def encode(fields: Fields) -> bytes:
    """The fields as the table keeps them."""
    return bson.encode(fields, codec_options=LOSSLESS)

"""One SQLite file: a thread that writes in groups, and a connection that reads.

Many writes that arrive together share one commit, and so one fsync. A write's result
reaches its caller only after the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_GROUP = 256


@dataclass
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Database:
    """Opened and read in the event loop's thread; `close` ends the writing thread."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        connection = self._connect()
        connection.executescript(schema)
        connection.close()
        self.reader = self._connect()
        self.reader.execute("PRAGMA query_only=ON")
        self._thread = threading.Thread(target=self._write_forever, name="writer", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=10000")
        return connection

    @property
    def alive(self) -> bool:
        """Whether writes are being taken."""
        return self._thread.is_alive()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the writing thread; its result, once it is on the disk.

        What `work` raises is raised here, and nothing of it is kept. sqlite3.Error when the
        commit itself fails: then nothing of the whole group is kept.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future))
        return await future

    def close(self) -> None:
        """Finish the writes that were asked for, then stop."""
        self._jobs.put(None)
        self._thread.join()
        self.reader.close()

    def _write_forever(self) -> None:
        connection = self._connect()
        stopping = False
        while not stopping:
            first = self._jobs.get()
            group = [first]
            with contextlib.suppress(queue.Empty):
                while len(group) < _GROUP:
                    group.append(self._jobs.get_nowait())
            jobs = [job for job in group if job is not None]
            stopping = len(jobs) < len(group)
            if jobs:
                _commit(connection, jobs)
                _answer(jobs)
        connection.close()


def _commit(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            _run(connection, job)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        for job in jobs:
            job.error = error
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _run(connection: sqlite3.Connection, job: _Job) -> None:
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except Exception as error:  # noqa: BLE001 - raised again in the caller, in its own thread
        job.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _answer(jobs: list[_Job]) -> None:
    loop = jobs[0].future.get_loop()
    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)

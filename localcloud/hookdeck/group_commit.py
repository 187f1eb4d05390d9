"""A SQLite file with one thread that writes in groups and one connection that reads.

Writes that arrive together share a commit, and so one fsync. A caller gets its result only after
the commit.
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

from localcloud.sqlite import connect, transaction

T = TypeVar("T")
# The most writes in one commit.
_MAX_GROUP = 256


@dataclass
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Database:
    """Opened and read in the event loop's thread. `close` ends the writing thread."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.reader = connect(path, schema=schema)
        self.reader.execute("PRAGMA query_only=ON")
        self._thread = threading.Thread(target=self._write_forever, name="writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the writing thread runs."""
        return self._thread.is_alive()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the writing thread and return its result after the commit.

        If `work` raises, its writes are undone and its exception is raised here. If the commit
        fails, sqlite3.Error is raised and the writes of the whole group are undone.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future))
        return await future

    def close(self) -> None:
        """Finish the writes that were requested, then stop."""
        self._jobs.put(None)
        self._thread.join()
        self.reader.close()

    def _write_forever(self) -> None:
        connection = connect(self._path)
        stopping = False
        while not stopping:
            group = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(group) < _MAX_GROUP:
                    group.append(self._jobs.get_nowait())
            jobs = [job for job in group if job is not None]
            stopping = len(jobs) < len(group)
            if jobs:
                _commit(connection, jobs)
                _answer(jobs)
        connection.close()


def _commit(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    try:
        with transaction(connection):
            for job in jobs:
                _run(connection, job)
    except sqlite3.Error as error:
        for job in jobs:
            job.error = error


def _run(connection: sqlite3.Connection, job: _Job) -> None:
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except Exception as error:  # noqa: BLE001 - raised again for the caller, in its own thread
        job.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _answer(jobs: list[_Job]) -> None:
    loop = jobs[0].future.get_loop()
    with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
        loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)

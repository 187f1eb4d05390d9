"""The gateway's SQLite file, and the threads that write and read it for the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from localcloud.sqlite import check, connect, shrink, transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Worker:
    """A thread with a connection of its own. What is asked of it is done in turn."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, any_thread=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def __call__(self, work: Work[T]) -> T:
        """The result of `work` in the thread. What it raises is raised here."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, self._connection)

    def close(self) -> None:
        """Finish what was asked for, then stop."""
        self._thread.shutdown()
        self._connection.close()


class Database:
    """Opened in the event loop's thread, which may use `reader` for a few small rows.

    `lists` and `bodies` read what may be large or slow in threads of their own, so that neither
    the event loop nor one of them waits for the other.
    """

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.reader = connect(path)
        check(self.reader, path)
        prepare(self.reader)
        self.reader.execute("PRAGMA query_only = ON")
        self._writer, self.lists, self.bodies = Worker(path), Worker(path), Worker(path)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction and return its result after the commit.

        If it raises, its writes are undone.
        """

        def committed(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        return await self._writer(committed)

    async def shrink(self, pages: int) -> bool:
        """Give at most so many free pages back to the file system. Returns whether there are
        more."""
        return await self._writer(lambda connection: shrink(connection, pages))

    def close(self) -> None:
        """Finish the writes that were requested, then stop."""
        for worker in (self._writer, self.lists, self.bodies):
            worker.close()
        self.reader.close()

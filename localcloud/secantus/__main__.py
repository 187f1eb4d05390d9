# SPDX-License-Identifier: GPL-2.0-only
"""SecantusDB's own command line: python -m localcloud.secantus --port P --storage-path DIR ..."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

import secantus
import wiredtiger
from secantus import cli, server
from secantus.storage import Storage

from localcloud.secantus import patches, room

# Seconds between two checkpoints, each of which deletes the journal up to it. SecantusDB's own 60
# let the journal of a busy minute fill a small disk.
CHECKPOINT_SECONDS = 15.0

# How WiredTiger's errors begin when it cannot make sense of its files.
DAMAGE = ("WT_TRY_SALVAGE", "WT_ERROR", "WT_NOTFOUND", "WT_PANIC")


class WatchedStorage(Storage):  # type: ignore[misc]
    """A storage whose panic ends this process, and that is not opened if it is damaged."""

    def __init__(self, path: str, **options: object) -> None:
        _require_both_catalogs(Path(path))
        try:
            super().__init__(path, checkpoint_seconds=CHECKPOINT_SECONDS, **options)
        except wiredtiger.WiredTigerError as error:
            had_room = room.free_bytes(Path(path)) >= room.OPENING_BYTES
            if had_room and str(error).startswith(DAMAGE):
                sys.exit(_damaged(path, str(error)))
            raise
        # What was read to open it would stay this thread's view of the database for as long as the
        # process runs, and every former version of every document would be kept for it.
        self.release_thread_snapshot()
        room.watch(self)


class PromptServer(server.SecantusDBServer):  # type: ignore[misc]
    """A server whose end does not wait 2 s for the thread that accepts connections: on Linux,
    closing a socket does not wake who waits at it."""

    def stop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # where that thread has ended already
                self._socket.shutdown(socket.SHUT_RDWR)
        super().stop()


def _require_both_catalogs(folder: Path) -> None:
    """End this process if one is lost: WiredTiger would begin an empty database without it."""
    there = [(folder / name).exists() for name in ("WiredTiger.wt", "WiredTiger.turtle")]
    if any(there) and not all(there):
        sys.exit(_damaged(str(folder), "a part of WiredTiger's catalog is missing"))


def _damaged(folder: str, reason: str) -> str:
    return (
        f"The database in {folder} is damaged ({reason}). Restore the folder from a backup. "
        "Or move it away: the next start makes an empty database, and everything that was indexed "
        "has to be indexed again."
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    if secantus.__version__ == patches.VERSION:
        patches.apply()
    else:
        print(
            f"SecantusDB {secantus.__version__} runs with its own query planner, which is slow: "
            f"the one of localcloud/secantus was written for {patches.VERSION}.",
            file=sys.stderr,
            flush=True,
        )
    server.dispatch = room.guarded(server.dispatch)
    server.Storage = WatchedStorage
    cli.SecantusDBServer = PromptServer
    arguments = cli.build_parser().parse_args()
    room.await_room(arguments.host, arguments.port, Path(arguments.storage_path))
    return int(cli.main())


if __name__ == "__main__":
    sys.exit(main())

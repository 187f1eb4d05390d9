# SPDX-License-Identifier: GPL-2.0-only
"""What the server does without room on its disk, and when its storage engine has failed.

WiredTiger panics when it cannot write: every later call fails, even after there is room again, and
only a new process can recover. So writes are refused while there is still a reserve; a process
whose engine has panicked ends, for whoever started it to start it again; and a process that is
started without room does not open the database, but refuses every command until there is room.
"""

from __future__ import annotations

import itertools
import logging
import os
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import wiredtiger
from secantus import wire

log = logging.getLogger(__name__)

Document = dict[str, Any]
Dispatch = Callable[[Document, Any], Document]

# Free bytes below which writes are refused. A checkpoint writes what has changed since the last
# one, and the journal grows by files of 10 MB.
RESERVE_BYTES = 64 * 1024 * 1024
# Free bytes below which the database is not opened, since recovery writes a checkpoint.
OPENING_BYTES = RESERVE_BYTES // 2
# The commands that make the database larger. A delete is not among them: it makes room.
GROWING = frozenset({
    *("insert", "update", "findAndModify", "findandmodify", "bulkWrite"),
    *("create", "createIndexes", "renameCollection"),
})  # fmt: skip
GROWING_STAGES = ("$out", "$merge")
# The exit code of a process whose storage engine has panicked.
PANIC_EXIT = 14
# Seconds between two looks at an idle engine, and at a full disk.
WATCH_SECONDS = 1.0
# SecantusDB's code for a failure inside.
INTERNAL_ERROR = 1


def free_bytes(folder: Path) -> int:
    """The bytes that an ordinary user can still write to the folder's disk."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def guarded(dispatch: Dispatch) -> Dispatch:
    """A `dispatch` of SecantusDB that refuses writes without room, and ends a broken process."""

    def dispatch_with_room(command: Document, context: Any) -> Document:
        if _grows(command):
            free = free_bytes(Path(context.storage.home_path))
            if free < RESERVE_BYTES:
                return refusal(free, RESERVE_BYTES)
        reply = dispatch(command, context)
        if reply.get("code") == INTERNAL_ERROR:
            end_if_panicked(context.storage)
        return reply

    return dispatch_with_room


def _grows(command: Document) -> bool:
    name = next(iter(command), "")
    if name != "aggregate":
        return name in GROWING
    stages = command.get("pipeline")
    last = stages[-1] if isinstance(stages, list) and stages else None
    return isinstance(last, dict) and any(stage in last for stage in GROWING_STAGES)


def refusal(free: int, required: int) -> Document:
    """The reply of a MongoDB server whose disk is full."""
    return {
        "ok": 0.0,
        "errmsg": f"available disk space of {free} bytes is less than required minimum of "
        f"{required} bytes",
        "code": 14031,
        "codeName": "OutOfDiskSpace",
    }


def end_if_panicked(storage: Any) -> None:
    """End this process if its storage engine has panicked."""
    try:
        session = storage._conn.open_session()
        session.close()
    except wiredtiger.WiredTigerError as error:
        if "WT_PANIC" in str(error):
            log.critical("the storage engine has failed; ending the process to recover")
            logging.shutdown()
            os._exit(PANIC_EXIT)


def watch(storage: Any) -> None:
    """End this process soon after a panic that no command has met, and reclaim the journal.

    The journal is deleted by a checkpoint, which is made early when it may give writes room.
    """

    def look() -> None:
        while not storage._closed:
            end_if_panicked(storage)
            if OPENING_BYTES <= free_bytes(Path(storage.home_path)) < RESERVE_BYTES:
                _checkpoint(storage)
            time.sleep(WATCH_SECONDS)

    threading.Thread(target=look, name="watch-storage", daemon=True).start()


def _checkpoint(storage: Any) -> None:
    """Make a checkpoint, without the lock that SecantusDB's own holds meanwhile."""
    try:
        session = storage._conn.open_session()
        session.checkpoint()
        session.close()
    except wiredtiger.WiredTigerError as error:
        log.warning("no checkpoint: %s", error)


# Without room at the start


def await_room(host: str, port: int, folder: Path) -> None:
    """Return when the database can be opened; until then, refuse every command on the port."""
    if free_bytes(folder) >= OPENING_BYTES:
        return
    log.warning("the disk of %s is full: every command is refused until there is room", folder)
    with _Refusing((host, port), folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while free_bytes(folder) < OPENING_BYTES:
            time.sleep(WATCH_SECONDS)
        server.shutdown()


class _Refusing(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        self.folder = folder
        super().__init__(address, _Connection)


class _Connection(socketserver.BaseRequestHandler):
    """Greets drivers as a server does and refuses everything else."""

    server: _Refusing

    def handle(self) -> None:
        with suppress(wire.ConnectionClosed, wire.WireProtocolError, OSError):
            for number in itertools.count(1):
                self._answer(wire.read_message(self.request), number)

    def _answer(self, message: wire.Message, number: int) -> None:
        free = free_bytes(self.server.folder)
        if free >= OPENING_BYTES:
            raise wire.ConnectionClosed  # the database is opened at the next look
        op, to = message.op, message.header.request_id
        if isinstance(op, wire.OpMsg):
            name = next(iter(op.body), "")
            reply = (
                HELLO if name in ("hello", "isMaster", "ismaster") else refusal(free, OPENING_BYTES)
            )
            self.request.sendall(wire.build_op_msg_reply(to, number, reply))
        else:
            self.request.sendall(wire.build_op_reply(to, number, [HELLO]))


# A writable server without sessions, so that drivers send it their commands.
HELLO: Document = {
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}

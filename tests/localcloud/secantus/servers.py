"""SecantusDB as a process, with our query planner or with its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure

from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from tools.harness.waiting import wait_for

Document = dict[str, Any]
PLANNED = ("-m", "localcloud.secantus")
UNPLANNED = ("-m", "secantus")


class Server:
    """A running server. `program` is what Python runs in place of `-m localcloud.secantus`.

    `more` are options that override its own.
    """

    def __init__(
        self, directory: Path, program: Sequence[str] = PLANNED, more: Sequence[str] = ()
    ) -> None:
        self.port = port = pick_port()
        options = [*secantus_argv(port, directory / "db")[1 + len(PLANNED) :], *more]
        self.log = directory / "log"
        self.process: subprocess.Popen[bytes] = spawn(
            Program("secantus", [sys.executable, *program, *options], self.log)
        )
        self.client: MongoClient[Document] = MongoClient(
            f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=1_000
        )

    def wait(self) -> None:
        wait_for(
            lambda: bool(self.client.admin.command("ping")["ok"]),
            "an answer",
            despite=ConnectionFailure,
        )

    def collection(self, name: str) -> Collection[Document]:
        return self.client.test[name]

    def cpu_ticks(self) -> int:
        """What the process has used of the processor (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(20)

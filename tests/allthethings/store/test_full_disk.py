"""The health check of a database that answers pings and has no room for a write."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo.errors import ConnectionFailure

from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.mongo import Database
from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from tests.support.small_disk import small_disk
from tools.harness.waiting import wait_for

# Enough to open a database, and less than SecantusDB's reserve.
DISK_MEGABYTES = 60


def test_the_health_check_writes(tmp_path: Path) -> None:
    port = pick_port()
    database = Database(f"mongodb://127.0.0.1:{port}/?directConnection=true", "full")
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        argv = secantus_argv(port, disk.folder / "db")
        process = spawn(Program("secantus", argv, tmp_path / "log"))
        try:
            wait_for(
                lambda: database.client.admin.command("ping"),
                "the server",
                despite=ConnectionFailure,
            )
            with pytest.raises(ServiceUnavailable, match="its disk or its quota is full") as caught:
                database.check()
            assert caught.value.code is ErrorCode.DATABASE_FULL
        finally:
            database.close()
            process.terminate()
            process.wait(20)

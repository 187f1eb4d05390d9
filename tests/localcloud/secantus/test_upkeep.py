"""What SecantusDB reads for itself stays little, however much there is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.localcloud.secantus.servers import Server
from tools.harness.cloud import ROOT

# Counts the steps by which the newest of many documents is found, in many collections.
STEPS = """
import sys
from secantus.storage import Storage
from localcloud.secantus import upkeep

class Counted:
    steps = 0

    def __init__(self, cursor):
        self.cursor = cursor

    def __getattr__(self, name):
        Counted.steps += name in ("prev", "next", "search_near")
        return getattr(self.cursor, name)

store = Storage(sys.argv[1])
assert upkeep.newest_record(store) == 0
for turn in range(3):
    for number in range(40):
        store.insert("db", f"c{number}", [{"n": n} for n in range(50)])
newest = store._scan_max_nat_seq()
open_cursor = store._cursor_optional
store._cursor_optional = lambda name: (found := open_cursor(name)) and Counted(found)
assert upkeep.newest_record(store) == newest == 6000
assert Counted.steps <= 16 + 2 * 40, Counted.steps
store.close()
"""


def test_a_start_reads_one_document_of_each_collection(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STEPS, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """A server whose oplog keeps entries for a second."""
    with ExitStack() as running:
        server = Server(tmp_path, more=["--oplog-retention-seconds", "1"])
        running.callback(server.stop)
        server.wait()
        yield server


def test_no_write_shortens_the_oplog_by_all_that_is_too_old(forgetful: Server) -> None:
    collection, oplog = forgetful.collection("busy"), forgetful.client.local["oplog.rs"]
    collection.insert_many({"n": 0} for _ in range(1_000))
    for _ in range(5):
        collection.update_many({}, {"$inc": {"n": 1}})
    time.sleep(2.5)
    for _ in range(2):
        before = oplog.count_documents({})
        collection.update_many({}, {"$inc": {"n": 1}})
        assert before + 1_000 - 2_000 <= oplog.count_documents({}) < before


def test_former_versions_are_not_kept_after_a_second_start(tmp_path: Path) -> None:
    """What the start has read is no view of the database that lasts as long as the process."""
    for start in range(2):
        with ExitStack() as running:
            server = Server(tmp_path)
            running.callback(server.stop)
            server.wait()
            collection = server.collection("busy")
            if start == 0:
                collection.insert_many({"n": 0, "filling": "x" * 500} for _ in range(500))
            for _ in range(8):
                collection.update_many({}, {"$inc": {"n": 1}})
            server.client.admin.command("fsync")
            assert (tmp_path / "db" / "WiredTigerHS.wt").stat().st_size < 100_000, start

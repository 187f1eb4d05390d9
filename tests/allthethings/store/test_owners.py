"""The leases of a process that was killed are told from those of one that works."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from bson import ObjectId

from allthethings.mongo import Database
from allthethings.store.documents import now
from allthethings.store.leases import AFTER_THE_END, LEASE
from allthethings.store.owners import is_gone, new_owner
from tests.allthethings.store.assets import insert
from tools.harness.processes import is_zombie
from tools.harness.waiting import wait_for

# Tells an owner and works on.
WORKER = """
import sys
from allthethings.store.owners import new_owner
print(new_owner(), flush=True)
sys.stdin.read()
"""


class Worker:
    def __init__(self) -> None:
        argv, pipe = [sys.executable, "-c", WORKER], subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout is not None
        self.owner = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.kill()


def held_by(database: Database, owner: str | None, lease: timedelta = LEASE) -> str:
    """An unfinished asset with that lease."""
    ends = {"lease_until": now() + lease, "lease_owner": owner}
    return insert(database, status="PROCESSED", history=[], **ends)


def lease_of(database: Database, asset_id: str) -> tuple[str | None, bool]:
    """The owner, and whether the lease lasts longer than one that was shortened."""
    document = database.assets.collection.find_one({"_id": ObjectId(asset_id)})
    assert document is not None
    return document["lease_owner"], document["lease_until"] > now() + AFTER_THE_END


def test_each_owner_is_its_own(worker: Worker) -> None:
    assert len({new_owner(), new_owner(), worker.owner}) == 3


def test_an_owner_is_gone_when_its_process_is(worker: Worker) -> None:
    assert not is_gone(new_owner())
    assert not is_gone(worker.owner)
    worker.process.send_signal(signal.SIGKILL)
    wait_for(lambda: is_zombie(worker.process.pid), "its end")  # nobody has waited for it
    assert is_gone(worker.owner)
    worker.kill()
    assert is_gone(worker.owner)


def test_another_process_with_its_id_is_not_the_owner() -> None:
    place, pid, start, token = new_owner().split("/")
    assert is_gone(f"{place}/{pid}/{int(start) - 1}/{token}")


@pytest.mark.parametrize("owner", ["0123456789abcdef", "another-4026531836/1/2/0123", "a/b"])
def test_of_an_owner_elsewhere_nothing_is_known(owner: str) -> None:
    assert not is_gone(owner)


def test_the_leases_of_a_killed_process_are_shortened(database: Database, worker: Worker) -> None:
    killed, own = held_by(database, worker.owner), held_by(database, new_owner())
    elsewhere = held_by(database, "0123456789abcdef")
    waiting = held_by(database, None)
    database.leases.shorten()
    assert lease_of(database, killed) == (worker.owner, True)
    worker.kill()
    database.leases.shorten()
    assert lease_of(database, killed) == (None, False)
    others = [lease_of(database, each) for each in (own, elsewhere, waiting)]
    assert [lasts for _, lasts in others] == [True] * 3
    assert others[1:] == [("0123456789abcdef", True), (None, True)]


def test_a_lease_is_shortened_and_not_prolonged(database: Database, worker: Worker) -> None:
    ends_soon = held_by(database, worker.owner, AFTER_THE_END / 2)
    worker.kill()
    database.leases.shorten()
    assert lease_of(database, ends_soon) == (worker.owner, False)


def test_the_lines_of_a_killed_process_are_claimed_soon(database: Database, worker: Worker) -> None:
    made = database.imports.add({"http://a.test/": 1, "http://b.test/": 1}, ())
    lines = database.database["import_lines"]
    for line, owner in zip(database.imports.due(made.id), (worker.owner, None), strict=True):
        claimed = database.imports.claim(line)
        assert claimed is not None
        if owner:
            lines.update_one({"number": claimed.number}, {"$set": {"lease_owner": owner}})

    def last() -> list[bool]:
        ends = [each["lease_until"] for each in lines.find().sort("number")]
        return [end > now() + AFTER_THE_END for end in ends]

    database.imports.shorten_leases(made.id)
    assert last() == [True, True]
    worker.kill()
    database.imports.shorten_leases(made.id)
    assert last() == [False, True]

"""A full disk: writes are refused, reads are answered, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, Supervisor
from tests.localcloud.secantus.servers import Document
from tests.support.small_disk import SmallDisk, small_disk
from tools.harness.waiting import wait_for

OUT_OF_DISK_SPACE = 14031
# As localcloud/secantus/room.py has them, a program of its own.
RESERVE_BYTES = 64 * 1024 * 1024
OPENING_BYTES = 32 * 1024 * 1024
PANIC_EXIT = 14
DISK_MEGABYTES = 256
WRITERS = 3


class Kept:
    """SecantusDB on a small disk, started again whenever it ends."""

    def __init__(self, disk: SmallDisk, log: Path) -> None:
        self.disk = disk
        self.exits: list[int] = []
        self.supervisor = Supervisor(on_exit=lambda _name, code: self.exits.append(code))
        port = pick_port()
        self.supervisor.add(Program("secantus", secantus_argv(port, disk.folder / "db"), log))
        self.client: MongoClient[Document] = MongoClient(
            f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=1_000
        )
        self.documents: Collection[Document] = self.client.test.documents
        wait_for(lambda: self.writes(0), "a server that writes", despite=PyMongoError)

    def writes(self, name: object, number: int = 0) -> bool:
        document = {"number": number, "text": "x" * 500}
        self.documents.replace_one({"_id": name}, document, upsert=True)
        return True

    def stop(self) -> None:
        self.client.close()
        self.supervisor.stop()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        server = Kept(disk, tmp_path / "log")
        yield server
        server.stop()


def code_of(error: PyMongoError) -> object:
    return getattr(error, "code", None)


def is_refused(kept: Kept, command: str = "insert") -> Callable[[], bool]:
    """Whether the server refuses a command because the disk is full."""

    def refused() -> bool:
        try:
            kept.client.test.command({command: "documents"})
        except OperationFailure as error:
            return code_of(error) == OUT_OF_DISK_SPACE
        return False

    return refused


def leave(disk: SmallDisk, free: int) -> None:
    """Fill the disk but for so many bytes."""
    with (disk.folder / "filler").open("ab") as file:
        file.truncate(0)
        os.posix_fallocate(file.fileno(), 0, disk.free_bytes - free)


def test_writes_are_refused_and_reads_answered_before_the_disk_is_full(kept: Kept) -> None:
    leave(kept.disk, RESERVE_BYTES - 1_000_000)
    with pytest.raises(OperationFailure) as refused:
        kept.writes(1)
    assert code_of(refused.value) == OUT_OF_DISK_SPACE
    assert kept.documents.count_documents({}) == 1
    assert kept.documents.delete_one({"_id": 0}).deleted_count == 1
    kept.disk.empty()
    assert kept.writes(2)
    assert kept.exits == []


def test_a_panic_ends_the_process_and_without_room_every_command_is_refused(kept: Kept) -> None:
    with kept.client.start_session() as session, contextlib.suppress(PyMongoError):
        session.start_transaction()
        large = [{"_id": number, "text": "x" * 1_000_000} for number in range(1, 12)]
        kept.documents.insert_many(large, session=session)
        kept.disk.fill()
        session.commit_transaction()
    wait_for(lambda: kept.exits, "the end of the process")
    assert kept.exits == [PANIC_EXIT]

    wait_for(is_refused(kept, "find"), "a refusal that says why", despite=ConnectionFailure)
    assert kept.disk.free_bytes < OPENING_BYTES
    kept.disk.empty()
    wait_for(lambda: kept.writes(1), "writes again", despite=PyMongoError)
    assert kept.documents.distinct("_id") == [0, 1]


ROUNDS = [
    pytest.param(2, id="twice"),
    pytest.param(20, id="20 times", marks=pytest.mark.slow("minutes; two rounds stand for it")),
]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_disk_that_fills_under_load_loses_nothing_that_was_acknowledged(
    kept: Kept, rounds: int
) -> None:
    acknowledged: dict[str, int] = {}
    done = threading.Event()

    def write(writer: int) -> None:
        for number in itertools.count():
            if done.is_set():
                return
            name = f"{writer}-{number % 100}"
            try:
                kept.writes(name, number)
                acknowledged[name] = number
            except PyMongoError:
                done.wait(0.01)

    writers = [threading.Thread(target=write, args=(name,)) for name in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(rounds):
            before = dict(acknowledged)
            wait_for(lambda: acknowledged != before, "writes", pause=0.5)  # noqa: B023
            kept.disk.fill()
            wait_for(is_refused(kept), "a refusal", despite=ConnectionFailure)
            kept.disk.empty()
            wait_for(lambda: kept.writes("probe"), "writes after room", despite=PyMongoError)
    finally:
        done.set()
        for writer in writers:
            writer.join()
    there = {found["_id"]: found["number"] for found in kept.documents.find()}
    lost = [name for name, number in acknowledged.items() if there.get(name, -1) < number]
    assert lost == []

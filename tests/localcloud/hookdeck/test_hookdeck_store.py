"""The database, its retention, and one attempt's deadline, without the server around them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import Plan, Received, Request, new_id, now_ms
from localcloud.hookdeck.schema import SCHEMA
from localcloud.hookdeck.sending import Clients, send
from localcloud.hookdeck.signing import Delivery
from tests.localcloud.hookdeck.gateway_process import Receiver, Reply


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "store.sqlite3", SCHEMA + SEEN)
    yield database
    database.close()


SEEN = "CREATE TABLE seen (key TEXT);"


def add(name: str, *, fail: bool = False) -> Callable[[sqlite3.Connection], str]:
    def work(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO seen VALUES (?)", (name,))
        if fail:
            raise LookupError(name)
        return name

    return work


def test_a_failed_write_leaves_the_others_of_its_group(database: Database) -> None:
    async def write_all() -> list[str | BaseException]:
        names = [str(number) for number in range(50)]
        writes = [database.write(add(name, fail=name == "7")) for name in names]
        return await asyncio.gather(*writes, return_exceptions=True)

    results = asyncio.run(write_all())
    assert isinstance(results[7], LookupError)
    assert results[:7] + results[8:] == [str(number) for number in range(50) if number != 7]
    kept = {row["key"] for row in database.reader.execute("SELECT key FROM seen")}
    assert kept == {str(number) for number in range(50)} - {"7"}


def test_a_result_is_there_only_once_others_can_read_it(database: Database) -> None:
    async def write_then_read() -> int:
        await database.write(add("x"))
        query = "SELECT count(*) FROM seen"
        with contextlib.closing(sqlite3.connect(database._path)) as other:
            return int(other.execute(query).fetchone()[0])

    assert asyncio.run(write_then_read()) == 1


def test_what_is_over_is_forgotten_after_its_time(database: Database) -> None:
    journal = Journal(database)
    received = Received("POST", "", "", (), b"")

    async def scenario() -> tuple[int, int]:
        for created_at in (1000, now_ms()):
            request = Request(
                *(new_id("req"), "src", "edt", received, None, None, 0, 0),
                created_at=created_at,
                updated_at=created_at,
            )
            await journal.accept(request, Plan())
        return await journal.prune(2000), await journal.prune(2000)

    assert asyncio.run(scenario()) == (1, 0)
    assert database.reader.execute("SELECT count(*) FROM requests").fetchone()[0] == 1


def test_an_attempt_has_a_deadline(receiver: Receiver) -> None:
    hold = threading.Event()
    receiver.reply = Reply(hold=hold)
    delivery = Delivery("POST", receiver.url, (), b"")

    async def attempt() -> str | None:
        async with contextlib.aclosing(Clients()) as clients, clients.lease("x") as client:
            return (await send(client, delivery, deadline=0.2)).error_code

    assert asyncio.run(attempt()) == "TIMEOUT"
    hold.set()

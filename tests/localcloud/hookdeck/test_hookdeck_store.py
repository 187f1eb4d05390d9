"""The database, its retention, and one attempt's deadline, without the server around them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.hookdeck.admin_api import ATTEMPTS, EVENTS, REQUESTS
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.listing import Listing, Paging, Where, page, where
from localcloud.hookdeck.models import Request, new_id, now_ms
from localcloud.hookdeck.schema import prepare
from localcloud.hookdeck.sending import error_code, new_client, send
from localcloud.hookdeck.signing import Delivery
from tests.localcloud.hookdeck.gateway_process import Receiver, Reply


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "store.sqlite3", prepare_seen)
    yield database
    database.close()


def prepare_seen(connection: sqlite3.Connection) -> None:
    prepare(connection)
    connection.execute("CREATE TABLE seen (key TEXT)")


def add(name: str, *, fail: bool = False) -> Callable[[sqlite3.Connection], str]:
    def work(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO seen VALUES (?)", (name,))
        if fail:
            raise LookupError(name)
        return name

    return work


def test_a_failed_write_is_undone_alone(database: Database) -> None:
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


def test_free_pages_are_given_back_many_at_once(database: Database) -> None:
    async def scenario() -> list[int]:
        await database.write(
            lambda db: db.executemany("INSERT INTO seen VALUES (?)", [("x" * 4000,)] * 500)
        )
        await database.write(lambda db: db.execute("DELETE FROM seen"))
        free = [free_pages(database)]
        while await database.shrink(200):
            free.append(free_pages(database))
        return free

    most, *fewer = asyncio.run(scenario())
    assert 400 < most < 600
    assert fewer == [most - 200, most - 400]
    assert free_pages(database) == 0


def free_pages(database: Database) -> int:
    return int(database.reader.execute("PRAGMA freelist_count").fetchone()[0])


def request_of(created_at: int) -> Request:
    names = (new_id("req"), "src", "edt", "POST", "", "", (), None, None, 0)
    return Request(*names, created_at=created_at, updated_at=created_at)


def test_what_is_over_is_forgotten_after_its_time(database: Database) -> None:
    journal = Journal(database)

    async def scenario() -> tuple[int, int]:
        for created_at in (1000, now_ms()):
            await journal.accept(request_of(created_at), b"", [])
        return await journal.prune(2000), await journal.prune(2000)

    assert asyncio.run(scenario()) == (1, 0)
    assert database.reader.execute("SELECT count(*) FROM requests").fetchone()[0] == 1


def test_nothing_large_is_read_in_the_event_loop(database: Database) -> None:
    """A list and a body are read in threads, and neither waits for the other."""

    async def scenario() -> tuple[str, str]:
        names = await asyncio.gather(
            database.lists(lambda _db: threading.current_thread().name),
            database.bodies(lambda _db: threading.current_thread().name),
        )
        blocked = threading.Event()
        slow = asyncio.create_task(database.lists(lambda _db: blocked.wait(30)))
        assert await database.bodies(lambda db: db.execute("SELECT 7").fetchone()[0]) == 7
        blocked.set()
        assert await slow
        return names[0], names[1]

    assert threading.current_thread().name not in asyncio.run(scenario())


@pytest.mark.parametrize("listing", [EVENTS, REQUESTS, ATTEMPTS], ids=lambda one: one.table)
def test_a_page_is_found_by_its_time(database: Database, listing: Listing) -> None:
    """No list is sorted, and none reads the bodies."""
    plan = plan_of(database, listing, Where("TRUE"), cursor="x")
    assert any(f"{listing.table}_by_age" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step or "bodies" in step for step in plan), plan


@pytest.mark.parametrize(
    ("listing", "asked"),
    [
        (EVENTS, {"path": "/6"}),
        (REQUESTS, {"path": "/6"}),
        (REQUESTS, {"path": "/6", "status": "rejected"}),
        (REQUESTS, {"status": "rejected"}),
    ],
)
def test_what_concerns_a_thing_is_found_without_reading_every_row(
    database: Database, listing: Listing, asked: dict[str, str]
) -> None:
    plan = plan_of(database, listing, where(listing, asked))
    scans = [step for step in plan if "SCAN" in step]
    assert all("COVERING INDEX requests_by_path" in step for step in scans), plan
    assert any(f"SEARCH {listing.table}" in step for step in plan), plan


def plan_of(
    database: Database, listing: Listing, condition: Where, cursor: str | None = None
) -> list[str]:
    """The steps by which SQLite reads a page of a list."""
    queries: list[str] = []
    database.reader.set_trace_callback(queries.append)
    page(database.reader, listing, condition, Paging(True, 10, cursor), dict)
    database.reader.set_trace_callback(None)
    [query] = queries
    return [row["detail"] for row in database.reader.execute(f"EXPLAIN QUERY PLAN {query}")]


def test_an_attempt_has_a_deadline(receiver: Receiver) -> None:
    hold = threading.Event()
    receiver.reply = Reply(hold=hold)
    delivery = Delivery("POST", receiver.url, (), b"")

    async def attempt() -> None:
        async with new_client() as client:
            await send(client, delivery, deadline=0.2)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(attempt())
    assert error_code(caught.value) == "TIMEOUT"
    hold.set()

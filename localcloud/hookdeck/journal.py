"""Requests, events and attempts, as the rest of the gateway reads and changes them."""

from __future__ import annotations

import sqlite3

from localcloud.hookdeck import writes
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.models import Attempt, Event, Plan, Request, now_ms
from localcloud.hookdeck.schema import EVENT_COLUMNS, to_event, to_request
from localcloud.hookdeck.writes import Due


class Journal:
    """What was received and what became of it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def event(self, identifier: str) -> Event | None:
        """The event as it is now."""
        query = f"SELECT {EVENT_COLUMNS} FROM events WHERE id = ?"  # noqa: S608
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_event(row)

    def request(self, identifier: str) -> Request | None:
        """The request, body and all."""
        query = "SELECT * FROM requests WHERE id = ?"
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_request(row)

    @staticmethod
    def due(event: Event) -> list[Due]:
        """The event's next attempt, if there is one."""
        return [] if event.due_at is None else [Due(event.due_at, event.id, event.destination_id)]

    def pending(self) -> list[Due]:
        """Every event that waits for an attempt: what a start has to take up again."""
        rows = self.database.reader.execute(
            "SELECT due_at, id, destination_id FROM events WHERE due_at NOT NULL ORDER BY seq"
        )
        return [Due(*row) for row in rows.fetchall()]

    async def accept(self, request: Request, plan: Plan) -> list[Due]:
        """Keep a request with the events it leads to; the ones to be attempted."""

        def work(db: sqlite3.Connection) -> list[Due]:
            writes.insert_request(db, request)
            return writes.carry_out(db, request, plan)

        return await self.database.write(work)

    async def replay(self, request: Request, plan: Plan) -> tuple[list[str], list[Due]]:
        """Add the events of a plan to a request that is kept already; all their ids."""

        def work(db: sqlite3.Connection) -> tuple[list[str], list[Due]]:
            last = db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
            due = writes.carry_out(db, request, plan)
            db.execute(
                "UPDATE requests SET rejection_cause = NULL, updated_at = ? WHERE id = ?",
                (now_ms(), request.id),
            )
            rows = db.execute(
                "SELECT id FROM events WHERE seq > ? AND request_id = ?", (last, request.id)
            )
            return [row["id"] for row in rows.fetchall()], due

        return await self.database.write(work)

    async def record(self, event: Event, attempt: Attempt, retry_in_ms: int | None) -> Event:
        """Keep an attempt made for `event` as it was then; the event as it is now.

        `retry_in_ms`: the pause until the automatic retry, if one is to come.
        """

        def work(db: sqlite3.Connection) -> Event:
            writes.insert_attempt(db, attempt)
            return writes.after_attempt(db, event, attempt, retry_in_ms)

        return await self.database.write(work)

    async def hold(self, identifier: str) -> None:
        """Keep an event back: its connection is paused."""
        await self.database.write(lambda db: writes.hold_event(db, identifier))

    async def release(self, webhook_id: str) -> list[Due]:
        """Queue the events that were held back for a connection."""

        def work(db: sqlite3.Connection) -> list[Due]:
            now = now_ms()
            rows = db.execute(
                "UPDATE events SET status = 'QUEUED', trigger = 'UNPAUSE', due_at = ?,"
                " next_attempt_at = NULL, turn = turn + 1, updated_at = ?"
                " WHERE status = 'HOLD' AND webhook_id = ? RETURNING due_at, id, destination_id",
                (now, now, webhook_id),
            )
            return [Due(*row) for row in rows.fetchall()]

        return await self.database.write(work)

    async def requeue(self, identifier: str, trigger: str) -> Event:
        """Have an event delivered now.

        Its automatic schedule stays as it is; one that was never attempted keeps its trigger.
        """
        now = now_ms()
        await self.database.write(lambda db: writes.requeue_event(db, identifier, trigger, now))
        return self.known(identifier)

    async def cancel(self, identifier: str) -> Event:
        """No attempt is made any more."""
        await self.database.write(
            lambda db: writes.set_event(
                db,
                identifier,
                "status = 'CANCELLED', due_at = NULL, next_attempt_at = NULL, turn = turn + 1",
                (),
            )
        )
        return self.known(identifier)

    def known(self, identifier: str) -> Event:
        """An event that must be there."""
        event = self.event(identifier)
        if event is None:
            raise LookupError(identifier)
        return event

    async def prune(self, before_ms: int) -> int:
        """Forget requests received before, with all that became of them, if all is over."""
        return await self.database.write(lambda db: writes.prune(db, before_ms))

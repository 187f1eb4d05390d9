"""Reads and changes requests, events and attempts for the rest of the gateway."""

from __future__ import annotations

import sqlite3

from localcloud.hookdeck import writes
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.models import Attempt, Event, Plan, Request, now_ms
from localcloud.hookdeck.schema import EVENT_COLUMNS, to_event, to_request
from localcloud.hookdeck.writes import Due


class Journal:
    """The stored requests, events and attempts."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def event(self, identifier: str) -> Event | None:
        """The event with that id."""
        query = f"SELECT {EVENT_COLUMNS} FROM events WHERE id = ?"  # noqa: S608
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_event(row)

    def request(self, identifier: str) -> Request | None:
        """The request with that id, with its body."""
        query = "SELECT * FROM requests WHERE id = ?"
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_request(row)

    @staticmethod
    def due(event: Event) -> list[Due]:
        """The event's next attempt, if there is one."""
        return [] if event.due_at is None else [Due(event.due_at, event.id, event.destination_id)]

    def pending(self) -> list[Due]:
        """Every event that waits for an attempt, for the schedule after a start."""
        rows = self.database.reader.execute(
            "SELECT due_at, id, destination_id FROM events WHERE due_at NOT NULL ORDER BY seq"
        )
        return [Due(*row) for row in rows.fetchall()]

    async def accept(self, request: Request, plan: Plan) -> list[Due]:
        """Store a request with the events of its plan. Returns the events to attempt."""

        def work(db: sqlite3.Connection) -> list[Due]:
            writes.insert_request(db, request)
            return writes.carry_out(db, request, plan)

        return await self.database.write(work)

    async def replay(self, request: Request, plan: Plan) -> tuple[list[str], list[Due]]:
        """Add the events of a plan to a stored request. Returns their ids and those to attempt."""

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
        """Store an attempt of an event and return the updated event.

        `event` is as it was before the attempt. `retry_in_ms` is the pause before the automatic
        retry, None if there is none.
        """

        def work(db: sqlite3.Connection) -> Event:
            writes.insert_attempt(db, attempt)
            return writes.after_attempt(db, event, attempt, retry_in_ms)

        return await self.database.write(work)

    async def hold(self, identifier: str) -> None:
        """Hold an event because its connection is paused."""
        await self.database.write(lambda db: writes.hold_event(db, identifier))

    async def release(self, webhook_id: str) -> list[Due]:
        """Queue the held events of a connection."""

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
        """Queue an event for an attempt now.

        Its automatic schedule does not change. An event without an attempt keeps its trigger.
        """
        now = now_ms()
        await self.database.write(lambda db: writes.requeue_event(db, identifier, trigger, now))
        return self.known(identifier)

    async def cancel(self, identifier: str) -> Event:
        """Cancel the delivery of an event."""
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
        """An event that must exist."""
        event = self.event(identifier)
        if event is None:
            raise LookupError(identifier)
        return event

    async def prune(self, before_ms: int) -> int:
        """Delete finished requests received before that time, with their events and attempts."""
        return await self.database.write(lambda db: writes.prune(db, before_ms))

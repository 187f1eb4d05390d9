"""Stores and changes requests, events and attempts for the rest of the gateway."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from localcloud.hookdeck.database import Database
from localcloud.hookdeck.listing import Where
from localcloud.hookdeck.models import (
    Attempt,
    Connection,
    Due,
    Event,
    Request,
    new_id,
    now_ms,
)
from localcloud.hookdeck.schema import insert, to_event, to_request

# Requests that one commit of the housekeeping deletes, or whose bodies it deletes, at most.
_BATCH = 50
# Pages that one commit of the housekeeping gives back to the file system, at most. A page is 4 KiB.
_PAGES = 1000


class NoBody(LookupError):
    """The body of a request is no longer there."""


class Journal:
    """The stored requests, events and attempts."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def event(self, identifier: str) -> Event | None:
        """The event with that id."""
        query = "SELECT * FROM events WHERE id = ?"
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_event(row)

    def request(self, identifier: str) -> Request | None:
        """The request with that id."""
        query = "SELECT * FROM requests WHERE id = ?"
        row = self.database.reader.execute(query, (identifier,)).fetchone()
        return None if row is None else to_request(row)

    async def body(self, request_id: str) -> bytes:
        """The body of a request, read in a thread. Raises NoBody."""
        query = "SELECT body FROM bodies WHERE request_id = ?"
        row = await self.database.bodies(lambda db: db.execute(query, (request_id,)).fetchone())
        if row is None:
            raise NoBody(f"The body of the request {request_id} was deleted")
        return bytes(row["body"])

    def has_body(self, request_id: str) -> bool:
        """Whether the body is still there, and so the request can be delivered again."""
        query = "SELECT 1 FROM bodies WHERE request_id = ?"
        return self.database.reader.execute(query, (request_id,)).fetchone() is not None

    def due(self, identifier: str) -> list[Due]:
        """The next attempt of an event, if there is one."""
        event = self.event(identifier)
        if event is None or event.due_at is None:
            return []
        return [Due(event.due_at, event.id, event.destination_id)]

    def pending(self) -> list[Due]:
        """Every event that waits for an attempt, for the schedule after a start."""
        query = "SELECT due_at, id, destination_id FROM events WHERE due_at NOT NULL"
        return [Due(*row) for row in self.database.reader.execute(query).fetchall()]

    async def accept(
        self, request: Request, body: bytes, connections: Sequence[Connection]
    ) -> list[Due]:
        """Store a request with an event for each of the connections, which are to be attempted.

        Without a connection nothing will be delivered, and the body is not stored.
        """

        def work(db: sqlite3.Connection) -> list[Due]:
            values = {name: getattr(request, name) for name in Request.__dataclass_fields__}
            insert(db, "requests", {**values, "headers": json.dumps(request.headers)})
            if connections:
                kept = {"request_id": request.id, "created_at": request.created_at, "body": body}
                insert(db, "bodies", kept)
            return _add_events(db, request, connections)

        return await self.database.write(work)

    async def replay(self, request: Request, connections: Sequence[Connection]) -> list[Due]:
        """Add an event for each of the connections to a stored request."""
        return await self.database.write(lambda db: _add_events(db, request, connections))

    async def record(self, event: Event, attempt: Attempt, retry_in_ms: int | None) -> Event:
        """Store an attempt of an event and return the updated event.

        `event` is as it was before the attempt. `retry_in_ms` is the pause before the automatic
        retry, None if there is none.
        """

        def work(db: sqlite3.Connection) -> Event:
            _insert_attempt(db, attempt)
            return _after_attempt(db, event, attempt, retry_in_ms)

        return await self.database.write(work)

    async def requeue(self, event: Event) -> list[Due]:
        """Queue an event for an attempt now. Its automatic schedule does not change."""
        where = Where("id = ?", (event.id,))
        return await self.database.write(lambda db: _requeue(db, where, "MANUAL"))

    async def requeue_all(self, condition: Where) -> list[Due]:
        """Queue the events that fulfil the condition and wait for no attempt already.

        Those whose bodies were deleted cannot be delivered again.
        """
        where = Where(
            f"{condition.sql} AND status IN ('FAILED', 'SUCCESSFUL')"  # noqa: S608 - ours
            " AND request_id IN (SELECT request_id FROM bodies)",
            condition.values,
        )
        return await self.database.write(lambda db: _requeue(db, where, "BULK_RETRY"))

    async def drop_bodies(self, before_ms: int) -> int:
        """Delete the bodies of requests that came before that time and were delivered.

        Returns their number, at most that of one batch.
        """
        query = (
            "DELETE FROM bodies WHERE seq IN (SELECT seq FROM bodies AS old WHERE created_at < ?"
            " AND NOT EXISTS (SELECT 1 FROM events WHERE request_id = old.request_id"
            " AND (due_at NOT NULL OR status <> 'SUCCESSFUL')) LIMIT ?)"
        )
        return await self.database.write(lambda db: db.execute(query, (before_ms, _BATCH)).rowcount)

    async def prune(self, before_ms: int) -> int:
        """Delete finished requests that came before that time, with all that belongs to them.

        Returns their number, at most that of one batch.
        """
        return await self.database.write(lambda db: _prune(db, before_ms))

    async def shrink(self) -> bool:
        """Give free pages back to the file system. Returns whether there are more."""
        return await self.database.shrink(_PAGES)


def _add_events(
    db: sqlite3.Connection, request: Request, connections: Iterable[Connection]
) -> list[Due]:
    events = [_insert_event(db, request, connection) for connection in connections]
    db.execute(
        "UPDATE requests SET events_count = events_count + ?, updated_at = ? WHERE id = ?",
        (len(events), now_ms(), request.id),
    )
    return events


def _insert_event(db: sqlite3.Connection, request: Request, connection: Connection) -> Due:
    now = now_ms()
    values = {
        "id": new_id("evt"),
        "request_id": request.id,
        "data_id": request.data_id,
        "webhook_id": connection.id,
        "source_id": request.source_id,
        "destination_id": connection.destination.id,
        "status": "QUEUED",
        "attempts": 0,
        "automatic_retries": 0,
        "trigger": "INITIAL",
        "turn": 0,
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }
    insert(db, "events", values)
    return Due(now, str(values["id"]), connection.destination.id)


def _requeue(db: sqlite3.Connection, where: Where, trigger: str) -> list[Due]:
    now = now_ms()
    rows = db.execute(
        "UPDATE events SET status = 'QUEUED', due_at = ?, turn = turn + 1, updated_at = ?,"  # noqa: S608 - ours
        " trigger = iif(attempts = 0, trigger, ?)"
        f" WHERE {where.sql} RETURNING due_at, id, destination_id",
        (now, now, trigger, *where.values),
    )
    return [Due(*row) for row in rows.fetchall()]


def _insert_attempt(db: sqlite3.Connection, attempt: Attempt) -> None:
    answer = attempt.answer
    names = ("id", "event_id", "destination_id", "number", "trigger", "requested_url")
    values = {
        **{name: getattr(attempt, name) for name in (*names, "http_method")},
        "successful": answer.successful,
        "response_status": answer.response_status,
        "error_code": answer.error_code,
        "created_at": answer.requested_at,
        "updated_at": answer.responded_at,
    }
    insert(db, "attempts", values)


def _after_attempt(
    db: sqlite3.Connection, before: Event, attempt: Attempt, retry_in_ms: int | None
) -> Event:
    """Update an event after an attempt, which began when the event was as in `before`."""
    answer, now = attempt.answer, now_ms()
    values: dict[str, object] = {
        "attempts": attempt.number,
        "last_attempt_at": answer.requested_at,
        "response_status": answer.response_status,
        "error_code": answer.error_code,
        "updated_at": now,
    }
    if answer.successful:
        values["successful_at"] = answer.responded_at
    if attempt.trigger == "AUTOMATIC":
        values["automatic_retries"] = before.automatic_retries + 1
    values |= _schedule(before, _event(db, before.id), attempt, retry_in_ms, now)
    assignments = ", ".join(f"{name} = ?" for name in values)
    db.execute(
        f"UPDATE events SET {assignments} WHERE id = ?",  # noqa: S608 - names are ours
        (*values.values(), before.id),
    )
    return _event(db, before.id)


def _schedule(
    before: Event, current: Event, attempt: Attempt, retry_in_ms: int | None, now: int
) -> dict[str, object]:
    if attempt.trigger in {"MANUAL", "BULK_RETRY"}:
        next_at = before.next_attempt_at
    else:
        next_at = None if retry_in_ms is None else now + retry_in_ms
    if attempt.answer.successful:
        next_at = None
    if current.turn != before.turn:  # another retry was asked for meanwhile, and stays due
        return {"next_attempt_at": next_at}
    status = "SUCCESSFUL" if attempt.answer.successful else "FAILED"
    schedule = {"due_at": next_at, "next_attempt_at": next_at}
    return {"status": status, "trigger": "AUTOMATIC", **schedule}


def _event(db: sqlite3.Connection, identifier: str) -> Event:
    return to_event(db.execute("SELECT * FROM events WHERE id = ?", (identifier,)).fetchone())


def _prune(db: sqlite3.Connection, before_ms: int) -> int:
    old = [
        (row["id"],)
        for row in db.execute(
            "SELECT id FROM requests WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM events"
            " WHERE request_id = requests.id AND due_at NOT NULL) LIMIT ?",
            (before_ms, _BATCH),
        ).fetchall()
    ]
    db.executemany(
        "DELETE FROM attempts WHERE event_id IN (SELECT id FROM events WHERE request_id = ?)", old
    )
    for table in ("events", "bodies"):
        db.executemany(f"DELETE FROM {table} WHERE request_id = ?", old)  # noqa: S608 - ours
    db.executemany("DELETE FROM requests WHERE id = ?", old)
    return len(old)

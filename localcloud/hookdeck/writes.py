"""Changes of requests, events and attempts. Each runs in a transaction of the writing thread."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from localcloud.hookdeck.models import (
    Attempt,
    Event,
    Ignored,
    Plan,
    Planned,
    Request,
    new_id,
    now_ms,
)
from localcloud.hookdeck.schema import EVENT_COLUMNS, insert, to_event


@dataclass(frozen=True)
class Due:
    """An event whose next attempt is due at `at`, in milliseconds since the epoch."""

    at: int
    event_id: str
    destination_id: str


def set_event(
    db: sqlite3.Connection, identifier: str, change: str, values: tuple[object, ...]
) -> None:
    """Change an event. `change` is a list of SQL assignments from this package's code."""
    db.execute(
        f"UPDATE events SET {change}, updated_at = ? WHERE id = ?",  # noqa: S608 - ours
        (*values, now_ms(), identifier),
    )


def requeue_event(
    db: sqlite3.Connection,
    identifier: str,
    trigger: str,
    now: int,
    bulk_retry_id: str | None = None,
) -> None:
    """Make an event due now. Its automatic schedule does not change."""
    set_event(
        db,
        identifier,
        "status = 'QUEUED', due_at = ?, turn = turn + 1, bulk_retry_id = ?,"
        " trigger = CASE WHEN attempts = 0 THEN trigger ELSE ? END,"
        " next_attempt_at = CASE WHEN attempts = 0 THEN NULL ELSE next_attempt_at END",
        (now, bulk_retry_id, trigger),
    )


def hold_event(db: sqlite3.Connection, identifier: str) -> None:
    """Hold an event that has yet to be delivered."""
    db.execute(
        "UPDATE events SET status = 'HOLD', due_at = NULL, updated_at = ?"
        " WHERE id = ? AND due_at NOT NULL",
        (now_ms(), identifier),
    )


def insert_request(db: sqlite3.Connection, request: Request) -> None:
    """Store a request. `carry_out` counts its events afterwards."""
    received = request.received
    values = {
        "id": request.id,
        "source_id": request.source_id,
        "data_id": request.data_id,
        "method": received.method,
        "path": received.path,
        "query": received.query,
        "headers": json.dumps(received.headers),
        "verified": request.verified,
        "rejection_cause": request.rejection_cause,
        "events_count": 0,
        "ignored_count": 0,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "body": received.body,
    }
    insert(db, "requests", values)


def carry_out(db: sqlite3.Connection, request: Request, plan: Plan) -> list[Due]:
    """Create the events of a plan. Returns those that are due at some time."""
    due: list[Due] = []
    for planned in plan.events:
        identifier = _insert_event(db, request, planned)
        if planned.due_at is not None:
            due.append(Due(planned.due_at, identifier, planned.connection.destination.id))
    for ignored in plan.ignored:
        _insert_ignored(db, request, ignored)
    db.execute(
        "UPDATE requests SET events_count = events_count + ?, ignored_count = ignored_count + ?"
        " WHERE id = ?",
        (len(plan.events), len(plan.ignored), request.id),
    )
    return due


def _insert_event(db: sqlite3.Connection, request: Request, planned: Planned) -> str:
    now, identifier = now_ms(), new_id("evt")
    connection = planned.connection
    values = {
        "id": identifier,
        "request_id": request.id,
        "data_id": request.data_id,
        "webhook_id": connection.id,
        "source_id": request.source_id,
        "destination_id": connection.destination.id,
        "status": planned.status,
        "attempts": 0,
        "automatic_retries": 0,
        "trigger": "INITIAL",
        "turn": 0,
        "due_at": planned.due_at,
        "next_attempt_at": planned.next_attempt_at,
        "created_at": now,
        "updated_at": now,
    }
    insert(db, "events", values)
    return identifier


def _insert_ignored(db: sqlite3.Connection, request: Request, ignored: Ignored) -> None:
    values = {
        "id": new_id("ige"),
        "webhook_id": ignored.connection.id,
        "request_id": request.id,
        "cause": ignored.cause,
        "created_at": now_ms(),
    }
    insert(db, "ignored_events", values)


def insert_attempt(db: sqlite3.Connection, attempt: Attempt) -> None:
    """Store an attempt."""
    answer = attempt.answer
    values = {
        "id": attempt.id,
        "event_id": attempt.event_id,
        "destination_id": attempt.destination_id,
        "number": attempt.number,
        "trigger": attempt.trigger,
        "requested_url": attempt.requested_url,
        "http_method": attempt.http_method,
        "bulk_retry_id": attempt.bulk_retry_id,
        "successful": answer.successful,
        "response_status": answer.response_status,
        "error_code": answer.error_code,
        "body": answer.body,
        "retry_after": answer.retry_after,
        "created_at": answer.requested_at,
        "updated_at": answer.responded_at,
    }
    insert(db, "attempts", values)


def after_attempt(
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
    if attempt.trigger in {"AUTOMATIC", "UNPAUSE"} and before.attempts:
        values["automatic_retries"] = before.automatic_retries + 1
    values |= _schedule(before, _row(db, before.id), attempt, retry_in_ms, now)
    assignments = ", ".join(f"{name} = ?" for name in values)
    db.execute(
        f"UPDATE events SET {assignments} WHERE id = ?",  # noqa: S608 - names are ours
        (*values.values(), before.id),
    )
    return _row(db, before.id)


def _schedule(
    before: Event, current: Event, attempt: Attempt, retry_in_ms: int | None, now: int
) -> dict[str, object]:
    if attempt.trigger in {"MANUAL", "BULK_RETRY"}:
        next_at = before.next_attempt_at
    else:
        next_at = None if retry_in_ms is None else now + retry_in_ms
    if attempt.answer.successful:
        next_at = None
    if current.turn == before.turn:
        status = "SUCCESSFUL" if attempt.answer.successful else "FAILED"
        schedule = {"due_at": next_at, "next_attempt_at": next_at}
        return {"status": status, "trigger": "AUTOMATIC", "bulk_retry_id": None, **schedule}
    # During the attempt another retry was requested, which stays due, or the event was cancelled.
    return {"next_attempt_at": next_at} if current.due_at is not None else {}


def _row(db: sqlite3.Connection, identifier: str) -> Event:
    query = f"SELECT {EVENT_COLUMNS} FROM events WHERE id = ?"  # noqa: S608
    return to_event(db.execute(query, (identifier,)).fetchone())


def prune(db: sqlite3.Connection, before_ms: int) -> int:
    """Delete finished requests received before that time. Returns their number."""
    old = [
        (row["id"],)
        for row in db.execute(
            "SELECT id FROM requests WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM events"
            " WHERE request_id = requests.id AND (due_at NOT NULL OR status = 'HOLD'))",
            (before_ms,),
        ).fetchall()
    ]
    db.executemany(
        "DELETE FROM attempts WHERE event_id IN (SELECT id FROM events WHERE request_id = ?)", old
    )
    for table in ("events", "ignored_events"):
        db.executemany(f"DELETE FROM {table} WHERE request_id = ?", old)  # noqa: S608
    db.executemany("DELETE FROM requests WHERE id = ?", old)
    return len(old)

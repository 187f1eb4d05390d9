"""Bulk retries: many events queued in one commit, and how far they have come."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from localcloud.hookdeck import writes
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.errors import not_found
from localcloud.hookdeck.listing import Where
from localcloud.hookdeck.models import TEAM_ID, Json, new_id, now_ms
from localcloud.hookdeck.serializers import stamp
from localcloud.hookdeck.writes import Due

# An event that is to be delivered anyway is not retried.
_RETRIABLE = "status IN ('FAILED', 'SUCCESSFUL', 'CANCELLED')"


def count(reader: sqlite3.Connection, condition: Where) -> int:
    """How many events a bulk retry of this condition would take."""
    query = f"SELECT count(*) FROM events WHERE {_RETRIABLE} AND {condition.sql}"  # noqa: S608
    return int(reader.execute(query, condition.values).fetchone()[0])


async def create(database: Database, query: Json, condition: Where) -> tuple[str, list[Due]]:
    """Queue the events of the condition; the bulk retry's id and what is to be attempted."""
    identifier = new_id("bch")

    def work(db: sqlite3.Connection) -> list[Due]:
        now = now_ms()
        rows = db.execute(
            f"SELECT id, destination_id FROM events WHERE {_RETRIABLE} AND {condition.sql}",  # noqa: S608
            condition.values,
        ).fetchall()
        for row in rows:
            writes.requeue_event(db, row["id"], "BULK_RETRY", now, identifier)
        db.execute(
            "INSERT INTO bulk_retries (id, query, estimated_count, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (identifier, json.dumps(query), len(rows), now, now),
        )
        return [Due(now, row["id"], row["destination_id"]) for row in rows]

    return identifier, await database.write(work)


async def cancel(database: Database, identifier: str) -> None:
    """Give up what a bulk retry has not attempted yet; those events count as failed."""

    def work(db: sqlite3.Connection) -> None:
        now = now_ms()
        db.execute(
            "UPDATE bulk_retries SET cancelled_at = coalesce(cancelled_at, ?), updated_at = ?"
            " WHERE id = ?",
            (now, now, identifier),
        )
        db.execute(
            "UPDATE events SET status = 'FAILED', error_code = 'BULK_RETRY_CANCELLED',"
            " trigger = 'AUTOMATIC', due_at = next_attempt_at, bulk_retry_id = NULL,"
            " turn = turn + 1, updated_at = ? WHERE bulk_retry_id = ? AND status = 'QUEUED'",
            (now, identifier),
        )

    await database.write(work)


def progress(reader: sqlite3.Connection, identifier: str) -> Json:
    """The BatchOperation, or ApiError 404."""
    query = "SELECT * FROM bulk_retries WHERE id = ?"
    row = reader.execute(query, (identifier,)).fetchone()
    if row is None:
        raise not_found("bulk retry", identifier)
    return to_json(reader, row)


def to_json(reader: sqlite3.Connection, row: sqlite3.Row) -> Json:
    """The BatchOperation of a row, its counts taken now."""
    identifier = row["id"]
    made, successful, latest = reader.execute(
        "SELECT count(*), coalesce(sum(successful), 0), max(updated_at) FROM attempts"
        " WHERE bulk_retry_id = ?",
        (identifier,),
    ).fetchone()
    waiting = reader.execute(
        "SELECT count(*) FROM events WHERE bulk_retry_id = ? AND status = 'QUEUED'",
        (identifier,),
    ).fetchone()[0]
    over = waiting == 0
    completed_at = (latest or row["created_at"]) if over and not row["cancelled_at"] else None
    return {
        "id": identifier,
        "team_id": TEAM_ID,
        "type": "EVENT_RETRY",
        "query": json.loads(row["query"]),
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(latest or row["updated_at"]),
        "cancelled_at": stamp(row["cancelled_at"]),
        "completed_at": stamp(completed_at),
        **plan(row["estimated_count"]),
        "processed_batch": 1 if over else 0,
        "completed_count": successful,
        "failed_count": made - successful,
        "in_progress": not over,
        "progress": _share(row["estimated_count"], waiting),
    }


def plan(estimated_count: int) -> dict[str, Any]:
    """The estimate of a bulk retry; it is always one batch."""
    return {"estimated_batch": 1 if estimated_count else 0, "estimated_count": estimated_count}


def _share(estimated: int, waiting: int) -> float:
    return 1.0 if estimated == 0 else round((estimated - waiting) / estimated, 4)

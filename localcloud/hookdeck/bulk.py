"""Bulk retries: many events are queued in one commit, and their progress can be read."""

from __future__ import annotations

import json
import sqlite3

from localcloud.hookdeck import writes
from localcloud.hookdeck.api_errors import not_found
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.listing import Where
from localcloud.hookdeck.models import TEAM_ID, Json, new_id, now_ms
from localcloud.hookdeck.serializers import stamp
from localcloud.hookdeck.writes import Due

# Events that are already waiting for an attempt are not retried.
_RETRIABLE = "status IN ('FAILED', 'SUCCESSFUL', 'CANCELLED')"


async def create(database: Database, query: Json, condition: Where) -> tuple[str, list[Due]]:
    """Queue the events that fulfil the condition. Returns the bulk retry's id and the events."""
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


def progress(reader: sqlite3.Connection, identifier: str) -> Json:
    """A bulk retry as the API's BatchOperation, with counts of this moment, or ApiError 404."""
    query = "SELECT * FROM bulk_retries WHERE id = ?"
    row = reader.execute(query, (identifier,)).fetchone()
    if row is None:
        raise not_found("bulk retry", identifier)
    # Counted before the attempts: when none waits, every attempt is committed.
    waiting = reader.execute(
        "SELECT count(*) FROM events WHERE bulk_retry_id = ? AND status = 'QUEUED'",
        (identifier,),
    ).fetchone()[0]
    made, successful, latest = reader.execute(
        "SELECT count(*), coalesce(sum(successful), 0), max(updated_at) FROM attempts"
        " WHERE bulk_retry_id = ?",
        (identifier,),
    ).fetchone()
    over = waiting == 0
    estimated = row["estimated_count"]
    return {
        "id": identifier,
        "team_id": TEAM_ID,
        "type": "EVENT_RETRY",
        "query": json.loads(row["query"]),
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(latest or row["updated_at"]),
        "cancelled_at": None,
        "completed_at": stamp((latest or row["created_at"]) if over else None),
        "estimated_batch": 1 if estimated else 0,
        "estimated_count": estimated,
        "processed_batch": 1 if over else 0,
        "completed_count": successful,
        "failed_count": made - successful,
        "in_progress": not over,
        "progress": round((estimated - waiting) / estimated, 4) if estimated else 1.0,
    }

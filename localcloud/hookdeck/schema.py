"""The database tables, and the conversion of their rows to models."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from localcloud.hookdeck.models import Answer, Attempt, Endpoint, Event, Received, Request

_ENDPOINT = """(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL, description TEXT, config TEXT NOT NULL, disabled_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);"""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sources {_ENDPOINT}
CREATE TABLE IF NOT EXISTS destinations {_ENDPOINT}
CREATE TABLE IF NOT EXISTS connections (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT, description TEXT,
    source_id TEXT NOT NULL, destination_id TEXT NOT NULL, rules TEXT NOT NULL,
    disabled_at INTEGER, paused_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    UNIQUE (source_id, name)
);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source_id TEXT NOT NULL,
    data_id TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
    headers TEXT NOT NULL, verified INTEGER, rejection_cause TEXT,
    events_count INTEGER NOT NULL, ignored_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_age ON requests (created_at);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL,
    data_id TEXT NOT NULL, webhook_id TEXT NOT NULL, source_id TEXT NOT NULL,
    destination_id TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL,
    automatic_retries INTEGER NOT NULL, response_status INTEGER, error_code TEXT,
    trigger TEXT NOT NULL, turn INTEGER NOT NULL, due_at INTEGER, next_attempt_at INTEGER,
    last_attempt_at INTEGER, successful_at INTEGER, bulk_retry_id TEXT,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_request ON events (request_id);
CREATE INDEX IF NOT EXISTS events_by_status ON events (status, webhook_id);
CREATE INDEX IF NOT EXISTS events_by_bulk ON events (bulk_retry_id) WHERE bulk_retry_id NOT NULL;
CREATE INDEX IF NOT EXISTS events_due ON events (due_at) WHERE due_at NOT NULL;
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL,
    destination_id TEXT NOT NULL, number INTEGER NOT NULL, trigger TEXT NOT NULL,
    requested_url TEXT NOT NULL, http_method TEXT NOT NULL, bulk_retry_id TEXT,
    successful INTEGER NOT NULL, response_status INTEGER, error_code TEXT, body TEXT,
    retry_after TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_event ON attempts (event_id);
CREATE INDEX IF NOT EXISTS attempts_by_bulk ON attempts (bulk_retry_id)
    WHERE bulk_retry_id NOT NULL;
CREATE TABLE IF NOT EXISTS ignored_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhook_id TEXT NOT NULL,
    request_id TEXT NOT NULL, cause TEXT NOT NULL, meta TEXT, created_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ignored_by_request ON ignored_events (request_id);

CREATE TABLE IF NOT EXISTS bulk_retries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, query TEXT NOT NULL,
    estimated_count INTEGER NOT NULL, cancelled_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
"""

EVENT_COLUMNS = (
    "id, request_id, data_id, webhook_id, source_id, destination_id, status, attempts,"
    " automatic_retries, response_status, error_code, trigger, turn, due_at, next_attempt_at,"
    " last_attempt_at, successful_at, bulk_retry_id, created_at, updated_at"
)


def to_event(row: sqlite3.Row) -> Event:
    """An event from a row of EVENT_COLUMNS."""
    return Event(**{name: row[name] for name in Event.__dataclass_fields__})


def to_endpoint(row: sqlite3.Row) -> Endpoint:
    """A source or a destination from a row of all columns."""
    values = {name: row[name] for name in Endpoint.__dataclass_fields__}
    return Endpoint(**{**values, "config": json.loads(row["config"])})


def to_request(row: sqlite3.Row) -> Request:
    """A request from a row of all columns."""
    headers = tuple((name, value) for name, value in json.loads(row["headers"]))
    received = Received(row["method"], row["path"], row["query"], headers, row["body"])
    return Request(
        id=row["id"],
        source_id=row["source_id"],
        data_id=row["data_id"],
        received=received,
        verified=None if row["verified"] is None else bool(row["verified"]),
        rejection_cause=row["rejection_cause"],
        events_count=row["events_count"],
        ignored_count=row["ignored_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def to_attempt(row: sqlite3.Row) -> Attempt:
    """An attempt from a row of all columns."""
    answer = Answer(
        requested_at=row["created_at"],
        responded_at=row["updated_at"],
        response_status=row["response_status"],
        error_code=row["error_code"],
        body=row["body"],
        retry_after=row["retry_after"],
    )
    names = ("id", "event_id", "destination_id", "number", "trigger", "requested_url")
    return Attempt(
        **{name: row[name] for name in names},
        http_method=row["http_method"],
        bulk_retry_id=row["bulk_retry_id"],
        answer=answer,
    )


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
    """Insert one row. The names must come from this package's code, not from a request."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names are ours
        tuple(values.values()),
    )

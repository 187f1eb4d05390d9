"""The database tables, and the conversion of their rows to models."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from localcloud.hookdeck.models import Endpoint, Event, Request
from localcloud.sqlite import make_shrinkable

_ENDPOINT = """(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL, config TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);"""
# Whether a request was taken, as the API tells it.
REQUEST_STATUS = "iif(rejection_cause IS NULL, 'accepted', 'rejected')"

# Bodies stand in a table of their own, so that a list of requests reads none, and are deleted
# before their requests are.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sources {_ENDPOINT}
CREATE TABLE IF NOT EXISTS destinations {_ENDPOINT}
CREATE TABLE IF NOT EXISTS connections (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT,
    source_id TEXT NOT NULL, destination_id TEXT NOT NULL, rules TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    UNIQUE (source_id, name)
);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source_id TEXT NOT NULL,
    data_id TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
    headers TEXT NOT NULL, verified INTEGER, rejection_cause TEXT,
    events_count INTEGER NOT NULL, ignored_count INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_age ON requests (created_at);
CREATE INDEX IF NOT EXISTS requests_by_path ON requests (path, id);
CREATE INDEX IF NOT EXISTS requests_by_status ON requests ({REQUEST_STATUS}, created_at);
CREATE TABLE IF NOT EXISTS bodies (
    seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS bodies_by_age ON bodies (created_at);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL,
    data_id TEXT NOT NULL, webhook_id TEXT NOT NULL, source_id TEXT NOT NULL,
    destination_id TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL,
    automatic_retries INTEGER NOT NULL, response_status INTEGER, error_code TEXT,
    trigger TEXT NOT NULL, turn INTEGER NOT NULL, due_at INTEGER, next_attempt_at INTEGER,
    last_attempt_at INTEGER, successful_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_age ON events (created_at);
CREATE INDEX IF NOT EXISTS events_by_request ON events (request_id);
CREATE INDEX IF NOT EXISTS events_by_outcome ON events (status, created_at);
CREATE INDEX IF NOT EXISTS events_due ON events (due_at) WHERE due_at NOT NULL;
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL,
    destination_id TEXT NOT NULL, number INTEGER NOT NULL, trigger TEXT NOT NULL,
    requested_url TEXT NOT NULL, http_method TEXT NOT NULL,
    successful INTEGER NOT NULL, response_status INTEGER, error_code TEXT,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_age ON attempts (created_at);
CREATE INDEX IF NOT EXISTS attempts_by_event ON attempts (event_id);
"""
# Brings the file of an earlier version, whose requests contain their bodies, to SCHEMA. Its
# columns that are gone hold no value that a row needs.
MIGRATION = """
INSERT INTO bodies (request_id, created_at, body)
    SELECT id, created_at, body FROM requests WHERE rejection_cause IS NULL ORDER BY seq;
ALTER TABLE requests DROP COLUMN body;
DROP INDEX IF EXISTS events_by_status;
DROP INDEX IF EXISTS events_by_bulk;
DROP INDEX IF EXISTS attempts_by_bulk;
DROP TABLE IF EXISTS ignored_events;
DROP TABLE IF EXISTS bulk_retries;
UPDATE attempts SET body = NULL;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Create what is missing, and change what an earlier version made."""
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    columns = {row["name"] for row in connection.execute("PRAGMA table_info (requests)")}
    if "body" in columns:
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATION} COMMIT;")
    make_shrinkable(connection)


def to_event(row: sqlite3.Row) -> Event:
    """An event from its row."""
    return Event(**{name: row[name] for name in Event.__dataclass_fields__})


def to_endpoint(row: sqlite3.Row) -> Endpoint:
    """A source or a destination from its row."""
    values = {name: row[name] for name in Endpoint.__dataclass_fields__}
    return Endpoint(**{**values, "config": json.loads(row["config"])})


def to_request(row: sqlite3.Row) -> Request:
    """A request from its row."""
    values = {name: row[name] for name in Request.__dataclass_fields__}
    values["headers"] = tuple((name, value) for name, value in json.loads(row["headers"]))
    values["verified"] = None if row["verified"] is None else bool(row["verified"])
    return Request(**values)


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
    """Insert one row. The names must come from this package's code, not from a request."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names are ours
        tuple(values.values()),
    )

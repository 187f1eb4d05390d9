"""Sources, destinations and connections: stored in the database and cached in memory."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from typing import Any

from localcloud.hookdeck import api_inputs
from localcloud.hookdeck.api_errors import invalid, not_found
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.models import Connection, Endpoint, Json, new_id, now_ms
from localcloud.hookdeck.rules import parse_rules
from localcloud.hookdeck.schema import insert, to_endpoint

_PREFIXES = {"sources": "src", "destinations": "des"}
_DEFAULT_TYPES = {"sources": "WEBHOOK", "destinations": "HTTP"}


class Catalog:
    """The configuration. Each change replaces the dictionaries, whose keys are ids."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sources: dict[str, Endpoint] = {}
        self.destinations: dict[str, Endpoint] = {}
        self.connections: dict[str, Connection] = {}
        self._by_source: dict[str, list[Connection]] = {}
        self._reload()

    def connections_of(self, source_id: str) -> list[Connection]:
        """The connections of a source, oldest first."""
        return self._by_source.get(source_id, [])

    async def upsert_endpoint(self, table: str, given: api_inputs.EndpointIn) -> Endpoint:
        """Create a source or destination, or change the one with its name."""
        identifier = await self._change(lambda db: _upsert_endpoint(db, table, given))
        return self._endpoints(table)[identifier]

    async def upsert_connection(self, given: api_inputs.ConnectionIn) -> Connection:
        """Create a connection, or change the one with its source and name."""
        identifier = await self._change(lambda db: _upsert_connection(db, given))
        return self.connections[identifier]

    async def update_connection(
        self, identifier: str, given: api_inputs.ConnectionChangeIn
    ) -> Connection:
        """Change the connection with that id."""
        self.connection(identifier)
        values = _connection_values(given)
        await self._change(lambda db: _update(db, "connections", identifier, values))
        return self.connections[identifier]

    async def mark(self, table: str, identifier: str, column: str, *, on: bool) -> None:
        """Set or clear the time in `disabled_at` or `paused_at`. A time that is set stays."""
        if identifier not in self._table(table):
            raise not_found(table[:-1], identifier)
        present = getattr(self._table(table)[identifier], column)
        if (present is not None) != on:
            values = {column: now_ms() if on else None}
            await self._change(lambda db: _update(db, table, identifier, values))

    async def delete_connection(self, identifier: str) -> None:
        """Delete a connection and cancel its undelivered events."""
        self.connection(identifier)
        await self._change(lambda db: _delete_connection(db, identifier))

    def connection(self, identifier: str) -> Connection:
        """The connection, or ApiError 404."""
        if identifier not in self.connections:
            raise not_found("connection", identifier)
        return self.connections[identifier]

    def _endpoints(self, table: str) -> dict[str, Endpoint]:
        return self.sources if table == "sources" else self.destinations

    def _table(self, table: str) -> dict[str, Any]:
        return self.connections if table == "connections" else self._endpoints(table)

    async def _change(self, work: Any) -> str:
        identifier: str = await self._database.write(work)
        self._reload()
        return identifier

    def _reload(self) -> None:
        reader = self._database.reader
        self.sources = _endpoints(reader, "sources")
        self.destinations = _endpoints(reader, "destinations")
        rows = reader.execute("SELECT * FROM connections ORDER BY seq").fetchall()
        self.connections = {row["id"]: self._to_connection(row) for row in rows}
        by_source = defaultdict(list)
        for connection in self.connections.values():
            by_source[connection.source.id].append(connection)
        self._by_source = dict(by_source)

    def _to_connection(self, row: sqlite3.Row) -> Connection:
        rules = json.loads(row["rules"])
        names = ("id", "name", "description", "disabled_at", "paused_at")
        return Connection(
            **{name: row[name] for name in names},
            source=self.sources[row["source_id"]],
            destination=self.destinations[row["destination_id"]],
            rules=rules,
            ruleset=parse_rules(rules),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )


def _endpoints(reader: sqlite3.Connection, table: str) -> dict[str, Endpoint]:
    rows = reader.execute(f"SELECT * FROM {table} ORDER BY seq").fetchall()  # noqa: S608
    return {row["id"]: to_endpoint(row) for row in rows}


def _check(table: str, kind: str, config: Json) -> None:
    if table == "sources":
        api_inputs.check_source(kind, config)
    else:
        api_inputs.check_destination(kind, config)


def _upsert_endpoint(db: sqlite3.Connection, table: str, given: api_inputs.EndpointIn) -> str:
    row = db.execute(f"SELECT * FROM {table} WHERE name = ?", (given.name,)).fetchone()  # noqa: S608
    if row is not None:
        return _merge_endpoint(db, table, row, given)
    kind, config, now = given.type or _DEFAULT_TYPES[table], given.config or {}, now_ms()
    _check(table, kind, config)
    identifier = new_id(_PREFIXES[table])
    values = {
        "id": identifier,
        "name": given.name,
        "type": kind,
        "description": given.description,
        "config": json.dumps(config),
        "created_at": now,
        "updated_at": now,
    }
    insert(db, table, values)
    return identifier


def _merge_endpoint(
    db: sqlite3.Connection, table: str, row: sqlite3.Row, given: api_inputs.EndpointIn
) -> str:
    kind = given.type or row["type"]
    config = json.loads(row["config"]) if given.config is None else given.config
    if given.config is not None or kind != row["type"]:
        _check(table, kind, config)
    values: dict[str, Any] = {
        "type": kind,
        "config": json.dumps(config),
    }
    if "description" in given.model_fields_set:
        values["description"] = given.description
    return _update(db, table, row["id"], values)


def _update(db: sqlite3.Connection, table: str, identifier: str, values: dict[str, Any]) -> str:
    row = db.execute(f"SELECT * FROM {table} WHERE id = ?", (identifier,)).fetchone()  # noqa: S608
    changed = {name: value for name, value in values.items() if row[name] != value}
    if not changed:
        return identifier
    changed["updated_at"] = now_ms()
    assignments = ", ".join(f"{name} = ?" for name in changed)
    try:
        db.execute(
            f"UPDATE {table} SET {assignments} WHERE id = ?",  # noqa: S608 - names are ours
            (*changed.values(), identifier),
        )
    except sqlite3.IntegrityError as error:
        raise invalid({"name": "is taken"}) from error
    return identifier


def _connection_values(given: api_inputs.ConnectionChangeIn) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if given.rules is not None:
        values["rules"] = json.dumps(api_inputs.rules_of(given))
    for name in {"name", "description"} & given.model_fields_set:
        values[name] = getattr(given, name)
    return values


def _upsert_connection(db: sqlite3.Connection, given: api_inputs.ConnectionIn) -> str:
    source_id = _end(db, "sources", given.source, given.source_id)
    destination_id = _end(db, "destinations", given.destination, given.destination_id)
    values = _connection_values(given)
    existing = _existing(db, given.name, source_id, destination_id)
    if existing is not None:
        return _update(db, "connections", existing, {**values, "destination_id": destination_id})
    now, identifier = now_ms(), new_id("web")
    defaults = {"id": identifier, "rules": "[]", "created_at": now, "updated_at": now}
    ends = {"source_id": source_id, "destination_id": destination_id}
    insert(db, "connections", {**defaults, **ends, **values})
    return identifier


def _end(
    db: sqlite3.Connection,
    table: str,
    inline: api_inputs.EndpointIn | None,
    identifier: str | None,
) -> str:
    if (inline is None) == (identifier is None):
        raise invalid({table[:-1]: f"give exactly one of {table[:-1]} and {table[:-1]}_id"})
    if inline is not None:
        return _upsert_endpoint(db, table, inline)
    row = db.execute(f"SELECT id FROM {table} WHERE id = ?", (identifier,)).fetchone()  # noqa: S608
    if row is None:
        raise invalid({f"{table[:-1]}_id": "no such id"})
    return str(row["id"])


def _existing(
    db: sqlite3.Connection, name: str | None, source_id: str, destination_id: str
) -> str | None:
    if name is None:
        row = db.execute(
            "SELECT id FROM connections WHERE name IS NULL AND source_id = ?"
            " AND destination_id = ?",
            (source_id, destination_id),
        ).fetchone()
    else:
        row = db.execute(
            "SELECT id FROM connections WHERE source_id = ? AND name = ?", (source_id, name)
        ).fetchone()
    return None if row is None else str(row["id"])


def _delete_connection(db: sqlite3.Connection, identifier: str) -> str:
    db.execute("DELETE FROM connections WHERE id = ?", (identifier,))
    db.execute(
        "UPDATE events SET status = 'CANCELLED', due_at = NULL, next_attempt_at = NULL,"
        " turn = turn + 1, updated_at = ?"
        " WHERE webhook_id = ? AND (due_at NOT NULL OR status = 'HOLD')",
        (now_ms(), identifier),
    )
    return identifier

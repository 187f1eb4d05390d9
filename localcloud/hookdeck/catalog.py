"""Sources, destinations and connections: stored in the database and cached in memory."""

from __future__ import annotations

import json
import sqlite3

from localcloud.hookdeck.api_inputs import (
    CliDestinationIn,
    ConnectionIn,
    DestinationIn,
    SourceIn,
)
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.models import Connection, Endpoint, new_id, now_ms
from localcloud.hookdeck.rules import retry_rule
from localcloud.hookdeck.schema import to_endpoint


class Catalog:
    """The configuration. Each change replaces the dictionaries, whose keys are ids."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reload()

    def connections_of(self, source_id: str) -> list[Connection]:
        """The connections of a source, oldest first."""
        return [one for one in self.connections.values() if one.source.id == source_id]

    async def upsert(self, given: ConnectionIn) -> Connection:
        """Create a connection, or change the one with its source and name."""
        identifier = await self._database.write(lambda db: _upsert_connection(db, given))
        self._reload()
        return self.connections[identifier]

    def _reload(self) -> None:
        reader = self._database.reader
        self.sources = _endpoints(reader, "sources")
        self.destinations = _endpoints(reader, "destinations")
        rows = reader.execute("SELECT * FROM connections ORDER BY seq").fetchall()
        self.connections = {row["id"]: self._to_connection(row) for row in rows}

    def _to_connection(self, row: sqlite3.Row) -> Connection:
        rules = json.loads(row["rules"])
        return Connection(
            id=row["id"],
            name=row["name"] or "",
            source=self.sources[row["source_id"]],
            destination=self.destinations[row["destination_id"]],
            rules=rules,
            retry=retry_rule(rules),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )


def _endpoints(reader: sqlite3.Connection, table: str) -> dict[str, Endpoint]:
    rows = reader.execute(f"SELECT * FROM {table} ORDER BY seq").fetchall()  # noqa: S608
    return {row["id"]: to_endpoint(row) for row in rows}


def _upsert_connection(db: sqlite3.Connection, given: ConnectionIn) -> str:
    rules = [rule.model_dump(exclude_unset=True) for rule in given.rules]
    source_id = _upsert_endpoint(db, "sources", "src", given.source)
    values = {
        "name": given.name,
        "source_id": source_id,
        "destination_id": _upsert_endpoint(db, "destinations", "des", given.destination),
        "rules": json.dumps(rules),
    }
    return _upsert(db, "connections", "web", values, key="source_id, name")


def _upsert_endpoint(
    db: sqlite3.Connection,
    table: str,
    prefix: str,
    given: SourceIn | DestinationIn | CliDestinationIn,
) -> str:
    config = json.dumps(given.config.model_dump(exclude_unset=True))
    values = {"name": given.name, "type": given.type, "config": config}
    return _upsert(db, table, prefix, values, key="name")


def _upsert(
    db: sqlite3.Connection, table: str, prefix: str, values: dict[str, str], key: str
) -> str:
    """Insert the row, or update the one with the same key if it differs. Returns its id.

    The names come from this module.
    """
    now = now_ms()
    row = {"id": new_id(prefix), **values, "created_at": now, "updated_at": now}
    names = ", ".join(values)
    new = ", ".join(f"excluded.{name}" for name in values)
    db.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
        f" ON CONFLICT ({key}) DO UPDATE SET ({names}, updated_at) = ({new}, excluded.updated_at)"
        f" WHERE ({', '.join(f'{table}.{name}' for name in values)}) IS NOT ({new})",
        tuple(row.values()),
    )
    same = " AND ".join(f"{name} = ?" for name in key.split(", "))
    found = db.execute(
        f"SELECT id FROM {table} WHERE {same}",  # noqa: S608
        tuple(values[name] for name in key.split(", ")),
    ).fetchone()
    return str(found["id"])

"""Lists of the admin API, newest first: filters from the query string, and pages by cursor.

Hookdeck's clients write a filter of several values as `status=FAILED&status=QUEUED` or
`status[0]=FAILED&status[1]=QUEUED`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.hookdeck.api_errors import invalid
from localcloud.hookdeck.models import Json

# Entries on a page, by default and at most.
DEFAULT_LIMIT = 100
MAX_LIMIT = 255
_KEY = re.compile(r"(\w+)(\[\d*\])?")


@dataclass(frozen=True)
class Column:
    """A filter: an SQL expression, and the values that it accepts, if these are few.

    With `partial`, the value only has to be contained in the expression. `within` is the condition
    on the listed table, with {} for that on the expression.
    """

    sql: str
    values: tuple[str, ...] = ()
    partial: bool = False
    within: str = "{}"


@dataclass(frozen=True)
class Listing:
    """A list: its table and its filters. The table has an index on `created_at`."""

    table: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Where:
    """An SQL condition and its values."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Paging:
    """The requested page. The cursors are ids."""

    descending: bool
    limit: int
    next: str | None = None
    prev: str | None = None


def filters(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The query string as an object, with lists for repeated and for indexed names."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid({key: "not a parameter of this local stand-in"})
        name, index = match.groups()
        if index is not None or name in result:
            present = result.get(name, [])
            result[name] = [*(present if isinstance(present, list) else [present]), value]
        else:
            result[name] = value
    return result


def where(listing: Listing, given: Mapping[str, Any]) -> Where:
    """The condition that combines the filters. Raises ApiError 422 for an unknown one."""
    parts: list[str] = []
    values: list[Any] = []
    for name, wanted in given.items():
        column = listing.columns.get(name)
        if column is None:
            raise invalid({name: "not a filter of this list in this local stand-in"})
        options = wanted if isinstance(wanted, list) and not column.partial else [wanted]
        bad = any(not isinstance(option, str) for option in options)
        if bad or (column.values and not set(options) <= set(column.values)):
            raise invalid({name: "not a valid value for this filter"})
        marks = ", ".join("?" * len(options))
        plain = f"instr({column.sql}, ?)" if column.partial else f"{column.sql} IN ({marks})"
        parts.append(column.within.format(plain))
        values += options
    return Where(" AND ".join(parts) or "TRUE", tuple(values))


def split_paging(given: Mapping[str, Any]) -> tuple[Paging, dict[str, Any]]:
    """Separates the parameters of the page from the filters. Raises ApiError 422."""
    names = ("dir", "limit", "next", "prev")
    asked = {name: str(given[name]) for name in names if name in given}
    direction = asked.get("dir", "desc").lower()
    limit = asked.get("limit", str(DEFAULT_LIMIT))
    if direction not in {"asc", "desc"}:
        raise invalid({"dir": "asc or desc"})
    if not (limit.isascii() and limit.isdigit()) or int(limit) > MAX_LIMIT:
        raise invalid({"limit": f"a number from 0 to {MAX_LIMIT}"})
    paging = Paging(direction == "desc", int(limit), asked.get("next"), asked.get("prev"))
    return paging, {name: value for name, value in given.items() if name not in names}


def page(
    reader: sqlite3.Connection,
    listing: Listing,
    condition: Where,
    paging: Paging,
    to_json: Callable[[sqlite3.Row], Json],
) -> Json:
    """One page as `{pagination, count, models}`."""
    backwards = paging.prev is not None and paging.next is None
    cursor = paging.prev if backwards else paging.next
    descending = paging.descending != backwards
    rows = _rows(reader, listing, condition, cursor, paging.limit + 1, descending=descending)
    more = len(rows) > paging.limit
    rows = rows[: paging.limit]
    if backwards:
        rows.reverse()
    pagination: Json = {
        "order_by": "created_at",
        "dir": "desc" if paging.descending else "asc",
        "limit": paging.limit,
    }
    if rows and (more or backwards):
        pagination["next"] = rows[-1]["id"]
    if rows and (more if backwards else cursor is not None):
        pagination["prev"] = rows[0]["id"]
    models = [to_json(row) for row in rows]
    return {"pagination": pagination, "count": len(rows), "models": models}


def _rows(
    reader: sqlite3.Connection,
    listing: Listing,
    condition: Where,
    cursor: str | None,
    limit: int,
    *,
    descending: bool,
) -> list[sqlite3.Row]:
    table, sql, values = listing.table, condition.sql, condition.values
    if cursor is not None:
        sign = "<" if descending else ">"
        sql += f" AND (created_at, seq) {sign} (SELECT created_at, seq FROM {table} WHERE id = ?)"  # noqa: S608
        values = (*values, cursor)
    order = "DESC" if descending else "ASC"
    query = f"SELECT * FROM {table} WHERE {sql} ORDER BY created_at {order}, seq {order} LIMIT ?"  # noqa: S608
    return reader.execute(query, (*values, limit)).fetchall()

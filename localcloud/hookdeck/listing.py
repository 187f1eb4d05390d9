"""Lists of the admin API: filters from the query string, and pages by cursor.

Hookdeck's clients write filters as `status=FAILED`, `status[0]=FAILED` or
`created_at[gte]=2025-01-01T00:00:00Z`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.hookdeck.api_errors import invalid
from localcloud.hookdeck.models import Json

# Entries on a page, by default and at most.
DEFAULT_LIMIT = 100
MAX_LIMIT = 255
_KEY = re.compile(r"(?P<name>\w+)(?:\[(?P<inner>\w*)\])?")
_COMPARISONS = {"gt": ">", "gte": ">=", "le": "<=", "lte": "<=", "lt": "<"}


@dataclass(frozen=True)
class Column:
    """A filter: an SQL expression, and the function that reads the value to compare it with.

    With `partial`, the value only has to be contained in the expression.
    """

    sql: str
    read: Callable[[str], Any] = str
    partial: bool = False


@dataclass(frozen=True)
class Listing:
    """A list: its table, its filters, and the columns by which it can be ordered."""

    table: str
    columns: Mapping[str, Column]
    orders: Mapping[str, str] = field(default_factory=lambda: {"created_at": "created_at"})


@dataclass(frozen=True)
class Where:
    """An SQL condition and its values."""

    sql: str
    values: tuple[Any, ...] = ()


def moment(text: str) -> int:
    """An ISO 8601 date or time as milliseconds since the epoch. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def flag(text: str) -> int:
    """`true` or `false` as SQLite stores them."""
    return {"true": 1, "false": 0}[text.lower()]


def one_of(*names: str) -> Callable[[str], str]:
    """A reader that accepts only these names."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return read


def filters(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The query string as an object, with lists for repeated and for indexed names."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid({key: "not a parameter"})
        name, inner = match["name"], match["inner"]
        if inner and not inner.isdigit():
            result.setdefault(name, {})
            if isinstance(result[name], dict):
                result[name][inner] = value
        elif inner is not None or name in result:
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
            raise invalid({name: "not a filter of this list"})
        try:
            condition = _condition(column, wanted)
        except (ValueError, KeyError) as error:
            raise invalid({name: "not a valid value for this filter"}) from error
        parts.append(condition.sql)
        values += condition.values
    return Where(" AND ".join(parts) or "TRUE", tuple(values))


def _condition(column: Column, wanted: Any) -> Where:
    if column.partial:
        if not isinstance(wanted, str):
            raise ValueError(wanted)
        return Where(f"instr({column.sql}, ?) > 0", (column.read(wanted),))
    if isinstance(wanted, dict):
        conditions = [_compared(column, operator, value) for operator, value in wanted.items()]
        values = tuple(value for condition in conditions for value in condition.values)
        return Where(" AND ".join(condition.sql for condition in conditions) or "TRUE", values)
    options = wanted if isinstance(wanted, list) else [wanted]
    marks = ", ".join("?" * len(options))
    return Where(f"{column.sql} IN ({marks})", tuple(column.read(str(o)) for o in options))


def _compared(column: Column, operator: str, value: Any) -> Where:
    if operator == "any":
        return Where(f"{column.sql} IS {'NOT ' if flag(str(value)) else ''}NULL")
    return Where(f"{column.sql} {_COMPARISONS[operator]} ?", (column.read(str(value)),))


@dataclass(frozen=True)
class Paging:
    """The requested page. `order` is a key of the listing's orders, the cursors are ids."""

    order: str
    descending: bool
    limit: int
    next: str | None = None
    prev: str | None = None


_PAGING = ("order_by", "dir", "limit", "next", "prev")


def split_paging(listing: Listing, given: dict[str, Any]) -> tuple[Paging, dict[str, Any]]:
    """Separates the parameters of the page from the filters. Raises ApiError 422."""
    rest = {name: value for name, value in given.items() if name not in _PAGING}
    asked = {name: str(given[name]) for name in _PAGING if name in given}
    order = asked.get("order_by", "created_at")
    direction = asked.get("dir", "desc").lower()
    limit = asked.get("limit", str(DEFAULT_LIMIT))
    if order not in listing.orders:
        raise invalid({"order_by": f"one of {', '.join(listing.orders)}"})
    if direction not in {"asc", "desc"}:
        raise invalid({"dir": "asc or desc"})
    if not limit.isdigit() or int(limit) > MAX_LIMIT:
        raise invalid({"limit": f"a number from 0 to {MAX_LIMIT}"})
    cursors = asked.get("next"), asked.get("prev")
    return Paging(order, direction == "desc", int(limit), *cursors), rest


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
    rows = _rows(reader, listing, condition, paging, cursor, backwards=backwards)
    more = len(rows) > paging.limit
    rows = rows[: paging.limit]
    if backwards:
        rows.reverse()
    pagination: Json = {
        "order_by": paging.order,
        "dir": "desc" if paging.descending else "asc",
        "limit": paging.limit,
    }
    if rows and (more or backwards):
        pagination["next"] = rows[-1]["id"]
    if rows and (more if backwards else cursor is not None):
        pagination["prev"] = rows[0]["id"]
    return {
        "pagination": pagination,
        "count": len(rows),
        "models": [to_json(row) for row in rows],
    }


def _rows(
    reader: sqlite3.Connection,
    listing: Listing,
    condition: Where,
    paging: Paging,
    cursor: str | None,
    *,
    backwards: bool,
) -> list[sqlite3.Row]:
    table, column = listing.table, listing.orders[paging.order]
    descending = paging.descending != backwards
    sql, values = condition.sql, condition.values
    if cursor is not None:
        sign = "<" if descending else ">"
        sql += f" AND ({column}, seq) {sign} (SELECT {column}, seq FROM {table} WHERE id = ?)"  # noqa: S608
        values = (*values, cursor)
    order = "DESC" if descending else "ASC"
    query = f"SELECT * FROM {table} WHERE {sql} ORDER BY {column} {order}, seq {order} LIMIT ?"  # noqa: S608
    return reader.execute(query, (*values, paging.limit + 1)).fetchall()

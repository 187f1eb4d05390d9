"""Answers a search from the documents that its index keeps, without asking the server.

The server takes 30 ms to join a hundred hits with their documents. The join is not needed if all
later stages are $limit, $skip, a $project of whole fields, a $set of {$meta: ...}, or a final
$group by one field. Any other pipeline is run by the server (see rewriting.py). Both ways give the
same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from localcloud.atlas.wire.hits import Found
from localcloud.atlas.wire.rewriting import Stage, count_of, meta_name, name_of


@dataclass
class Row:
    """A document between two stages. `left` are its fields that the index does not keep."""

    document: dict[str, Any]
    left: frozenset[str]
    meta: Mapping[str, Any]


Step = Callable[[list[Row]], list[Row]]


def plan(stages: Sequence[Stage]) -> list[Step] | None:
    """The stages as steps; None if the server has to run them.

    That includes a $group before the end: only the server refuses scores after it.
    """
    if any(name_of(stage) == "$group" for stage in stages[:-1]):
        return None
    steps = [_step(stage) for stage in stages]
    known = [step for step in steps if step is not None]
    return known if len(known) == len(steps) else None


def run(steps: Sequence[Step], found: Found) -> list[dict[str, Any]] | None:
    """The resulting documents; None if they need fields that the index does not keep."""
    rows = []
    for hit in found.hits:
        if hit.source is None:
            return None
        rows.append(Row(dict(hit.source.document), hit.source.left, hit.meta))
    for step in steps:
        rows = step(rows)
    if any(row.left for row in rows):
        return None
    return [row.document for row in rows]


def _step(stage: Stage) -> Step | None:
    name = name_of(stage)
    body = stage[name] if name else None
    count = count_of(body)
    match name:
        case "$limit" if count:
            return lambda rows: rows[:count]
        case "$skip" if count is not None:
            return lambda rows: rows[count:]
        case "$project" if isinstance(body, Mapping) and body:
            return _project(body)
        case "$set" | "$addFields" if isinstance(body, Mapping) and body:
            computed = _computed(body)
            return None if len(computed) < len(body) else _adding(computed)
        case "$group" if isinstance(body, Mapping) and set(body) == {"_id"}:
            return _distinct(body["_id"])
        case _:
            return None


def _computed(body: Mapping[str, Any]) -> dict[str, str]:
    """The metadata names of the fields that are {$meta: ...}, by field."""
    found = {key: meta_name(value) for key, value in body.items() if _is_plain(key)}
    return {key: name for key, name in found.items() if name is not None and key != "_id"}


def _is_plain(key: str) -> bool:
    return "." not in key and not key.startswith("$")


def _switch(value: object) -> bool | None:
    """Whether a field of a $project is kept; None if its value is an expression."""
    return bool(value) if isinstance(value, int | float) else None


def _project(body: Mapping[str, Any]) -> Step | None:
    computed = _computed(body)
    switches = {key: _switch(value) for key, value in body.items() if key not in computed}
    if not all(_is_plain(key) for key in switches) or None in switches.values():
        return None
    with_id = switches.pop("_id", None)
    kept = frozenset(key for key, on in switches.items() if on)
    dropped = frozenset(switches) - kept
    if dropped and (kept or computed):
        return None
    if dropped or (with_id is False and not kept and not computed):
        return None if with_id else _dropping(dropped if with_id is None else dropped | {"_id"})
    return _keeping(kept, with_id is not False, computed)


def _distinct(path: object) -> Step | None:
    """A $group by a field whose values are ids, strings or missing."""
    if not isinstance(path, str) or path[:1] != "$" or not path[1:] or not _is_plain(path[1:]):
        return None
    name = path[1:]

    def distinct(rows: list[Row]) -> list[Row]:
        values = [row.document.get(name) for row in rows]
        simple = all(value is None or type(value) in (ObjectId, str) for value in values)
        if not simple or any(name in row.left for row in rows):
            return [Row({}, frozenset({name}), {})]  # makes `run` leave this to the server
        return [Row({"_id": value}, frozenset(), {}) for value in dict.fromkeys(values)]

    return distinct


def _keeping(names: frozenset[str], with_id: bool, computed: Mapping[str, str]) -> Step:
    kept = names | {"_id"} if with_id else names

    def keep(rows: list[Row]) -> list[Row]:
        for row in rows:
            row.document = {key: value for key, value in row.document.items() if key in kept}
            row.left = row.left & kept
        return add(rows)

    add = _adding(computed)
    return keep


def _dropping(names: frozenset[str]) -> Step:
    def drop(rows: list[Row]) -> list[Row]:
        for row in rows:
            row.document = {key: value for key, value in row.document.items() if key not in names}
            row.left = row.left - names
        return rows

    return drop


def _adding(computed: Mapping[str, str]) -> Step:
    def add(rows: list[Row]) -> list[Row]:
        for row in rows:
            for key, name in computed.items():
                if name in row.meta:
                    row.document[key] = row.meta[name]
                else:
                    row.document.pop(key, None)
        return rows

    return add

# SPDX-License-Identifier: GPL-2.0-only
"""The aggregation by which drivers count documents, that which counts them by some fields, and
their replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bson

from localcloud.secantus.filters import Filter

# Fields of the command that do not change how a count is made.
PLAIN_FIELDS = {
    *("aggregate", "pipeline", "cursor", "comment", "maxTimeMS"),
    *("$db", "$readPreference", "$clusterTime", "lsid"),
}
# The stages between `$match` and `$group`.
WINDOWS: tuple[list[str], ...] = ([], ["$skip"], ["$limit"], ["$skip", "$limit"])


@dataclass(frozen=True)
class Count:
    """A count of the documents of a filter, from the `skip`th to before the `end`th."""

    collection: str
    query: Filter
    skip: int
    end: int | None
    group_id: Any

    def reply(self, db: str, counted: int) -> dict[str, Any]:
        """The command's reply when that many were found before the end."""
        number = max(0, counted - self.skip)
        batch = [{"_id": self.group_id, "n": number}] if number else []
        return _reply(f"{db}.{self.collection}", batch)


@dataclass(frozen=True)
class Groups:
    """A count of the documents of a filter for each combination of the values of some fields.

    `fields` has the names of those in the reply, in its order; `total` is the name of the count.
    """

    collection: str
    query: Filter
    fields: Mapping[str, str]
    total: str

    def reply(self, db: str, counted: Iterable[tuple[Mapping[str, Any], int]]) -> dict[str, Any]:
        """The command's reply for each combination's values, by field, and number."""
        batch = [
            {
                "_id": {name: values[field] for name, field in self.fields.items()},
                self.total: number,
            }
            for values, number in counted
        ]
        return _reply(f"{db}.{self.collection}", batch)


def _reply(namespace: str, batch: list[dict[str, Any]]) -> dict[str, Any]:
    cursor = {"firstBatch": batch, "id": bson.Int64(0), "ns": namespace}
    return {"cursor": cursor, "ok": 1.0}


def read(command: dict[str, Any]) -> Count | Groups | None:
    """The count that an aggregate command is; None if it is anything else."""
    collection, pipeline = command.get("aggregate"), command.get("pipeline")
    if not isinstance(collection, str) or not isinstance(pipeline, list):
        return None
    if set(command) - PLAIN_FIELDS or command.get("cursor") != {}:
        return None
    if not all(isinstance(stage, dict) and len(stage) == 1 for stage in pipeline):
        return None
    names = [name for stage in pipeline for name in stage]
    if names[:1] != ["$match"] or names[-1:] != ["$group"] or names[1:-1] not in WINDOWS:
        return None
    query, group = pipeline[0]["$match"], pipeline[-1]["$group"]
    if not isinstance(query, dict) or not isinstance(group, dict):
        return None
    if len(pipeline) == 2 and (groups := _read_groups(collection, query, group)):
        return groups
    window = {name: stage[name] for name, stage in zip(names, pipeline, strict=True)}
    skip, limit = window.get("$skip", 0), window.get("$limit")
    if not _counts(group):
        return None
    if not _is_integer(skip, 0) or not (limit is None or _is_integer(limit, 1)):
        return None
    return Count(collection, query, skip, None if limit is None else skip + limit, group["_id"])


def _read_groups(collection: str, query: Filter, group: dict[str, Any]) -> Groups | None:
    names, by = list(group), group.get("_id")
    if len(names) != 2 or names[0] != "_id" or not isinstance(by, dict) or not by:
        return None
    if not all(isinstance(each, str) and _is_field(each) for each in by.values()):
        return None
    fields = {name: each[1:] for name, each in by.items()}
    if len(set(fields.values())) < len(fields) or not _adds_ones(group[names[1]]):
        return None
    return Groups(collection, query, fields, names[1])


def _is_field(expression: str) -> bool:
    """Whether it names a field of the document itself."""
    return expression[:1] == "$" and expression[1:2] not in ("", "$") and "." not in expression


def _counts(group: dict[str, Any]) -> bool:
    """Whether the stage puts all documents into one group and adds up ones."""
    return list(group) == ["_id", "n"] and group["_id"] in (1, None) and _adds_ones(group["n"])


def _adds_ones(accumulator: Any) -> bool:
    if not isinstance(accumulator, dict) or list(accumulator) != ["$sum"]:
        return False
    return _is_integer(accumulator["$sum"], 1, 1)


def _is_integer(value: Any, least: int, most: int = 2**63) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

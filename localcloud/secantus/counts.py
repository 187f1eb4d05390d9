# SPDX-License-Identifier: GPL-2.0-only
"""The aggregation by which drivers count documents, and its reply."""

from __future__ import annotations

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
        namespace = f"{db}.{self.collection}"
        cursor = {"firstBatch": batch, "id": bson.Int64(0), "ns": namespace}
        return {"cursor": cursor, "ok": 1.0}


def read(command: dict[str, Any]) -> Count | None:
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
    window = {name: stage[name] for name, stage in zip(names, pipeline, strict=True)}
    skip, limit = window.get("$skip", 0), window.get("$limit")
    if not isinstance(query, dict) or not _counts(group):
        return None
    if not _is_integer(skip, 0) or not (limit is None or _is_integer(limit, 1)):
        return None
    return Count(collection, query, skip, None if limit is None else skip + limit, group["_id"])


def _counts(group: Any) -> bool:
    """Whether the stage puts all documents into one group and adds up ones."""
    if not isinstance(group, dict) or list(group) != ["_id", "n"]:
        return False
    if group["_id"] not in (1, None) or not isinstance(group["n"], dict):
        return False
    return list(group["n"]) == ["$sum"] and _is_integer(group["n"]["$sum"], 1, 1)


def _is_integer(value: Any, least: int, most: int = 2**63) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

"""What is kept of a prediction with its asset: what Replicate told, without its bulk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allthethings.assets.texts import encodable

# The fields that tell what was asked for.
OF_REQUEST = ("id", "model", "version", "status", "input", "created_at", "urls")
# All that are kept. The output is not among them.
KEPT = (*OF_REQUEST, "error", "started_at", "completed_at", "metrics", "data_removed")
# Characters of a text that are kept; of a log the last ones.
MAX_TEXT = 2_000
# Entries of a list or an object that are kept, and how deep they may be nested.
MAX_ENTRIES = 50
MAX_DEPTH = 3
# The largest whole number that JSON and MongoDB have alike.
MAX_NUMBER = 2**53


def record(told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are kept of a prediction, in values that can be stored whatever they say."""
    kept = {name: _small(told[name]) for name in KEPT if told.get(name) is not None}
    logs = told.get("logs")
    if isinstance(logs, str) and logs:
        kept["logs"] = encodable(logs[-MAX_TEXT:])
    return kept


def request_in(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that tells what was asked for."""
    return {name: kept[name] for name in OF_REQUEST if name in kept}


def _small(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) <= MAX_NUMBER else "number left out"
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        entries = list(value.items())[:MAX_ENTRIES]
        return {_name(str(name)): _small(each, depth + 1) for name, each in entries}
    if isinstance(value, list | tuple) and depth < MAX_DEPTH:
        return [_small(each, depth + 1) for each in value[:MAX_ENTRIES]]
    text = value if isinstance(value, str) else f"{type(value).__name__} left out"
    return encodable(text[:MAX_TEXT])


def _name(name: str) -> str:
    """A name of a field as MongoDB takes it anywhere."""
    return encodable(name[:MAX_TEXT]).translate({ord("$"): "_", ord("."): "_", 0: "_"})

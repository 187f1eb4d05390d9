"""Filters and deduplicate keys over the content of a request. Pure."""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from localcloud.hookdeck.models import Received
from localcloud.hookdeck.rules import DedupeRule

FILTERED_PARTS = ("body", "headers", "query", "path")
# What makes two requests the same when the rule names no fields. Headers are left out: a
# provider's second sending carries another timestamp and another signature.
_DEDUPED_PARTS = ("body", "query", "path")
_MISSING = object()
_STEP = re.compile(r"([^.\[\]]+)|\[(\*|\d+)\]")


def content(received: Received) -> dict[str, Any]:
    """The request as filters and deduplicate fields see it."""
    return {
        "body": parsed_body(received.body),
        "headers": {name.lower(): value for name, value in received.headers},
        "query": dict(parse_qsl(received.query, keep_blank_values=True)),
        "path": received.path or "/",
    }


def parsed_body(body: bytes) -> Any:
    """The body as JSON if it is that, else as text (undecodable bytes replaced)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def unmatched_parts(rule: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    """The parts of the request that a filter rule refuses; empty means it passes."""
    return [
        name
        for name in FILTERED_PARTS
        if rule.get(name) is not None and not matches(rule[name], parts[name])
    ]


def matches(pattern: Any, value: Any) -> bool:
    """Hookdeck's filter language: fields by name, `$` operators, lists that must be contained."""
    if isinstance(pattern, dict):
        return all(_matches_key(key, wanted, value) for key, wanted in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(matches(wanted, item) for item in value) for wanted in pattern
        )
    return _equal(value, pattern)


def _matches_key(key: str, wanted: Any, value: Any) -> bool:
    if key == "$or":
        return any(matches(option, value) for option in wanted)
    if key == "$and":
        return all(matches(option, value) for option in wanted)
    if key == "$not":
        return not matches(wanted, value)
    if key in _OPERATORS:
        return _OPERATORS[key](value, wanted)
    inner = value.get(key, _MISSING) if isinstance(value, dict) else _MISSING
    return matches(wanted, inner)


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, list) and not isinstance(wanted, list):
        return any(_equal(item, wanted) for item in value)
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, wanted: Any) -> bool:
        numbers = all(isinstance(x, int | float) for x in (value, wanted))
        texts = all(isinstance(x, str) for x in (value, wanted))
        return (numbers or texts) and compare(value, wanted)

    return check


def _within(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_equal(value, option) for option in wanted)
    return isinstance(value, str | list) and wanted in value


def _edge(method: str) -> Callable[[Any, Any], bool]:
    def check(value: Any, wanted: Any) -> bool:
        options = wanted if isinstance(wanted, list) else [wanted]
        return isinstance(value, str) and any(getattr(value, method)(str(o)) for o in options)

    return check


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$neq": lambda value, wanted: not _equal(value, wanted),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$in": _within,
    "$nin": lambda value, wanted: not _within(value, wanted),
    "$startsWith": _edge("startswith"),
    "$endsWith": _edge("endswith"),
    "$exist": lambda value, wanted: (value is not _MISSING) == bool(wanted),
}


def dedupe_key(rule: DedupeRule, parts: dict[str, Any]) -> str:
    """A digest that two requests share exactly when the rule counts them as the same."""
    if rule.include:
        chosen: Any = {path: _pick(parts, _steps(path)) for path in rule.include}
    else:
        chosen = {name: parts[name] for name in _DEDUPED_PARTS}
        for path in rule.exclude:
            chosen = _without(chosen, _steps(path))
    canonical = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _steps(path: str) -> list[str | int]:
    return [name or (index if index == "*" else int(index)) for name, index in _STEP.findall(path)]


def _pick(value: Any, steps: list[str | int]) -> Any:
    for position, step in enumerate(steps):
        if step == "*":
            rest = steps[position + 1 :]
            return [_pick(item, rest) for item in value] if isinstance(value, list) else None
        value = _child(value, step)
    return value


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _without(value: Any, steps: list[str | int]) -> Any:
    step, rest = steps[0], steps[1:]
    if isinstance(value, list):
        chosen = [step == "*" or step == index for index in range(len(value))]
        if not rest:
            return [item for item, drop in zip(value, chosen, strict=True) if not drop]
        return [
            _without(item, rest) if take else item for item, take in zip(value, chosen, strict=True)
        ]
    if isinstance(value, dict) and step in value:
        copy = dict(value)
        if rest:
            copy[str(step)] = _without(copy[str(step)], rest)
        else:
            del copy[str(step)]
        return copy
    return value

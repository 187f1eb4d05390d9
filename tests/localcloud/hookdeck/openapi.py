"""A check of answers against Hookdeck's OpenAPI document, where that is at hand."""

from __future__ import annotations

import functools
import json
import re
from datetime import datetime
from typing import Any

from tools.harness.reference import REFERENCE

SPEC = REFERENCE / "specs" / "hookdeck-2025-07-01.json"
# The document requires these of every object, yet has no value of them for "none".
_NULLABLE = {"error_code", "rejection_cause", "config"}
_TYPES: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "integer": int,
    "number": (int, float),
}


@functools.cache
def document() -> Any:
    return json.loads(SPEC.read_text())


def problems_of(method: str, path: str, status: int, answer: Any) -> list[str]:
    """What is wrong with an answer; `path` is the document's, such as `/events/{id}`."""
    operation = document()["paths"][path][method.lower()]
    content = operation["responses"][str(status)]["content"]
    return _check(content["application/json"]["schema"], answer, "answer")


def _check(schema: Any, value: Any, at: str) -> list[str]:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if value is None:
        allowed = schema.get("nullable") or at.rsplit(".", 1)[-1] in _NULLABLE
        return [] if allowed or _any_allows(schema, value, at) else [f"{at} is null"]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return [] if _any_allows(schema, value, at) else [f"{at} fits no {key}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is {value!r}, not of {schema['enum']}"]
    return _check_type(schema, value, at)


def _any_allows(schema: Any, value: Any, at: str) -> bool:
    options = schema.get("anyOf", []) + schema.get("oneOf", [])
    return any(not _check(option, value, at) for option in options)


def _check_type(schema: Any, value: Any, at: str) -> list[str]:
    kind = schema.get("type")
    if kind is None:
        return []
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{at} is no {kind}: {value!r}"]
    if kind == "array":
        items = schema.get("items", {})
        return [p for i, item in enumerate(value) for p in _check(items, item, f"{at}.{i}")]
    if kind == "object":
        return _check_object(schema, value, at)
    return _check_text(schema, value, at) if kind == "string" else []


def _check_object(schema: Any, value: Any, at: str) -> list[str]:
    properties = schema.get("properties", {})
    problems = [
        f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value
    ]
    for name, item in value.items():
        if name in properties:
            problems += _check(properties[name], item, f"{at}.{name}")
        elif schema.get("additionalProperties") is False:
            problems.append(f"{at}.{name} is not in the document")
    return problems


def _check_text(schema: Any, value: str, at: str) -> list[str]:
    if schema.get("format") == "date-time":
        datetime.fromisoformat(value)
        if not value.endswith("Z"):
            return [f"{at} is not in UTC: {value!r}"]
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        return [f"{at} is {value!r}, not {pattern}"]
    return []

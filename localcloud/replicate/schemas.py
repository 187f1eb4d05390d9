"""Checks inputs against a model's OpenAPI document, with Replicate's error messages.

It understands the keywords that Cog's documents contain: type, nullable, enum (behind a $ref),
anyOf, items, bounds, lengths and pattern. Cog checks inputs again, so a wrong input that passes
here fails the prediction and not the model.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.replicate.problems import Problem

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """The problem of one field, such as `input.n`."""

    kind: str
    field: str
    description: str


# The test for each type. `object` is missing because Cog writes it for values of any type.
_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
}

# For each keyword: the kind of fault, the type it applies to, and the message.
_BOUNDS: dict[str, tuple[str, type | types.UnionType, str]] = {
    "minimum": ("number_gte", int | float, "Must be greater than or equal to {}"),
    "maximum": ("number_lte", int | float, "Must be less than or equal to {}"),
    "minLength": ("string_gte", str, "String length must be greater than or equal to {}"),
    "maxLength": ("string_lte", str, "String length must be less than or equal to {}"),
    "pattern": ("pattern", str, "Does not match pattern '{}'"),
}


def check_input(document: Json, given: Json) -> None:
    """Raises Problem 422, as Replicate answers it, if the input does not fit the document."""
    faults = list(_input_faults(document, given))
    if faults:
        raise Problem(
            422,
            "Input validation failed",
            "".join(f"- {fault.field}: {fault.description}\n" for fault in faults),
            invalid_fields=[
                {"type": fault.kind, "field": fault.field, "description": fault.description}
                for fault in faults
            ],
        )


def file_fields(document: Json, given: Json) -> list[tuple[str, list[str]]]:
    """The file fields of an input, each with its URLs (http, https or data).

    Values that do not fit the document are skipped: an old prediction may fit an older one.
    """
    found = []
    for name, schema in _properties(document).items():
        value = given.get(name)
        if isinstance(value, str) and _is_file(schema):
            found.append((name, [value]))
        elif isinstance(value, list) and _is_file(schema.get("items", {})):
            found.append((name, [url for url in value if isinstance(url, str)]))
    return found


def iterates(document: Json) -> bool:
    """Whether the model returns its output in parts."""
    output = document.get("components", {}).get("schemas", {}).get("Output", {})
    return bool(output.get("x-cog-array-type") == "iterator")


def _properties(document: Json) -> Json:
    return dict(document["components"]["schemas"]["Input"].get("properties", {}))


def _is_file(schema: Json) -> bool:
    if schema.get("type") == "string" and schema.get("format") == "uri":
        return True
    return any(_is_file(variant) for variant in schema.get("anyOf", []))


def _input_faults(document: Json, given: Json) -> Iterator[Fault]:
    schemas = document["components"]["schemas"]
    for name in schemas["Input"].get("required", []):
        if name not in given:
            yield Fault("required", "input", f"{name} is required")
    for name, schema in _properties(document).items():
        if name in given:
            yield from _faults(schemas, schema, f"input.{name}", given[name])


def _faults(schemas: Json, schema: Json, field: str, value: Any) -> Iterator[Fault]:
    if value is None and schema.get("nullable"):
        return
    for part in [*schema.get("allOf", []), *([schema] if "$ref" in schema else [])]:
        target = schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        yield from _faults(schemas, target, field, value)
    variants = schema.get("anyOf", [])
    if variants and not any(_fits(schemas, variant, field, value) for variant in variants):
        yield Fault("number_any_of", field, "Must validate at least one schema (anyOf)")
    expected = schema.get("type")
    if expected in _TYPES and not _TYPES[expected](value):
        given = _type_name(value)
        yield Fault("invalid_type", field, f"Invalid type. Expected: {expected}, given: {given}")
        return
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(f'"{choice}"' for choice in schema["enum"])
        yield Fault("enum", field, f"{field} must be one of the following: {choices}")
    yield from _bound_faults(schema, field, value)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _faults(schemas, schema["items"], f"{field}.{index}", item)


def _bound_faults(schema: Json, field: str, value: Any) -> Iterator[Fault]:
    for keyword, (kind, applies_to, message) in _BOUNDS.items():
        bound = schema.get(keyword)
        if bound is None or not isinstance(value, applies_to):
            continue
        if not _holds(keyword, bound, value):
            yield Fault(kind, field, message.format(bound))
    if schema.get("format") == "uri" and not re.match(r"(https?://|data:).", value, re.I):
        yield Fault("format", field, "Does not match format 'uri'")


def _holds(keyword: str, bound: Any, value: Any) -> bool:
    if keyword == "pattern":
        return re.search(bound, value) is not None
    size = len(value) if isinstance(value, str) else value
    return bool(size >= bound if keyword.startswith("min") else size <= bound)


def _fits(schemas: Json, schema: Json, field: str, value: Any) -> bool:
    return next(_faults(schemas, schema, field, value), None) is None


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "array" if isinstance(value, list) else "object"

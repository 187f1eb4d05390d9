"""What a model's OpenAPI document tells of its inputs and its output.

Cog itself checks inputs against the document, so a wrong one fails the prediction. Only what would
be fetched is checked before.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.replicate.problems import unprocessable

Json = dict[str, Any]

# The key in a document of how many predictions the model runs at once.
CONCURRENCY = "x-localcloud-concurrency"


def check_files(document: Json, given: Json) -> None:
    """Raises Problem 422 for a file that is no http, https or data URL.

    Cog would fetch other spellings itself, from any address.
    """
    for name, urls in file_fields(document, given):
        for url in urls:
            if not re.match(r"(https?://|data:).", url, re.IGNORECASE):
                detail = f"- input.{name}: Does not match format 'uri'\n"
                raise unprocessable(detail, "Input validation failed")


def file_fields(document: Json, given: Json) -> list[tuple[str, list[str]]]:
    """The file fields of an input, each with its URLs (http, https or data).

    Values that do not fit the document are skipped: an old prediction may fit an older one.
    """
    found = []
    properties = document["components"]["schemas"]["Input"].get("properties", {})
    for name, schema in properties.items():
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


def concurrency(document: Json) -> int:
    """How many predictions the model runs at once."""
    return int(document.get(CONCURRENCY, 1))


def _is_file(schema: Json) -> bool:
    if schema.get("type") == "string" and schema.get("format") == "uri":
        return True
    return any(_is_file(variant) for variant in schema.get("anyOf", []))

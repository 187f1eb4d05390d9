"""Request bodies, with a cap that holds whatever a client says of the length."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from localcloud.replicate.problems import Problem

MAX_JSON = 64 * 1024 * 1024
"""Bytes of a JSON body: data: URLs are in it."""


async def read_json(request: Request) -> Any:
    """The body as JSON. Raises Problem 400 and 413."""
    parts, size = list[bytes](), 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_JSON:
                raise Problem(413, "Content Too Large", "The request body is too large.")
            parts.append(part)
    except ClientDisconnect as error:
        raise Problem(400, "Bad request", "The request body is incomplete.") from error
    try:
        return strict_json(b"".join(parts).decode())
    except (ValueError, RecursionError) as error:
        raise Problem(400, "Bad request", "The request body is not JSON.") from error


def strict_json(text: str) -> Any:
    """JSON without NaN and without halves of surrogate pairs, which no UTF-8 can hold.

    Raises ValueError and RecursionError.
    """
    value = json.loads(text, parse_constant=_no_constant)
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

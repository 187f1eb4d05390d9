"""Reads request bodies up to a limit, whatever Content-Length says."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from localcloud.replicate.problems import Problem

# Bytes of the largest JSON body, which may contain data: URLs.
MAX_JSON = 64 * 1024 * 1024


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
    """JSON without NaN and without lone surrogates, which UTF-8 cannot encode.

    Raises ValueError and RecursionError.
    """
    value = json.loads(text, parse_constant=_no_constant)
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

"""JSON, authentication and errors, which all routes of the admin API share."""

from __future__ import annotations

import base64
import hmac
import json
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from localcloud.hookdeck.api_errors import ApiError

Handler = Callable[[Request], Awaitable[Any]]
Answering = Callable[[Request], Awaitable[Response]]


class JsonAnswer(Response):
    """JSON in ASCII, since a provider's body may contain text that UTF-8 cannot encode."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the response."""
        return json.dumps(content, separators=(",", ":")).encode()


def guarded(api_key: str, handler: Handler) -> Answering:
    """A handler that requires the project's API key and answers the JSON that is returned."""

    async def answer(request: Request) -> Response:
        try:
            if not has_key(request.headers, api_key):
                raise ApiError(401, "The API key is missing or wrong")
            return JsonAnswer(await handler(request))
        except ApiError as error:
            return error_response(error)
        except sqlite3.DatabaseError as error:
            return error_response(ApiError(503, f"The database did not answer: {error}"))

    return answer


def error_response(error: ApiError) -> Response:
    """The response for an error."""
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return JsonAnswer(error.body(), status_code=error.status, headers=headers)


async def http_exception(_request: Request, error: Exception) -> Response:
    """The response for Starlette's own errors 404 and 405."""
    if not isinstance(error, HTTPException):
        raise error
    message = error.detail if error.status_code != 404 else "This local stand-in has no such route"
    return error_response(ApiError(error.status_code, message))


def has_key(headers: Headers, api_key: str) -> bool:
    """Whether the headers have the API key, as Bearer or as the user of Basic: so the CLI does."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    expected = {"bearer": api_key.encode(), "basic": base64.b64encode(f"{api_key}:".encode())}
    known = expected.get(scheme.lower())
    return known is not None and hmac.compare_digest(given.strip().encode(), known)


async def json_body(request: Request, *, default: Any = None) -> Any:
    """The body as JSON, or `default` for an empty one. Raises ApiError 400 if it is not JSON."""
    try:
        raw = await request.body()
        if not raw and default is not None:
            return default
        return json.loads(raw)
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise ApiError(400, "The body is not JSON") from error

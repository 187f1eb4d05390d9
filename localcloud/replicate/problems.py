"""The errors of the API: problem details (RFC 9457) in Replicate's words."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Problem(Exception):
    """An error response. `more` are members beside title, detail and status."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.more = more

    def response(self) -> JSONResponse:
        body = {"title": self.title, "detail": self.detail, "status": self.status, **self.more}
        return JSONResponse(body, self.status, media_type="application/problem+json")


def not_found(detail: str = "The requested resource could not be found.") -> Problem:
    return Problem(404, "Not found", detail)


def unprocessable(detail: str, title: str = "Unprocessable entity") -> Problem:
    return Problem(422, title, detail)


async def answer_problem(_request: Request, error: Exception) -> Response:
    """Starlette's handler for Problem."""
    if not isinstance(error, Problem):
        raise error
    return error.response()


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for its own HTTPException: no such route, method not allowed."""
    status = getattr(error, "status_code", 500)
    if status == 404:
        return not_found().response()
    detail = str(getattr(error, "detail", "")) or "The request failed."
    return Problem(status, detail, detail).response()


async def answer_fault(_request: Request, _error: Exception) -> Response:
    """The response to a bug of this server, which the server logs."""
    return Problem(500, "Internal server error", "The server failed.").response()

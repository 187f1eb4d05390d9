"""The errors of the admin API."""

from __future__ import annotations

from localcloud.hookdeck.models import Json

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    422: "UNPROCESSABLE_ENTITY",
    503: "SERVICE_UNAVAILABLE",
}


class ApiError(Exception):
    """An error response of the admin API."""

    def __init__(self, status: int, message: str, data: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.data = data

    def body(self) -> Json:
        """The JSON body, an APIErrorResponse in Hookdeck's OpenAPI document."""
        code = _CODES.get(self.status, "ERROR")
        body = {"code": code, "status": self.status, "message": self.message}
        return body if self.data is None else {**body, "data": self.data}


def invalid(problems: dict[str, str]) -> ApiError:
    """422, with the problem of each field."""
    message = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
    return ApiError(422, message, dict(problems))


def not_found(what: str, identifier: str) -> ApiError:
    """404 for an object that does not exist."""
    return ApiError(404, f"No {what} with id {identifier}")

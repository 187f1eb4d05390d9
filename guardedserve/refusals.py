"""What the server itself answers to requests that it does not pass on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus

from .answers import Headers

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><h1>{title}</h1><p>{message}</p></html>
"""


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer of the server's own: a sentence for people, in HTML or in JSON."""

    status: HTTPStatus
    message: str
    headers: Headers = field(default_factory=list)

    def rendered(self, *, as_json: bool) -> tuple[Headers, bytes]:
        """The headers and the body."""
        if as_json:
            kind, body = "application/json", json.dumps({"error": self.message}) + "\n"
        else:
            kind = "text/html; charset=utf-8"
            body = PAGE.format(title=self.status.phrase, message=escape(self.message))
        raw = body.encode()
        own = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(raw)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"x-content-type-options", b"nosniff"),
        ]
        return [*own, *self.headers], raw


def busy(seconds: int) -> Refusal:
    """Too many requests, which had better come again after so many seconds."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"Too many requests at once. Try again in {seconds} seconds.",
        [(b"retry-after", str(seconds).encode())],
    )


def too_late() -> Refusal:
    """The body took too long."""
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        "The request did not come in time.",
        [(b"connection", b"close")],
    )


def too_large(most: int) -> Refusal:
    """The body has more than `most` bytes."""
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {most:,} bytes.")


def unsigned() -> Refusal:
    """There is no header with a signature."""
    return Refusal(HTTPStatus.UNAUTHORIZED, "There is no signature.")


def ambiguous() -> Refusal:
    """Somebody between the client and here may take the end of the body for another (RFC 9112,
    6.1), so the connection ends too."""
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        "The request tells the length of its body in two ways.",
        [(b"connection", b"close")],
    )

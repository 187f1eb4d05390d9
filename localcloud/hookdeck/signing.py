"""Builds the HTTP request of a delivery: its URL, its headers and its signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from localcloud.hookdeck.models import Connection, Endpoint, Event, Headers, Request

# Headers of one hop, and the one that a delivery sets itself.
_NOT_FORWARDED = frozenset(
    {
        "connection", "content-length", "expect", "host", "idempotency-key", "keep-alive",
        "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_PREFIX = "x-hookdeck-"


@dataclass(frozen=True)
class Delivery:
    """One HTTP request to a destination, ready to be sent."""

    method: str
    url: str
    headers: Headers
    body: bytes


def signature(secret: str, body: bytes) -> str:
    """Base64 of the HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def climbs(path: str) -> bool:
    """Whether a path has a dot segment, by which it could leave the destination's path."""
    return any(segment in {".", ".."} for segment in unquote(path).replace("\\", "/").split("/"))


def target(destination: Endpoint) -> str:
    """The URL of an HTTP destination, the path of a CLI."""
    found: str = destination.config["path" if destination.type == "CLI" else "url"]
    return found


def destination_url(destination: Endpoint, path: str, query: str) -> str:
    """The destination's URL, or its path if it is a CLI, with the request's path and query
    appended. Raises InvalidURL."""
    try:
        parts = urlsplit(target(destination))
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from error
    joined = parts.path.rstrip("/") + path if path else parts.path
    queries = "&".join(part for part in (parts.query, query) if part)
    return urlunsplit((parts.scheme, parts.netloc, joined or "/", queries, ""))


def build(
    event: Event, request: Request, body: bytes, connection: Connection, secret: str
) -> Delivery:
    """The delivery of an event, signed with the project's secret."""
    added = {
        "idempotency-key": event.id,
        f"{_PREFIX}eventid": event.id,
        f"{_PREFIX}requestid": request.id,
        f"{_PREFIX}source-name": connection.source.name,
        f"{_PREFIX}destination-name": connection.destination.name,
        f"{_PREFIX}connection-name": connection.name,
        f"{_PREFIX}verified": "true" if request.verified else "false",
        f"{_PREFIX}attempt-count": str(event.attempts + 1),
        f"{_PREFIX}attempt-trigger": event.trigger,
        f"{_PREFIX}signature": signature(secret, body),
    }
    url = destination_url(connection.destination, request.path, request.query)
    headers = (*forwarded(request.headers), *added.items())
    return Delivery(request.method, url, headers, body)


def forwarded(headers: Headers) -> Headers:
    """The provider's headers without those of one hop and those that a delivery adds."""
    dropped = set(_NOT_FORWARDED)
    for name, value in headers:
        if name.lower() == "connection":
            dropped |= {token.strip().lower() for token in value.split(",")}
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith(_PREFIX)
    )

"""Builds the HTTP request of a delivery: its URL, its headers and its signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from localcloud.hookdeck.models import Connection, Endpoint, Event, Headers, Json, Request

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


def destination_url(destination: Endpoint, path: str, query: str) -> str:
    """The destination's URL with the request's path and query appended."""
    parts = urlsplit(destination.config["url"])
    joined = parts.path
    if path and not destination.config.get("path_forwarding_disabled"):
        joined = parts.path.rstrip("/") + path
    queries = "&".join(part for part in (parts.query, query) if part)
    return urlunsplit((parts.scheme, parts.netloc, joined or "/", queries, ""))


def build(
    event: Event,
    request: Request,
    connection: Connection,
    destination: Endpoint,
    secrets: Sequence[str],
    will_retry_after: int | None,
) -> Delivery:
    """The delivery of an event.

    `secrets` are those that sign, newest first. `will_retry_after` is in seconds.
    """
    received = request.received
    added = {
        "idempotency-key": event.id,
        f"{_PREFIX}eventid": event.id,
        f"{_PREFIX}requestid": request.id,
        f"{_PREFIX}source-name": connection.source.name,
        f"{_PREFIX}destination-name": destination.name,
        f"{_PREFIX}connection-name": connection.name or "",
        f"{_PREFIX}verified": "true" if request.verified else "false",
        f"{_PREFIX}attempt-count": str(event.attempts + 1),
        f"{_PREFIX}attempt-trigger": event.trigger,
        **_signatures(secrets, received.body),
    }
    if will_retry_after is not None:
        added[f"{_PREFIX}will-retry-after"] = str(will_retry_after)
    url = destination_url(destination, received.path, received.query)
    method = destination.config.get("http_method") or received.method
    headers = (*forwarded(received.headers), *added.items())
    return Delivery(method, url, headers, received.body)


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


def _signatures(secrets: Sequence[str], body: bytes) -> dict[str, str]:
    names = (f"{_PREFIX}signature", f"{_PREFIX}signature-2")
    return {name: signature(secret, body) for name, secret in zip(names, secrets, strict=False)}


def parsed_query(query: str) -> Json:
    """The query string as an object, with the last of several values of a name."""
    return dict(parse_qsl(query, keep_blank_values=True))

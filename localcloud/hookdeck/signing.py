"""What a delivery looks like on the wire: its URL, its headers, its signatures. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from localcloud.hookdeck.models import Connection, Endpoint, Event, Headers, Json, Request

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
    """Whether a path has a dot segment, which could leave the destination's own path."""
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
    """The delivery of an event. `secrets` are newest first, `will_retry_after` is in seconds."""
    received = request.received
    url = destination_url(destination, received.path, received.query)
    extra_headers, extra_query = _destination_auth(destination, received.body)
    if extra_query:
        url += ("&" if urlsplit(url).query else "?") + urlencode(extra_query)
    ours = {
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
        **extra_headers,
    }
    if will_retry_after is not None:
        ours[f"{_PREFIX}will-retry-after"] = str(will_retry_after)
    replaced = {name.lower() for name in extra_headers}
    kept = forwarded(received.headers, replaced)
    method = destination.config.get("http_method") or received.method
    return Delivery(method, url, (*kept, *ours.items()), received.body)


def forwarded(headers: Headers, replaced: Iterable[str] = ()) -> Headers:
    """The provider's headers that reach the destination: all but those of one hop or ours."""
    dropped = _NOT_FORWARDED | set(replaced)
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


def _destination_auth(destination: Endpoint, body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    auth: Json = destination.auth
    kind = destination.config.get("auth_type")
    if kind == "BEARER_TOKEN":
        return {"authorization": f"Bearer {auth['token']}"}, {}
    if kind == "BASIC_AUTH":
        pair = f"{auth['username']}:{auth['password']}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}, {}
    if kind == "CUSTOM_SIGNATURE":
        return {auth["key"]: signature(auth["signing_secret"], body)}, {}
    if kind == "API_KEY":
        pair_of = {auth["key"]: auth["api_key"]}
        return (pair_of, {}) if auth.get("to", "header") == "header" else ({}, pair_of)
    return {}, {}


def parsed_query(query: str) -> Json:
    """The query string as an object; the last of several values of one name wins."""
    return dict(parse_qsl(query, keep_blank_values=True))

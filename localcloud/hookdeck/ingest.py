"""The URLs of the sources: a request is verified and stored before it is acknowledged."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from localcloud.hookdeck import signing
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import Endpoint, Request, new_id, now_ms
from localcloud.hookdeck.verification import verify

# Bytes of the largest body that a source accepts.
MAX_BODY = 10 * 1024 * 1024
# Bytes up to which a larger body is read and discarded, so that its sender gets an answer instead
# of a broken connection.
_MAX_READ = 4 * MAX_BODY
# The status for each cause of rejection. Hookdeck's guides document 403 for a failed
# authentication, and none of the others.
_STATUSES = {
    "VERIFICATION_FAILED": 403,
    "NO_CONNECTION": 404,
    "UNSUPPORTED_HTTP_METHOD": 405,
    "PAYLOAD_TOO_LARGE": 413,
}
_MESSAGES = {
    "VERIFICATION_FAILED": "The request's signature or credentials are not the source's",
    "NO_CONNECTION": "The source has no connection",
    "UNSUPPORTED_HTTP_METHOD": "The source does not accept this HTTP method",
    "PAYLOAD_TOO_LARGE": f"The body is larger than {MAX_BODY} bytes",
}
# The methods that a source accepts.
_METHODS = ("PUT", "POST", "PATCH", "DELETE")
# Seconds after which a provider should send a request again that could not be stored.
_RETRY_AFTER = "5"
_log = logging.getLogger("hookdeck")


class TooLarge(Exception):
    """The body is over the limit."""


class Ingest:
    """The ASGI application under /e/."""

    def __init__(self, catalog: Catalog, journal: Journal, courier: Courier) -> None:
        self._catalog = catalog
        self._journal = journal
        self._courier = courier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, http: HttpRequest) -> Response:
        identifier, path = _split(http)
        source = self._catalog.sources.get(identifier)
        if source is None:
            return _refusal(404, "This source does not exist")
        if signing.climbs(path):
            return _refusal(400, "The path has dot segments")
        try:
            body, cause = await _body(http), None
        except ClientDisconnect:
            return _refusal(400, "The request is incomplete")
        except TooLarge:
            body, cause = b"", "PAYLOAD_TOO_LARGE"
        if http.method not in _METHODS:
            cause = "UNSUPPORTED_HTTP_METHOD"
        request = _request(http, source, path, cause)
        return await self._take(source, request, body)

    async def _take(self, source: Endpoint, request: Request, body: bytes) -> Response:
        connections = self._catalog.connections_of(source.id)
        if request.rejection_cause is None:
            verified = verify(source, request.headers, body)
            cause = "VERIFICATION_FAILED" if verified is False else None
            cause = cause or (None if connections else "NO_CONNECTION")
            request = replace(request, verified=verified, rejection_cause=cause)
        cause = request.rejection_cause
        try:
            due = await self._journal.accept(request, body, [] if cause else connections)
        except sqlite3.Error:
            _log.exception("could not store the request")
            return _refusal(503, "The request could not be stored; send it again")
        if cause is not None:
            _log.info("request %s rejected at source %s: %s", request.id, source.name, cause)
            return _refusal(_STATUSES[cause], _MESSAGES[cause], code=cause, request_id=request.id)
        self._courier.schedule(due)
        message = "Request accepted; its events are stored and queued"
        return JSONResponse({"status": "SUCCESS", "message": message, "request_id": request.id})


def _split(http: HttpRequest) -> tuple[str, str]:
    # raw_path is /e/<source id><path>, still percent-encoded.
    raw: bytes = http.scope["raw_path"]
    identifier, slash, rest = raw.decode("latin-1").removeprefix("/e/").partition("/")
    return identifier, slash + rest


async def _body(http: HttpRequest) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        elif size > _MAX_READ:
            raise TooLarge
    if size > MAX_BODY:
        raise TooLarge
    return b"".join(chunks)


def _request(http: HttpRequest, source: Endpoint, path: str, cause: str | None) -> Request:
    now = now_ms()
    return Request(
        id=new_id("req"),
        source_id=source.id,
        data_id=new_id("edt"),
        method=http.method,
        path=path,
        query=http.scope["query_string"].decode("latin-1"),
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in http.headers.raw
        ),
        verified=None,
        rejection_cause=cause,
        events_count=0,
        created_at=now,
        updated_at=now,
    )


def _refusal(status: int, message: str, **more: str) -> Response:
    body = {"status": "FAILED", "message": message, **more}
    headers = {"retry-after": _RETRY_AFTER} if status == 503 else None
    if status == 413:  # part of the body may be unread, so the connection cannot be reused
        headers = {"connection": "close"}
    return JSONResponse(body, status_code=status, headers=headers)

"""The sources' URLs: take a request, verify it, keep it, and only then say so."""

from __future__ import annotations

import logging
import sqlite3

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from localcloud.hookdeck import signing
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import Endpoint, Plan, Received, Request, new_id, now_ms
from localcloud.hookdeck.planning import plan
from localcloud.hookdeck.verification import verify

LARGEST_BODY = 10 * 1024 * 1024
# A body over the limit is read and dropped up to here, so that its sender reads the answer
# instead of a broken connection.
_LARGEST_READ = 4 * LARGEST_BODY
# The answer to each cause of rejection. 403 is what Hookdeck's own guides give for a failed
# authentication; the other statuses are not in its documents.
_STATUSES = {
    "VERIFICATION_FAILED": 403,
    "SOURCE_DISABLED": 403,
    "NO_CONNECTION": 404,
    "UNSUPPORTED_HTTP_METHOD": 405,
    "PAYLOAD_TOO_LARGE": 413,
}
_MESSAGES = {
    "VERIFICATION_FAILED": "The request's signature or credentials are not the source's",
    "SOURCE_DISABLED": "The source is disabled",
    "NO_CONNECTION": "The source has no connection",
    "UNSUPPORTED_HTTP_METHOD": "The source does not take this HTTP method",
    "PAYLOAD_TOO_LARGE": f"The body is larger than {LARGEST_BODY} bytes",
}
_METHODS = ("PUT", "POST", "PATCH", "DELETE")
_MEDIA_TYPES = {"json": "application/json", "text": "text/plain", "xml": "application/xml"}
_log = logging.getLogger("hookdeck")


class TooLarge(Exception):
    """The body is over the limit."""


class Ingest:
    """The ASGI application under /e/."""

    def __init__(
        self, catalog: Catalog, journal: Journal, courier: Courier, time_scale: float
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._courier = courier
        self._time_scale = time_scale

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, http: HttpRequest) -> Response:
        identifier, path = _split(http)
        source = self._catalog.sources.get(identifier)
        if source is None:
            return _refusal(404, "There is no such source")
        if signing.climbs(path):
            return _refusal(400, "The path has dot segments")
        try:
            received = await _receive(http, path)
        except ClientDisconnect:
            return _refusal(400, "The request broke off")
        except TooLarge:
            received = _received(http, path, b"")
            return await self._reject(source, received, "PAYLOAD_TOO_LARGE", None)
        return await self._take(source, received)

    async def _take(self, source: Endpoint, received: Received) -> Response:
        cause = self._cause(source, received)
        if cause is not None:
            return await self._reject(source, received, cause, None)
        verified = verify(source, received)
        if verified is False:
            return await self._reject(source, received, "VERIFICATION_FAILED", verified=False)
        connections = self._catalog.connections_of(source.id)
        if not connections:
            return await self._reject(source, received, "NO_CONNECTION", verified)
        request = _request(source, received, verified, None)
        planned = plan(received, connections, request.created_at, time_scale=self._time_scale)
        return await self._accept(source, request, planned)

    @staticmethod
    def _cause(source: Endpoint, received: Received) -> str | None:
        if source.disabled_at is not None:
            return "SOURCE_DISABLED"
        if received.method not in (source.config.get("allowed_http_methods") or _METHODS):
            return "UNSUPPORTED_HTTP_METHOD"
        return None

    async def _accept(self, source: Endpoint, request: Request, planned: Plan) -> Response:
        try:
            due = await self._journal.accept(request, planned)
        except sqlite3.Error:
            _log.exception("request not kept")
            return _refusal(503, "The request could not be kept; send it again")
        self._courier.schedule(due)
        for ignored in planned.ignored:
            name = ignored.connection.full_name
            _log.info("request %s ignored by %s: %s", request.id, name, ignored.cause)
        return _accepted(source, request.id)

    async def _reject(
        self, source: Endpoint, received: Received, cause: str, verified: bool | None
    ) -> Response:
        request = _request(source, received, verified, cause)
        try:
            await self._journal.accept(request, Plan())
        except sqlite3.Error:
            _log.exception("rejected request not kept")
            return _refusal(503, "The request could not be kept; send it again")
        _log.info("request %s rejected at source %s: %s", request.id, source.name, cause)
        return _refusal(_STATUSES[cause], _MESSAGES[cause], code=cause, request_id=request.id)


def _split(http: HttpRequest) -> tuple[str, str]:
    # raw_path keeps the percent-encoding; /e/<source id><path>
    raw: bytes = http.scope["raw_path"]
    identifier, slash, rest = raw.decode("latin-1").removeprefix("/e/").partition("/")
    return identifier, slash + rest


async def _receive(http: HttpRequest, path: str) -> Received:
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.stream():
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
        elif size > _LARGEST_READ:
            raise TooLarge
    if size > LARGEST_BODY:
        raise TooLarge
    return _received(http, path, b"".join(chunks))


def _received(http: HttpRequest, path: str, body: bytes) -> Received:
    return Received(
        method=http.method,
        path=path,
        query=http.scope["query_string"].decode("latin-1"),
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in http.headers.raw
        ),
        body=body,
    )


def _request(
    source: Endpoint, received: Received, verified: bool | None, cause: str | None
) -> Request:
    now = now_ms()
    return Request(
        id=new_id("req"),
        source_id=source.id,
        data_id=new_id("edt"),
        received=received,
        verified=verified,
        rejection_cause=cause,
        events_count=0,
        ignored_count=0,
        created_at=now,
        updated_at=now,
    )


def _accepted(source: Endpoint, request_id: str) -> Response:
    custom = source.config.get("custom_response")
    if custom:
        return Response(custom["body"], media_type=_MEDIA_TYPES[custom["content_type"]])
    message = "Request accepted; its events are kept and queued"
    return JSONResponse({"status": "SUCCESS", "message": message, "request_id": request_id})


def _refusal(status: int, message: str, **more: str) -> Response:
    body = {"status": "FAILED", "message": message, **more}
    headers = {"retry-after": "5"} if status == 503 else None
    if status == 413:  # the rest of the body is not read, so the connection cannot be used again
        headers = {"connection": "close"}
    return JSONResponse(body, status_code=status, headers=headers)

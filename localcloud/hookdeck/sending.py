"""Sends a delivery to its destination and returns the response or an error code."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator

import httpx

from localcloud.hookdeck.models import Answer, now_ms
from localcloud.hookdeck.signing import Delivery

# Seconds for one attempt, from the connection to the end of the response.
DEADLINE_SECONDS = 60.0
# Bytes of a response's body that are stored.
_STORED_BODY = 16 * 1024
_ERRNO_CODES = {
    errno.ECONNREFUSED: "CONNECTION_REFUSED",
    errno.ECONNRESET: "CONNECTION_RESET",
    errno.EPIPE: "CONNECTION_RESET",
    errno.ENETUNREACH: "NETWORK_UNREACHABLE",
    errno.EHOSTUNREACH: "HOST_UNREACHABLE",
    errno.ETIMEDOUT: "TIMEOUT",
}


class Clients:
    """HTTP clients for deliveries, each with one connection that it keeps for a moment.

    In one pool, the work for each request would grow with the number of connections. The clients
    use no proxy and follow no redirects. They have no timeouts, since `send` has a deadline.
    """

    def __init__(self) -> None:
        self._free: defaultdict[str, list[httpx.AsyncClient]] = defaultdict(list)
        self._open = contextlib.AsyncExitStack()
        self._tls = httpx.create_ssl_context(trust_env=False)

    @contextlib.asynccontextmanager
    async def lease(self, key: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client for the duration of the block. A key always gets the same connections."""
        client = self._free[key].pop() if self._free[key] else await self._new()
        try:
            yield client
        finally:
            self._free[key].append(client)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._open.aclose()

    async def _new(self) -> httpx.AsyncClient:
        # The connection is closed before the server closes it (after 2 s in gunicorn): a request
        # that meets the server's close would count as a failed attempt.
        limits = httpx.Limits(max_keepalive_connections=1, keepalive_expiry=1.0)
        client = httpx.AsyncClient(
            trust_env=False,
            timeout=None,  # noqa: S113
            limits=limits,
            verify=self._tls,
        )
        return await self._open.enter_async_context(client)


async def send(
    client: httpx.AsyncClient, delivery: Delivery, deadline: float = DEADLINE_SECONDS
) -> Answer:
    """Make one attempt. An error of the destination or the network becomes an error code."""
    requested_at = now_ms()
    try:
        async with asyncio.timeout(deadline):
            status, body, retry_after = await _exchange(client, delivery)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Answer(requested_at, now_ms(), error_code=error_code(error))
    return Answer(requested_at, now_ms(), status, None, body, retry_after)


async def _exchange(client: httpx.AsyncClient, delivery: Delivery) -> tuple[int, str, str | None]:
    request = httpx.Request(
        delivery.method,
        delivery.url,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in delivery.headers],
        content=delivery.body,
    )
    response = await client.send(request, stream=True)
    try:
        kept = b""
        async for chunk in response.aiter_bytes():
            kept += chunk
            if len(kept) > _STORED_BODY:
                break
    finally:
        await response.aclose()
    text = kept[:_STORED_BODY].decode("utf-8", "replace")
    return response.status_code, text, response.headers.get("retry-after")


def error_code(error: Exception) -> str:
    """Hookdeck's code for an attempt that got no response."""
    chain = _causes(error)
    for cause in chain:
        if isinstance(cause, socket.gaierror):
            return "DNS_LOOKUP_FAILED"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "SELF_SIGNED_CERT" if cause.verify_code in {18, 19} else "NETWORK_ERROR"
        if isinstance(cause, OSError) and cause.errno in _ERRNO_CODES:
            return _ERRNO_CODES[cause.errno]
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "TIMEOUT"
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "INVALID_URL"
    return _by_kind(error)


def _by_kind(error: Exception) -> str:
    if isinstance(error, httpx.RemoteProtocolError):
        return "SOCKET_CLOSED" if "disconnected" in str(error) else "PROTOCOL_ERROR"
    if isinstance(error, httpx.LocalProtocolError | ValueError):
        return "INVALID_CHARACTER"
    if isinstance(error, httpx.ConnectError):
        # anyio hides the error number after it has tried several addresses.
        return "CONNECTION_REFUSED" if "All connection" in str(error) else "NETWORK_ERROR"
    if isinstance(error, httpx.ReadError | httpx.WriteError):
        return "CONNECTION_RESET"
    return "NETWORK_ERROR"


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    waiting = [error]
    while waiting:
        item = waiting.pop()
        if item is None or item in chain:
            continue
        chain.append(item)
        waiting += [item.__cause__, item.__context__]
        if isinstance(item, BaseExceptionGroup):
            waiting += item.exceptions
    return chain

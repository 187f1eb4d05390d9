"""Sends a delivery to its destination and returns its status or an error code."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import httpx

from localcloud.hookdeck.journal import NoBody
from localcloud.hookdeck.models import Answer, now_ms
from localcloud.hookdeck.signing import Delivery

# Seconds for one attempt, from the connection to the end of the response.
DEADLINE_SECONDS = 60.0
# Bytes of a response's body that are read, so that its connection can be used again.
_READ_BODY = 16 * 1024
_ERRNO_CODES = {
    errno.ECONNREFUSED: "CONNECTION_REFUSED",
    errno.ECONNRESET: "CONNECTION_RESET",
    errno.EPIPE: "CONNECTION_RESET",
    errno.ENETUNREACH: "NETWORK_UNREACHABLE",
    errno.EHOSTUNREACH: "HOST_UNREACHABLE",
    errno.ETIMEDOUT: "TIMEOUT",
}
# The first that fits.
_CODES: dict[type[Exception], str] = {
    NoBody: "PAYLOAD_MISSING",
    TimeoutError: "TIMEOUT",
    httpx.UnsupportedProtocol: "INVALID_URL",
    httpx.InvalidURL: "INVALID_URL",
    httpx.LocalProtocolError: "INVALID_CHARACTER",
    httpx.ReadError: "CONNECTION_RESET",
    httpx.WriteError: "CONNECTION_RESET",
    httpx.TransportError: "NETWORK_ERROR",
    OSError: "NETWORK_ERROR",
}
# Hookdeck's code for whatever has no other.
UNKNOWN = "UNKNOWN"


def new_client() -> httpx.AsyncClient:
    """A client for deliveries, without proxies, redirects and timeouts: `send` has a deadline.

    It closes an idle connection before a usual server does: a request that meets the server's
    close would count as a failed attempt.
    """
    limits = httpx.Limits(keepalive_expiry=1.0)
    return httpx.AsyncClient(trust_env=False, timeout=None, limits=limits)  # noqa: S113


async def send(
    client: httpx.AsyncClient, delivery: Delivery, deadline: float = DEADLINE_SECONDS
) -> Answer:
    """Make one attempt. Raises whatever error the destination or the network causes."""
    requested_at = now_ms()
    request = httpx.Request(
        delivery.method,
        delivery.url,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in delivery.headers],
        content=delivery.body,
    )
    async with asyncio.timeout(deadline):
        response = await client.send(request, stream=True)
        try:
            async for _ in response.aiter_raw():
                if response.num_bytes_downloaded > _READ_BODY:
                    break
        finally:
            await response.aclose()
    retry_after = response.headers.get("retry-after")
    return Answer(requested_at, now_ms(), response.status_code, None, retry_after)


def error_code(error: Exception) -> str:
    """Hookdeck's code for an attempt that got no response."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "DNS_LOOKUP_FAILED"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "SELF_SIGNED_CERT" if cause.verify_code in {18, 19} else "NETWORK_ERROR"
        if isinstance(cause, OSError) and cause.errno in _ERRNO_CODES:
            return _ERRNO_CODES[cause.errno]
    if isinstance(error, httpx.RemoteProtocolError):
        return "SOCKET_CLOSED" if "disconnected" in str(error) else "PROTOCOL_ERROR"
    if isinstance(error, httpx.ConnectError) and "All connection" in str(error):
        return "CONNECTION_REFUSED"  # anyio hides the number after it has tried several addresses
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), UNKNOWN)


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

"""One request of a client: its body and its answer, each with a deadline."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from .answers import Headers
from .environ import path_of
from .lanes import Rule
from .limits import Limits
from .protocol import CONNECTION, GuardedProtocol
from .refusals import Refusal, ambiguous, busy, too_large, too_late, unsigned


class Gone(Exception):
    """The client has closed the connection, or is to lose it."""


class Client:
    """One request of a connection, with the deadlines of its body and its answer."""

    def __init__(
        self,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        limits: Limits,
    ) -> None:
        self.scope = scope
        self.target = path_of(scope["raw_path"])
        self.connection: GuardedProtocol = scope["state"][CONNECTION]
        self._receive = receive
        self._send = send
        self._limits = limits
        self._whole = not self._has_body()

    def header(self, name: bytes) -> str:
        """The header's value, empty if there is none."""
        values = (value for key, value in self.scope["headers"] if key == name)
        return next(values, b"").decode("latin-1")

    def _has_body(self) -> bool:
        return self.header(b"content-length") not in ("", "0") or bool(
            self.header(b"transfer-encoding")
        )

    def check(self, rule: Rule) -> None:
        """Raises Refusal for what can be refused before the body is read."""
        length = self.header(b"content-length")
        if self.header(b"transfer-encoding") and (length or self.scope["http_version"] == "1.0"):
            raise ambiguous()
        if int(length or 0) > rule.max_body:
            raise too_large(rule.max_body)
        signed = any(self.header(name.encode()) for name in rule.signed_by)
        if self._has_body() and rule.signed_by and not signed:
            raise unsigned()

    async def body(self, rule: Rule) -> bytes:
        """The whole body. Raises Refusal, Gone."""
        found = bytearray()
        began = asyncio.get_running_loop().time()
        self.connection.wait()
        while await self._receive_more(found, began + self._limits.seconds_for(len(found))):
            if len(found) > rule.max_body:
                raise too_large(rule.max_body)
            if not self.connection.hold(len(found), patience=self._limits.grace):
                raise busy(rule.retry_after)
        if len(found) > rule.max_body:
            raise too_large(rule.max_body)
        self.connection.answer()
        return bytes(found)

    async def _receive_more(self, found: bytearray, late: float) -> bool:
        """Add what has come of the body, and return whether there is more."""
        try:
            async with asyncio.timeout_at(late):
                message = await self._receive()
        except TimeoutError:
            raise too_late() from None
        if message["type"] != "http.request":
            raise Gone
        found += message["body"]
        self._whole = not message["more_body"]
        return message["more_body"]

    async def refuse(self, refusal: Refusal, *, as_json: bool) -> None:
        """Send the refusal, and pass over the rest of the body for a while: a client that is
        still sending when the connection closes does not see the answer. Raises Gone."""
        headers, page = refusal.rendered(as_json=as_json)
        await self.begin(refusal.status, headers)
        await self.send(page, more=True)
        self.connection.hold(0)
        self.connection.wait()
        late = asyncio.get_running_loop().time() + self._limits.grace
        if refusal.status != HTTPStatus.REQUEST_TIMEOUT:
            with suppress(Refusal):
                while not self._whole:
                    await self._receive_more(bytearray(), late)
        await self.send(b"", more=False)

    async def lose(self) -> None:
        """Close the connection, whatever state it is in."""
        self.connection.cut()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the status and the headers, once the client has taken the answer before this one.
        Raises Gone."""
        self.connection.wait()
        try:
            async with asyncio.timeout(self._limits.grace):
                await self._send(
                    {"type": "http.response.start", "status": status, "headers": headers}
                )
        except TimeoutError:
            raise Gone from None

    async def send(self, part: bytes, *, more: bool) -> None:
        """Send a part of the answer, and wait until the client has taken it. Raises Gone."""
        self.connection.wait()
        self.connection.hold(len(part))
        try:
            async with asyncio.timeout(self._limits.seconds_for(len(part))):
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
                await self.connection.flow.drain()
        except TimeoutError:
            raise Gone from None
        if self.connection.transport.is_closing():
            raise Gone
        if more:
            self.connection.answer()
        else:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

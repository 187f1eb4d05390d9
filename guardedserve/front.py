"""Takes requests whole, gives them threads, and sends the answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from urllib.parse import unquote

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from .answers import Answer, Application
from .client import Client, Gone
from .environ import environ_of
from .lanes import Busy, Lane, Places, Rule, lane_of
from .limits import Limits
from .refusals import Refusal, busy


class Front:
    """An ASGI application around a WSGI application.

    Each request belongs to the first rule that has a prefix of its path; the last rule should
    take all. Works with uvicorn under `GuardedProtocol`, which tells how long clients wait.
    """

    def __init__(
        self, application: Application, rules: Sequence[Rule], limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._application = application
        self._lanes = [Lane(rule) for rule in rules]
        patience = max(rule.patience for rule in rules)
        self._large = Places(self.limits.large_at_once, 2 * self.limits.large_at_once, patience)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise NotImplementedError(f"{scope['type']} is not served here")
        client = Client(scope, receive, send, self.limits)
        lane = lane_of(self._lanes, unquote(client.target.decode("latin-1")))
        try:
            try:
                await self._serve(client, lane)
            except Refusal as refusal:
                as_json = lane.rule.machines or "application/json" in client.header(b"accept")
                await client.refuse(refusal, as_json=as_json)
        except Gone:
            await client.lose()

    async def _serve(self, client: Client, lane: Lane) -> None:
        client.check(lane.rule)
        if lane.places.full:
            raise busy(lane.rule.retry_after)
        body = await client.body(lane.rule)
        async with AsyncExitStack() as stack:
            try:
                if len(body) > self.limits.large:
                    await stack.enter_async_context(self._large.place())
                await stack.enter_async_context(lane.places.place())
            except Busy:
                raise busy(lane.rule.retry_after) from None
            if client.connection.transport.is_closing():
                raise Gone
            environ = environ_of(client.scope, client.target, body)
            answer = Answer(self._application, environ, self.limits.part)
            del body
            try:
                part, more = await lane.call(answer.start)
            except Exception:
                await lane.call(answer.close)
                raise
        await self._send(client, lane, answer, part, more)

    async def _send(
        self, client: Client, lane: Lane, answer: Answer, part: bytes, more: bool
    ) -> None:
        """The client takes the answer as slowly as it may; no thread waits for it."""
        try:
            await client.begin(answer.status, answer.headers)
            while more:
                await client.send(part, more=True)
                part, more = await lane.call(answer.more)
            await client.send(part, more=False)
        finally:
            await lane.call(answer.close)

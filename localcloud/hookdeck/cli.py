"""The Hookdeck CLI: who it is, its sessions, and deliveries through its websocket.

`hookdeck listen` names the connections that it takes deliveries for, and gets a session. Then it
keeps a websocket open, through which each attempt goes as a message; it asks the local server and
sends the status back.

Source: https://github.com/hookdeck/hookdeck-cli
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from localcloud.hookdeck import api_inputs, web
from localcloud.hookdeck.api_errors import ApiError
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.models import TEAM_ID, Answer, Json, now_ms
from localcloud.hookdeck.sending import DEADLINE_SECONDS
from localcloud.hookdeck.signing import Delivery

# Hookdeck's codes for an attempt that no CLI takes, for one whose CLI went away, and for one whose
# CLI got no response.
UNAVAILABLE = "CLI_UNAVAILABLE"
DISCONNECTED = "CLI_DISCONNECTED"
NO_RESPONSE = "CONNECTION_REFUSED"
# Seconds that the message of an attempt may take beyond the deadline of the attempt itself.
_SLACK = 5.0


class SessionIn(BaseModel):
    """The connections for which a CLI takes deliveries."""

    webhook_ids: Annotated[list[str], Field(min_length=1)]
    filters: Json | None = None


class CliSessions:
    """The CLIs that listen. Its methods belong to the thread of the event loop."""

    def __init__(self, catalog: Catalog, api_key: str) -> None:
        self._catalog = catalog
        self._api_key = api_key
        # The open websockets, the newest last, each with its connections.
        self._open: dict[WebSocket, frozenset[str]] = {}
        # The attempts that wait for their response, with the websocket that has them.
        self._waiting: dict[str, tuple[WebSocket, asyncio.Future[Json | None]]] = {}

    async def identify(self, _request: Request) -> Json:
        """POST /cli-auth/ci and GET /cli-auth/validate."""
        return {
            "claimed": True,
            "key": self._api_key,
            "client_id": "cli_local",
            "user_id": "usr_local",
            "user_name": "local",
            "user_email": "local@localhost",
            "organization_id": "org_local",
            "organization_name": "local",
            "team_id": TEAM_ID,
            "team_name": "local",
            "team_name_no_org": "local",
            "team_mode": "inbound",
        }

    async def create(self, request: Request) -> Json:
        """POST /cli-sessions. The id names the connections, so that it outlives a restart."""
        given = api_inputs.parse(SessionIn, await web.json_body(request))
        if given.filters:
            raise ApiError(422, "This local stand-in does not filter what a CLI is sent")
        if unknown := set(given.webhook_ids) - self._catalog.connections.keys():
            raise ApiError(422, f"There is no connection {sorted(unknown)[0]}")
        named = json.dumps(given.webhook_ids).encode()
        return {"id": "ses_" + base64.urlsafe_b64encode(named).decode()}

    async def serve(self, socket: WebSocket) -> None:
        """Keep a websocket until either side closes it."""
        known = web.has_key(socket.headers, self._api_key)
        connections = known and _connections_of(socket.headers.get("websocket-id", ""))
        if not connections:
            denial = web.JsonAnswer({"error": {"message": "Unknown WebSocket ID."}}, 401)
            await socket.send_denial_response(denial)
            return
        await socket.accept()
        self._open[socket] = connections
        try:
            async for text in socket.iter_text():
                self._heard(text)
        except WebSocketDisconnect:
            pass
        finally:
            del self._open[socket]
            for holder, waiting in list(self._waiting.values()):
                if holder is socket and not waiting.done():
                    waiting.set_result(None)

    def _heard(self, text: str) -> None:
        """Take a message of a CLI. Only responses to attempts matter."""
        try:
            message = json.loads(text)
            body = message["body"]
            _, waiting = self._waiting[body["attempt_id"]]
        except (ValueError, LookupError, TypeError):
            return
        if not waiting.done():
            waiting.set_result(body)

    async def deliver(self, attempt_id: str, connection_id: str, delivery: Delivery) -> Answer:
        """Make one attempt through the CLI that has listened to the connection last."""
        began = now_ms()
        takes = [socket for socket, known in self._open.items() if connection_id in known]
        if not takes:
            return Answer(began, now_ms(), error_code=UNAVAILABLE)
        waiting: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[attempt_id] = takes[-1], waiting
        try:
            async with asyncio.timeout(DEADLINE_SECONDS + _SLACK):
                await takes[-1].send_text(_message(attempt_id, connection_id, delivery))
                body = await waiting
        except (WebSocketDisconnect, RuntimeError):  # closed before or while it was sent
            body = None
        finally:
            del self._waiting[attempt_id]
        if body is None:
            return Answer(began, now_ms(), error_code=DISCONNECTED)
        status = body.get("status")
        if not isinstance(status, int) or not 100 <= status <= 599:
            return Answer(began, now_ms(), error_code=NO_RESPONSE)
        return Answer(began, now_ms(), status)


def _connections_of(session_id: str) -> frozenset[str]:
    """The connections that a session's id names; none if it is not one."""
    try:
        named = json.loads(base64.urlsafe_b64decode(session_id.removeprefix("ses_")))
        return frozenset(map(str, named))
    except (ValueError, TypeError):
        return frozenset()


def _message(attempt_id: str, connection_id: str, delivery: Delivery) -> str:
    headers: Mapping[str, Any] = dict(delivery.headers)
    return json.dumps(
        {
            "event": "attempt",
            "type": "attempt",
            "body": {
                "cli_path": delivery.url,
                "event_id": headers.get("x-hookdeck-eventid"),
                "attempt_id": attempt_id,
                "webhook_id": connection_id,
                "request": {
                    "method": delivery.method,
                    "timeout": round(DEADLINE_SECONDS * 1000),
                    "data_string": delivery.body.decode("utf-8", "replace"),
                    "headers": headers,
                },
            },
        }
    )

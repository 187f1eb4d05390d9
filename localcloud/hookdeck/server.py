"""The gateway as an ASGI application, assembled from its parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute

from localcloud.hookdeck import web
from localcloud.hookdeck.admin_api import AdminApi
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.cli import CliSessions
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.ingest import Ingest
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import now_ms
from localcloud.hookdeck.schema import prepare
from localcloud.sqlite import damage_named

# The versions of Hookdeck's API, which are part of its paths: the app's, and that of its CLI 2.6.
# What is answered here is the same in both.
VERSIONS = ("2025-07-01", "2026-09-01")
# Seconds that a shutdown waits for the attempts in progress.
_SHUTDOWN_SECONDS = 3.0
# Milliseconds that finished requests are kept.
_RETENTION_MS = 7 * 24 * 3_600_000
# Seconds between two deletions of what is no longer needed.
_HOUSEKEEPING_SECONDS = 3600.0
_log = logging.getLogger("hookdeck")


@dataclass(frozen=True)
class Settings:
    """The settings of a gateway. `secret` signs deliveries.

    `keep_bodies` is how many seconds the body of a delivered request is kept.
    """

    data_dir: Path
    base_url: str
    api_key: str
    secret: str
    time_scale: float = 1.0
    keep_bodies: float = 24 * 3600.0


class Gateway:
    """The parts of the gateway. Create it in the thread of the event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        path = settings.data_dir / "hookdeck.sqlite3"
        with damage_named(path):
            self.database = Database(path, prepare)
            self.catalog = Catalog(self.database)
            self.journal = Journal(self.database)
            self.sessions = CliSessions(self.catalog, settings.api_key)
            parts = self.catalog, self.journal, settings.secret, self.sessions
            self.courier = Courier(*parts, settings.time_scale)
        self._delivering: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Deliver while the server runs."""
        self._delivering = asyncio.create_task(self.courier.run())
        self._delivering.add_done_callback(_stop_if_failed)
        housekeeping = asyncio.create_task(self._keep_house())
        yield
        housekeeping.cancel()
        self.courier.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._delivering, _SHUTDOWN_SECONDS)
        self.database.close()

    async def health(self, _request: Request) -> Response:
        """GET /healthz."""
        down = [] if self._delivering and not self._delivering.done() else ["delivery"]
        try:
            await self.database.write(lambda db: db.execute("SELECT 1").fetchone())
        except sqlite3.Error:
            down.append("store")
        if down:
            return web.JsonAnswer({"status": "unavailable", "down": down}, status_code=503)
        return web.JsonAnswer({"status": "ok"})

    async def _keep_house(self) -> None:
        """Delete what is no longer needed, in small commits, and make the file smaller."""
        while True:
            now = now_ms()
            try:
                while await self.journal.drop_bodies(now - round(self.settings.keep_bodies * 1000)):
                    pass
                while await self.journal.prune(now - _RETENTION_MS):
                    pass
                while await self.journal.shrink():
                    pass
            except sqlite3.Error:
                _log.exception("could not delete what is no longer needed; tried again in an hour")
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)


def _stop_if_failed(task: asyncio.Task[None]) -> None:
    """End a gateway that cannot deliver, so that its supervisor starts it again."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("delivery ended", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


def create_app(gateway: Gateway) -> Starlette:
    """The application: sources under /e, the admin API under its versions, /healthz, and the
    websocket of the CLI."""
    ingest = Ingest(gateway.catalog, gateway.journal, gateway.courier)
    return Starlette(
        routes=[
            Route("/healthz", gateway.health),
            Route("/e/{source}", ingest),
            Route("/e/{source}/{path:path}", ingest),
            *(Mount(f"/{version}", routes=_admin(gateway)) for version in VERSIONS),
            WebSocketRoute("/", gateway.sessions.serve),
        ],
        lifespan=gateway.lifespan,
        exception_handlers={HTTPException: web.http_exception},
    )


def _admin(gateway: Gateway) -> list[Route]:
    parts = gateway.database, gateway.catalog, gateway.journal, gateway.courier
    api = AdminApi(*parts, gateway.settings.base_url)
    table: list[tuple[str, str, web.Handler]] = [
        ("PUT", "/connections", api.upsert_connection),
        ("GET", "/connections", api.list_connections),
        ("GET", "/sources", api.list_sources),
        ("POST", "/cli-auth/ci", gateway.sessions.identify),
        ("GET", "/cli-auth/validate", gateway.sessions.identify),
        ("POST", "/cli-sessions", gateway.sessions.create),
        ("GET", "/events", api.list_events),
        ("GET", "/events/{id}", api.get_event),
        ("POST", "/events/{id}/retry", api.retry_event),
        ("POST", "/bulk/events/retry", api.retry_events),
        ("GET", "/attempts", api.list_attempts),
        ("GET", "/requests", api.list_requests),
        ("GET", "/requests/{id}", api.get_request),
        ("GET", "/requests/{id}/raw_body", api.get_request_body),
        ("GET", "/requests/{id}/events", api.list_request_events),
        ("POST", "/requests/{id}/retry", api.retry_request),
    ]
    return [
        Route(path, web.guarded(gateway.settings.api_key, handler), methods=[method])
        for method, path, handler in table
    ]

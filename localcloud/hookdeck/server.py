"""The gateway as an ASGI application, assembled from its parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from localcloud.hookdeck import web
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.configuration_api import ConfigurationApi
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.history_api import HistoryApi
from localcloud.hookdeck.ingest import Ingest
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import now_ms
from localcloud.hookdeck.schema import SCHEMA

# The version of Hookdeck's API, which is part of its paths.
VERSION = "2025-07-01"
# Seconds that a shutdown waits for the attempts in progress.
_SHUTDOWN_SECONDS = 3.0
# Milliseconds that finished requests are kept.
_RETENTION_MS = 7 * 24 * 3_600_000
# Seconds between two deletions of older requests.
_PRUNE_SECONDS = 3600.0
_log = logging.getLogger("hookdeck")


@dataclass(frozen=True)
class Settings:
    """The settings of a gateway. `secrets` sign deliveries, newest first."""

    data_dir: Path
    base_url: str
    api_key: str
    secrets: Sequence[str]
    time_scale: float = 1.0


class Gateway:
    """The parts of the gateway. Create it in the thread of the event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.data_dir / "hookdeck.sqlite3", SCHEMA)
        self.catalog = Catalog(self.database)
        self.journal = Journal(self.database)
        self.courier = Courier(self.catalog, self.journal, settings.secrets, settings.time_scale)
        self._delivering: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Deliver while the server runs."""
        self._delivering = asyncio.create_task(self.courier.run())
        self._delivering.add_done_callback(_stop_if_failed)
        pruning = asyncio.create_task(self._prune_forever())
        yield
        pruning.cancel()
        self.courier.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._delivering, _SHUTDOWN_SECONDS)
        self.database.close()

    async def health(self, _request: Request) -> Response:
        """GET /healthz."""
        parts = {
            "store": self.database.alive,
            "delivery": self._delivering is not None and not self._delivering.done(),
        }
        down = [name for name, up in parts.items() if not up]
        if down:
            return web.JsonAnswer({"status": "unavailable", "down": down}, status_code=503)
        return web.JsonAnswer({"status": "ok"})

    async def _prune_forever(self) -> None:
        while True:
            pruned = await self.journal.prune(now_ms() - _RETENTION_MS)
            if pruned:
                _log.info("deleted %d requests past their retention", pruned)
            await asyncio.sleep(_PRUNE_SECONDS)


def _stop_if_failed(task: asyncio.Task[None]) -> None:
    """End a gateway that cannot deliver, so that its supervisor starts it again."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("delivery ended", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


def create_app(gateway: Gateway) -> Starlette:
    """The application: sources under /e, the admin API under its version, /healthz."""
    settings = gateway.settings
    ingest = Ingest(gateway.catalog, gateway.journal, gateway.courier, settings.time_scale)
    return Starlette(
        routes=[
            Route("/healthz", gateway.health),
            Route("/e/{source}", ingest),
            Route("/e/{source}/{path:path}", ingest),
            Mount(f"/{VERSION}", routes=_configuration(gateway) + _history(gateway)),
        ],
        lifespan=gateway.lifespan,
        exception_handlers={HTTPException: web.http_exception},
    )


def _route(gateway: Gateway, method: str, path: str, handler: web.Handler) -> Route:
    return Route(path, web.guarded(gateway.settings.api_key, handler), methods=[method])


def _configuration(gateway: Gateway) -> list[Route]:
    parts = gateway.database, gateway.catalog, gateway.journal, gateway.courier
    api = ConfigurationApi(*parts, gateway.settings.base_url)
    table: list[tuple[str, str, web.Handler]] = [
        ("GET", "/connections", api.list_connections),
        ("PUT", "/connections", api.upsert_connection),
        ("GET", "/connections/{id}", api.get_connection),
        ("PUT", "/connections/{id}", api.update_connection),
        ("DELETE", "/connections/{id}", api.delete_connection),
        ("PUT", "/connections/{id}/pause", api.marking("connections", "paused_at", on=True)),
        ("PUT", "/connections/{id}/unpause", api.marking("connections", "paused_at", on=False)),
    ]
    for name in ("sources", "destinations"):
        table += [
            ("GET", f"/{name}", api.listing(name)),
            ("PUT", f"/{name}", api.upserting(name)),
            ("GET", f"/{name}/{{id}}", api.getting(name)),
        ]
    for name in ("connections", "sources", "destinations"):
        for verb, on in (("disable", True), ("enable", False)):
            handler = api.marking(name, "disabled_at", on=on)
            table.append(("PUT", f"/{name}/{{id}}/{verb}", handler))
    return [_route(gateway, *entry) for entry in table]


def _history(gateway: Gateway) -> list[Route]:
    parts = gateway.database, gateway.catalog, gateway.journal, gateway.courier
    api = HistoryApi(*parts, gateway.settings.time_scale)
    table: list[tuple[str, str, web.Handler]] = [
        ("GET", "/events", api.list_events),
        ("GET", "/events/{id}", api.get_event),
        ("GET", "/events/{id}/raw_body", api.get_event_body),
        ("POST", "/events/{id}/retry", api.retry_event),
        ("PUT", "/events/{id}/cancel", api.cancel_event),
        ("GET", "/attempts", api.list_attempts),
        ("GET", "/attempts/{id}", api.get_attempt),
        ("GET", "/requests", api.list_requests),
        ("GET", "/requests/{id}", api.get_request),
        ("GET", "/requests/{id}/raw_body", api.get_request_body),
        ("GET", "/requests/{id}/events", api.list_request_events),
        ("GET", "/requests/{id}/ignored_events", api.list_ignored_events),
        ("POST", "/requests/{id}/retry", api.retry_request),
        ("POST", "/bulk/events/retry", api.create_bulk_retry),
        ("GET", "/bulk/events/retry/{id}", api.get_bulk_retry),
    ]
    return [_route(gateway, *entry) for entry in table]

"""The admin API's handlers: the part of Hookdeck's API that the app and its scripts use."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from starlette.requests import Request

from localcloud.hookdeck import api_inputs, listing, serializers
from localcloud.hookdeck.api_errors import ApiError, not_found
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.database import Database
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.listing import Column, Listing
from localcloud.hookdeck.models import Event, Json
from localcloud.hookdeck.models import Request as StoredRequest
from localcloud.hookdeck.schema import REQUEST_STATUS, to_event, to_request
from localcloud.hookdeck.web import json_body

# Hookdeck's statuses. Here no event is SCHEDULED, on HOLD or CANCELLED.
STATUSES = ("SCHEDULED", "QUEUED", "HOLD", "SUCCESSFUL", "FAILED", "CANCELLED")
# The requests of a path are found in an index that has nothing else, and not row by row.
_OF_PATH = "IN (SELECT id FROM requests WHERE {})"
EVENTS = Listing(
    "events",
    {
        **{name: Column(name) for name in ("id", "webhook_id", "source_id", "request_id")},
        "destination_id": Column("destination_id"),
        "status": Column("status", STATUSES),
        "path": Column("path", partial=True, within=f"request_id {_OF_PATH}"),
    },
)
REQUESTS = Listing(
    "requests",
    {
        **{name: Column(name) for name in ("id", "source_id", "rejection_cause")},
        "status": Column(REQUEST_STATUS, ("accepted", "rejected")),
        "path": Column("path", partial=True, within=f"id {_OF_PATH}"),
    },
)
ATTEMPTS = Listing("attempts", {name: Column(name) for name in ("id", "event_id")})
# Here nothing can be disabled.
_DISABLED = Column("'false'", ("true", "false"))
_OF_CONNECTIONS = ("id", "name", "source_id", "destination_id")
CONNECTIONS = Listing(
    "connections", {**{name: Column(name) for name in _OF_CONNECTIONS}, "disabled": _DISABLED}
)
SOURCES = Listing("sources", {"id": Column("id"), "name": Column("name"), "disabled": _DISABLED})


class AdminApi:
    """Handlers. Each takes the HTTP request and returns the JSON to answer."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        journal: Journal,
        courier: Courier,
        base_url: str,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._journal = journal
        self._courier = courier
        self._base_url = base_url

    async def upsert_connection(self, request: Request) -> Json:
        """PUT /connections: create a connection, or change the one with its source and name."""
        given = api_inputs.parse(api_inputs.ConnectionIn, await json_body(request))
        return serializers.connection(await self._catalog.upsert(given), self._base_url)

    async def list_connections(self, request: Request) -> Json:
        """GET /connections."""
        known = self._catalog.connections

        def to_json(row: sqlite3.Row) -> Json:
            return serializers.connection(known[row["id"]], self._base_url)

        return await self._list(request, CONNECTIONS, to_json)

    async def list_sources(self, request: Request) -> Json:
        """GET /sources."""
        known = self._catalog.sources

        def to_json(row: sqlite3.Row) -> Json:
            return serializers.source(known[row["id"]], self._base_url)

        return await self._list(request, SOURCES, to_json)

    async def list_events(self, request: Request) -> Json:
        """GET /events."""
        return await self._list(request, EVENTS, lambda row: serializers.event(to_event(row)))

    async def get_event(self, request: Request) -> Json:
        """GET /events/{id}: an event without its data."""
        return serializers.event(self._known(request.path_params["id"]))

    async def list_request_events(self, request: Request) -> Json:
        """GET /requests/{id}/events."""
        of = {"request_id": self._request(request).id}
        return await self._list(request, EVENTS, lambda row: serializers.event(to_event(row)), of)

    async def list_attempts(self, request: Request) -> Json:
        """GET /attempts."""
        return await self._list(request, ATTEMPTS, serializers.attempt)

    async def list_requests(self, request: Request) -> Json:
        """GET /requests."""
        return await self._list(request, REQUESTS, lambda row: serializers.request(to_request(row)))

    async def get_request(self, request: Request) -> Json:
        """GET /requests/{id}: a request, with its data as long as its body is kept."""
        stored = self._request(request)
        answer = serializers.request(stored)
        if not self._journal.has_body(stored.id):
            return answer
        body = await self._journal.body(stored.id)
        return {**answer, "data": serializers.request_data(stored, body)}

    async def get_request_body(self, request: Request) -> Json:
        """GET /requests/{id}/raw_body."""
        stored = self._replayable(self._request(request).id)
        return {"body": (await self._journal.body(stored)).decode("utf-8", "replace")}

    async def retry_request(self, request: Request) -> Json:
        """POST /requests/{id}/retry: new events for the request's connections."""
        stored = self._request(request)
        wanted = api_inputs.parse(api_inputs.RequestRetryIn, await json_body(request, default={}))
        if stored.rejection_cause is not None:
            raise ApiError(422, f"The request was rejected: {stored.rejection_cause}")
        self._replayable(stored.id)
        connections = [
            item
            for item in self._catalog.connections_of(stored.source_id)
            if not wanted.webhook_ids or item.id in wanted.webhook_ids
        ]
        if not connections:
            raise ApiError(422, "The request's source has no such connection")
        due = await self._journal.replay(stored, connections)
        self._courier.schedule(due)
        events = [serializers.event(self._known(item.event_id)) for item in due]
        return {"request": serializers.request(self._request(request)), "events": events}

    async def retry_event(self, request: Request) -> Json:
        """POST /events/{id}/retry: one more attempt of the event, now."""
        event = self._known(request.path_params["id"])
        self._replayable(event.request_id)
        self._courier.schedule(await self._journal.requeue(event))
        return serializers.event(self._known(event.id))

    async def retry_events(self, request: Request) -> Json:
        """POST /bulk/events/retry: one more attempt of each event that the query selects, now."""
        query = api_inputs.parse(api_inputs.BulkRetryIn, await json_body(request, default={})).query
        due = await self._journal.requeue_all(listing.where(EVENTS, query))
        self._courier.schedule(due)
        return serializers.bulk_retry(query, len(due))

    async def _list(
        self,
        request: Request,
        what: Listing,
        to_json: Callable[[sqlite3.Row], Json],
        extra: Json | None = None,
    ) -> Json:
        given = listing.filters(request.query_params.multi_items())
        paging, rest = listing.split_paging(given)
        condition = listing.where(what, {**rest, **(extra or {})})
        return await self._database.lists(
            lambda db: listing.page(db, what, condition, paging, to_json)
        )

    def _known(self, event_id: str) -> Event:
        event = self._journal.event(event_id)
        if event is None:
            raise not_found("event", event_id)
        return event

    def _request(self, request: Request) -> StoredRequest:
        identifier = request.path_params["id"]
        stored = self._journal.request(identifier)
        if stored is None:
            raise not_found("request", identifier)
        return stored

    def _replayable(self, request_id: str) -> str:
        """The id of a request whose body is still there. Raises ApiError 422."""
        if not self._journal.has_body(request_id):
            raise ApiError(422, "The body of this request is no longer kept")
        return request_id

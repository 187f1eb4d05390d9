"""The admin API's handlers for requests, events, attempts and bulk retries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from starlette.requests import Request

from localcloud.hookdeck import api_inputs, bulk, listing, serializers
from localcloud.hookdeck.api_errors import ApiError, not_found
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.listing import Column, Listing, Where, moment
from localcloud.hookdeck.models import Event, Json, now_ms
from localcloud.hookdeck.models import Request as StoredRequest
from localcloud.hookdeck.planning import plan
from localcloud.hookdeck.schema import to_attempt, to_event, to_request
from localcloud.hookdeck.web import json_body

STATUSES = ("SCHEDULED", "QUEUED", "HOLD", "SUCCESSFUL", "FAILED", "CANCELLED")
_REQUEST_STATUS = "iif(rejection_cause IS NULL, 'accepted', 'rejected')"
EVENTS = Listing(
    "events",
    {
        "status": Column("status", listing.one_of(*STATUSES)),
        **{name: Column(name) for name in ("id", "webhook_id", "destination_id")},
        **{name: Column(name) for name in ("source_id", "error_code", "bulk_retry_id")},
        **{name: Column(name, int) for name in ("attempts", "response_status")},
        **{name: Column(name, moment) for name in ("created_at", "successful_at")},
        **{name: Column(name, moment) for name in ("last_attempt_at", "next_attempt_at")},
        "event_data_id": Column("data_id"),
        "request_id": Column("request_id"),
        "path": Column("(SELECT path FROM requests WHERE id = events.request_id)", partial=True),
    },
)
REQUESTS = Listing(
    "requests",
    {
        "id": Column("id"),
        "source_id": Column("source_id"),
        "status": Column(_REQUEST_STATUS, listing.one_of("accepted", "rejected")),
        "rejection_cause": Column("rejection_cause"),
        "verified": Column("verified", listing.flag),
        **{name: Column(name, int) for name in ("events_count", "ignored_count")},
        "created_at": Column("created_at", moment),
        "ingested_at": Column("created_at", moment),
        "path": Column("path", partial=True),
    },
    {"created_at": "created_at", "ingested_at": "created_at"},
)
ATTEMPTS = Listing("attempts", {"id": Column("id"), "event_id": Column("event_id")})
IGNORED = Listing("ignored_events", {"id": Column("id"), "request_id": Column("request_id")})


class HistoryApi:
    """Handlers. Each takes the HTTP request and returns the JSON to answer."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        journal: Journal,
        courier: Courier,
        time_scale: float,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._journal = journal
        self._courier = courier
        self._time_scale = time_scale

    async def list_events(self, request: Request) -> Json:
        """GET /events."""
        return self._list_events(request, {})

    async def list_request_events(self, request: Request) -> Json:
        """GET /requests/{id}/events."""
        return self._list_events(request, {"request_id": self._request(request).id})

    async def get_event(self, request: Request) -> Json:
        """GET /events/{id}: an event with its data."""
        return self._event_with_data(self._event(request))

    async def get_event_body(self, request: Request) -> Json:
        """GET /events/{id}/raw_body."""
        return _raw_body(self._request_of(self._event(request)))

    async def retry_event(self, request: Request) -> Json:
        """POST /events/{id}/retry: one more attempt of the event, now."""
        event = self._event(request)
        if event.webhook_id not in self._catalog.connections:
            raise ApiError(422, "The event's connection was deleted")
        event = await self._journal.requeue(event.id, "MANUAL")
        self._courier.schedule(self._journal.due(event))
        return serializers.event(event)

    async def cancel_event(self, request: Request) -> Json:
        """PUT /events/{id}/cancel: no further attempt."""
        event = self._event(request)
        if event.status == "SUCCESSFUL":
            raise ApiError(422, "The event has already been delivered")
        return serializers.event(await self._journal.cancel(event.id))

    async def list_attempts(self, request: Request) -> Json:
        """GET /attempts."""
        return self._list(request, ATTEMPTS, lambda row: serializers.attempt(to_attempt(row)))

    async def get_attempt(self, request: Request) -> Json:
        """GET /attempts/{id}."""
        identifier = request.path_params["id"]
        query = "SELECT * FROM attempts WHERE id = ?"
        row = self._database.reader.execute(query, (identifier,)).fetchone()
        if row is None:
            raise not_found("attempt", identifier)
        return serializers.attempt(to_attempt(row))

    async def list_requests(self, request: Request) -> Json:
        """GET /requests."""
        with_data = request.query_params.get("include") == "data"
        return self._list(
            request,
            REQUESTS,
            lambda row: serializers.request(to_request(row), with_data=with_data),
        )

    async def get_request(self, request: Request) -> Json:
        """GET /requests/{id}: a request with its data."""
        return serializers.request(self._request(request), with_data=True)

    async def get_request_body(self, request: Request) -> Json:
        """GET /requests/{id}/raw_body."""
        return _raw_body(self._request(request))

    async def list_ignored_events(self, request: Request) -> Json:
        """GET /requests/{id}/ignored_events."""
        extra = {"request_id": self._request(request).id}
        return self._list(request, IGNORED, serializers.ignored_event, extra)

    async def retry_request(self, request: Request) -> Json:
        """POST /requests/{id}/retry: new events for the request's connections."""
        stored = self._request(request)
        wanted = api_inputs.parse(api_inputs.RequestRetryIn, await json_body(request, default={}))
        if stored.rejection_cause in {"VERIFICATION_FAILED", "PAYLOAD_TOO_LARGE"}:
            raise ApiError(422, f"The request was rejected: {stored.rejection_cause}")
        connections = [
            item
            for item in self._catalog.connections_of(stored.source_id)
            if not wanted.webhook_ids or item.id in wanted.webhook_ids
        ]
        if not connections:
            raise ApiError(422, "The request's source has no such connection")
        result = plan(connections, now_ms(), time_scale=self._time_scale)
        identifiers, due = await self._journal.replay(stored, result)
        self._courier.schedule(due)
        events = [serializers.event(self._journal.known(item)) for item in identifiers]
        return {"request": serializers.request(self._request(request)), "events": events}

    async def create_bulk_retry(self, request: Request) -> Json:
        """POST /bulk/events/retry."""
        given = api_inputs.parse(api_inputs.BulkRetryIn, await json_body(request, default={}))
        condition = listing.where(EVENTS, given.query)
        identifier, due = await bulk.create(self._database, given.query, condition)
        self._courier.schedule(due)
        return bulk.progress(self._database.reader, identifier)

    async def get_bulk_retry(self, request: Request) -> Json:
        """GET /bulk/events/retry/{id}."""
        return bulk.progress(self._database.reader, request.path_params["id"])

    def _list_events(self, request: Request, extra: Json) -> Json:
        with_data = request.query_params.get("include") == "data"

        def to_json(row: sqlite3.Row) -> Json:
            event = to_event(row)
            return self._event_with_data(event) if with_data else serializers.event(event)

        return self._list(request, EVENTS, to_json, extra)

    def _list(
        self,
        request: Request,
        what: Listing,
        to_json: Callable[[sqlite3.Row], Json],
        extra: Json | None = None,
    ) -> Json:
        given = listing.filters(request.query_params.multi_items())
        given.pop("include", None)
        paging, rest = listing.split_paging(what, given)
        condition: Where = listing.where(what, {**rest, **(extra or {})})
        return listing.page(self._database.reader, what, condition, paging, to_json)

    def _event(self, request: Request) -> Event:
        event = self._journal.event(request.path_params["id"])
        if event is None:
            raise not_found("event", request.path_params["id"])
        return event

    def _request(self, request: Request) -> StoredRequest:
        return self._stored(request.path_params["id"])

    def _request_of(self, event: Event) -> StoredRequest:
        return self._stored(event.request_id)

    def _stored(self, identifier: str) -> StoredRequest:
        stored = self._journal.request(identifier)
        if stored is None:
            raise not_found("request", identifier)
        return stored

    def _event_with_data(self, event: Event) -> Json:
        destination = self._catalog.destinations[event.destination_id]
        data = serializers.event_data(self._request_of(event), destination)
        return {**serializers.event(event), "data": data}


def _raw_body(stored: StoredRequest) -> Json:
    return {"body": stored.received.body.decode("utf-8", "replace")}

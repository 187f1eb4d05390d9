"""The admin API's handlers for connections, sources and destinations."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.requests import Request

from localcloud.hookdeck import api_inputs, listing, serializers
from localcloud.hookdeck.api_errors import not_found
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.delivery import Courier
from localcloud.hookdeck.group_commit import Database
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.listing import Column, Listing
from localcloud.hookdeck.models import Endpoint, Json
from localcloud.hookdeck.schema import to_endpoint
from localcloud.hookdeck.web import Handler, json_body

_ORDERS = {"created_at": "created_at", "updated_at": "updated_at", "name": "name"}
_ENDPOINT = {
    "id": Column("id"),
    "name": Column("name"),
    "type": Column("type"),
    "disabled_at": Column("disabled_at", listing.moment),
}
ENDPOINTS = {table: Listing(table, _ENDPOINT, _ORDERS) for table in ("sources", "destinations")}
CONNECTIONS = Listing(
    "connections",
    {
        "id": Column("id"),
        "name": Column("name"),
        "source_id": Column("source_id"),
        "destination_id": Column("destination_id"),
        "disabled_at": Column("disabled_at", listing.moment),
        "paused_at": Column("paused_at", listing.moment),
    },
    {"created_at": "created_at", "updated_at": "updated_at"},
)


class ConfigurationApi:
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
        return self._connection(await self._catalog.upsert_connection(given))

    async def update_connection(self, request: Request) -> Json:
        """PUT /connections/{id}."""
        given = api_inputs.parse(api_inputs.ConnectionChangeIn, await json_body(request))
        identifier = request.path_params["id"]
        return self._connection(await self._catalog.update_connection(identifier, given))

    async def get_connection(self, request: Request) -> Json:
        """GET /connections/{id}."""
        return self._connection(self._catalog.connection(request.path_params["id"]))

    async def delete_connection(self, request: Request) -> Json:
        """DELETE /connections/{id}."""
        await self._catalog.delete_connection(request.path_params["id"])
        return {"id": request.path_params["id"]}

    async def list_connections(self, request: Request) -> Json:
        """GET /connections."""

        def to_json(row: sqlite3.Row) -> Json:
            return self._connection(self._catalog.connections[row["id"]])

        return self._list(request, CONNECTIONS, to_json)

    def marking(self, table: str, column: str, *, on: bool) -> Handler:
        """The handler for disable, enable, pause and unpause."""

        async def handle(request: Request) -> Json:
            identifier = request.path_params["id"]
            await self._catalog.mark(table, identifier, column, on=on)
            if column == "paused_at" and not on:
                self._courier.schedule(await self._journal.release(identifier))
            if table == "connections":
                return self._connection(self._catalog.connections[identifier])
            return self._endpoint(table, self._one(table, identifier))

        return handle

    def upserting(self, table: str) -> Handler:
        """PUT /sources and /destinations: create one, or change the one with that name."""

        async def handle(request: Request) -> Json:
            given = api_inputs.parse(api_inputs.EndpointIn, await json_body(request))
            return self._endpoint(table, await self._catalog.upsert_endpoint(table, given))

        return handle

    def getting(self, table: str) -> Handler:
        """GET /sources/{id} and /destinations/{id}."""

        async def handle(request: Request) -> Json:
            item = self._one(table, request.path_params["id"])
            with_auth = request.query_params.get("include") == "config.auth"
            return self._endpoint(table, item, with_auth=with_auth)

        return handle

    def listing(self, table: str) -> Handler:
        """GET /sources and /destinations."""

        async def handle(request: Request) -> Json:
            def to_json(row: sqlite3.Row) -> Json:
                return self._endpoint(table, to_endpoint(row))

            return self._list(request, ENDPOINTS[table], to_json)

        return handle

    def _one(self, table: str, identifier: str) -> Endpoint:
        items: dict[str, Endpoint] = getattr(self._catalog, table)
        if identifier not in items:
            raise not_found(table[:-1], identifier)
        return items[identifier]

    def _connection(self, item: Any) -> Json:
        return serializers.connection(item, self._base_url)

    def _endpoint(self, table: str, item: Endpoint, *, with_auth: bool = False) -> Json:
        if table == "sources":
            return serializers.source(item, self._base_url, with_auth=with_auth)
        return serializers.destination(item, with_auth=with_auth)

    def _list(self, request: Request, what: Listing, to_json: Any) -> Json:
        given = listing.filters(request.query_params.multi_items())
        paging, rest = listing.split_paging(what, given)
        disabled = rest.pop("disabled", "false")
        condition = listing.where(what, rest)
        if disabled != "true" and "disabled_at" not in rest:
            condition = listing.Where(f"{condition.sql} AND disabled_at IS NULL", condition.values)
        return listing.page(self._database.reader, what, condition, paging, to_json)

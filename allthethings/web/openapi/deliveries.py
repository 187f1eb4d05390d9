"""The JSON of the gateway's events, attempts and requests, as schemas of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping

from allthethings.web.openapi.terms import COUNT, FLAG, ID, NUMBER, TEXT, TIME, Schema, maybe, obj

DELIVERIES: Mapping[str, Schema] = {
    "Event": obj(
        {
            "id": TEXT,
            "status": TEXT,
            "request_id": TEXT,
            "created_at": TIME,
            "attempts": COUNT,
            "response_status": maybe(COUNT),
            "error_code": maybe(TEXT),
            "last_at": maybe(TIME),
            "next_at": maybe(TIME),
            "successful_at": maybe(TIME),
        }
    ),
    "Attempt": obj(
        {
            "id": TEXT,
            "event_id": TEXT,
            "asset_id": maybe(ID),
            "at": TIME,
            "number": maybe(COUNT),
            "trigger": maybe(TEXT),
            "response_status": maybe(COUNT),
            "successful": FLAG,
            "seconds": maybe(NUMBER),
            "error_code": maybe(TEXT),
        }
    ),
    "Request": obj(
        {
            "id": TEXT,
            "at": TIME,
            "verified": maybe(FLAG),
            "rejection": maybe(TEXT),
            "events": COUNT,
        }
    ),
}

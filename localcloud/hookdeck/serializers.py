"""Turns the models into the objects of Hookdeck's OpenAPI document."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

from localcloud.hookdeck import signing
from localcloud.hookdeck.models import (
    TEAM_ID,
    Attempt,
    Connection,
    Endpoint,
    Event,
    Json,
    Request,
)

# The headers that a delivery adds to the provider's.
_APPENDED = (
    "x-hookdeck-eventid x-hookdeck-requestid x-hookdeck-source-name x-hookdeck-destination-name"
    " x-hookdeck-connection-name x-hookdeck-verified x-hookdeck-attempt-count"
    " x-hookdeck-attempt-trigger x-hookdeck-will-retry-after x-hookdeck-signature idempotency-key"
)
# Bytes above which a body counts as a large payload.
_LARGE_PAYLOAD = 1024 * 1024


def stamp(moment_ms: int | None) -> str | None:
    """Milliseconds as an ISO 8601 time in UTC."""
    if moment_ms is None:
        return None
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def source(item: Endpoint, base_url: str, *, with_auth: bool = False) -> Json:
    """A Source. `with_auth` includes its credentials, as the parameter include=config.auth asks."""
    return {
        **_endpoint(item, with_auth=with_auth),
        "url": f"{base_url}/e/{item.id}",
        "authenticated": bool(item.auth),
    }


def destination(item: Endpoint, *, with_auth: bool = False) -> Json:
    """A Destination. `with_auth` includes its credentials."""
    return _endpoint(item, with_auth=with_auth)


def _endpoint(item: Endpoint, *, with_auth: bool) -> Json:
    hidden = set() if with_auth else {"auth"}
    return {
        "id": item.id,
        "name": item.name,
        "description": item.description,
        "team_id": TEAM_ID,
        "type": item.type,
        "config": {key: value for key, value in item.config.items() if key not in hidden},
        "disabled_at": stamp(item.disabled_at),
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def connection(item: Connection, base_url: str) -> Json:
    """A Connection that contains its source and destination."""
    return {
        "id": item.id,
        "name": item.name,
        "full_name": item.full_name,
        "description": item.description,
        "team_id": TEAM_ID,
        "source": source(item.source, base_url),
        "destination": destination(item.destination),
        "rules": item.rules,
        "disabled_at": stamp(item.disabled_at),
        "paused_at": stamp(item.paused_at),
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def request(item: Request, *, with_data: bool = False) -> Json:
    """A Request. `with_data` includes the received headers and body."""
    answer = {
        "id": item.id,
        "team_id": TEAM_ID,
        "verified": item.verified,
        "original_event_data_id": item.data_id,
        "rejection_cause": item.rejection_cause,
        "ingested_at": stamp(item.created_at),
        "source_id": item.source_id,
        "events_count": item.events_count,
        "cli_events_count": 0,
        "ignored_count": item.ignored_count,
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }
    return {**answer, "data": _data(item)} if with_data else answer


def event(item: Event) -> Json:
    """An Event without its data."""
    return {
        "id": item.id,
        "team_id": TEAM_ID,
        "webhook_id": item.webhook_id,
        "source_id": item.source_id,
        "destination_id": item.destination_id,
        "event_data_id": item.data_id,
        "request_id": item.request_id,
        "attempts": item.attempts,
        "last_attempt_at": stamp(item.last_attempt_at),
        "next_attempt_at": stamp(item.next_attempt_at),
        "response_status": item.response_status,
        "error_code": item.error_code,
        "status": item.status,
        "successful_at": stamp(item.successful_at),
        "cli_id": None,
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def event_data(item: Request, target: Endpoint) -> Json:
    """The EventData of an event that delivers this request to this destination."""
    received = item.received
    if target.type == "HTTP":
        url = signing.destination_url(target, received.path, received.query)
    else:
        url = target.config.get("path", "")
    method = target.config.get("http_method") or received.method
    return {"url": url, "method": method, **_data(item), "appended_headers": _APPENDED.split()}


def _data(item: Request) -> Json:
    received = item.received
    return {
        "path": received.path or "/",
        "query": received.query,
        "parsed_query": signing.parsed_query(received.query),
        "headers": dict(received.headers),
        "body": _body(received.body, (dict, list)),
        "is_large_payload": len(received.body) > _LARGE_PAYLOAD,
    }


def attempt(item: Attempt) -> Json:
    """An EventAttempt."""
    answer = item.answer
    answered = answer.responded_at if answer.response_status is not None else None
    took = answer.responded_at - answer.requested_at
    return {
        "id": item.id,
        "team_id": TEAM_ID,
        "event_id": item.event_id,
        "destination_id": item.destination_id,
        "response_status": answer.response_status,
        "attempt_number": item.number,
        "trigger": item.trigger,
        "error_code": answer.error_code,
        "body": None if answer.body is None else _body(answer.body.encode(), (dict,)),
        "requested_url": item.requested_url,
        "http_method": item.http_method,
        "bulk_retry_id": item.bulk_retry_id,
        "status": "SUCCESSFUL" if answer.successful else "FAILED",
        "successful_at": stamp(answer.responded_at) if answer.successful else None,
        "delivered_at": stamp(answered),
        "responded_at": stamp(answered),
        "delivery_latency": took if answered else None,
        "response_latency": took if answered else None,
        "updated_at": stamp(answer.responded_at),
        "created_at": stamp(answer.requested_at),
    }


def _body(body: bytes, shown_as_json: tuple[type, ...]) -> Any:
    """The body as JSON if it is JSON of one of these types, else as text."""
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(body)
        json.dumps(parsed, allow_nan=False)
    except (ValueError, RecursionError):  # not JSON, not a JSON number, or nested too deep
        return text
    return parsed if isinstance(parsed, shown_as_json) else text


def ignored_event(row: sqlite3.Row) -> Json:
    """An IgnoredEvent from its row."""
    return {
        "id": row["id"],
        "team_id": TEAM_ID,
        "webhook_id": row["webhook_id"],
        "cause": row["cause"],
        "request_id": row["request_id"],
        "meta": json.loads(row["meta"]) if row["meta"] else None,
        "created_at": stamp(row["created_at"]),
    }

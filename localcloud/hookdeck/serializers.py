"""Turns the models into the objects of Hookdeck's OpenAPI document."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from localcloud.hookdeck.models import (
    TEAM_ID,
    Connection,
    Endpoint,
    Event,
    Json,
    Request,
    new_id,
    now_ms,
)

# Bytes above which a body counts as a large payload.
_LARGE_PAYLOAD = 1024 * 1024


def stamp(moment_ms: int | None) -> str | None:
    """Milliseconds as an ISO 8601 time in UTC."""
    if moment_ms is None:
        return None
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connection(item: Connection, base_url: str) -> Json:
    """A Connection that contains its source and destination, without credentials."""
    return {
        "id": item.id,
        "name": item.name,
        "full_name": f"{item.source.name} -> {item.name}",
        "description": None,
        "team_id": TEAM_ID,
        "source": source(item.source, base_url),
        "destination": _endpoint(item.destination),
        "rules": item.rules,
        "disabled_at": None,
        "paused_at": None,
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def source(item: Endpoint, base_url: str) -> Json:
    """A Source without its credentials."""
    url = f"{base_url}/e/{item.id}"
    return {**_endpoint(item), "url": url, "authenticated": bool(item.auth)}


def _endpoint(item: Endpoint) -> Json:
    return {
        "id": item.id,
        "name": item.name,
        "description": None,
        "team_id": TEAM_ID,
        "type": item.type,
        "config": {key: value for key, value in item.config.items() if key != "auth"},
        "disabled_at": None,
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def request(item: Request) -> Json:
    """A Request without its data."""
    return {
        "id": item.id,
        "team_id": TEAM_ID,
        "verified": item.verified,
        "original_event_data_id": item.data_id,
        "rejection_cause": item.rejection_cause,
        "ingested_at": stamp(item.created_at),
        "source_id": item.source_id,
        "events_count": item.events_count,
        "cli_events_count": 0,
        "ignored_count": 0,
        "updated_at": stamp(item.updated_at),
        "created_at": stamp(item.created_at),
    }


def request_data(item: Request, body: bytes) -> Json:
    """The ShortEventData of a request."""
    return {
        "path": item.path or "/",
        "query": item.query,
        "parsed_query": dict(parse_qsl(item.query, keep_blank_values=True)),
        "headers": dict(item.headers),
        "body": _shown(body),
        "is_large_payload": len(body) > _LARGE_PAYLOAD,
    }


def _shown(body: bytes) -> Any:
    """The body as JSON if it is a JSON object or array, else as text."""
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(body)
        json.dumps(parsed, allow_nan=False)
    except (ValueError, RecursionError):  # not JSON, not a JSON number, or nested too deep
        return text
    return parsed if isinstance(parsed, dict | list) else text


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


def attempt(row: sqlite3.Row) -> Json:
    """An EventAttempt. The destination's body is not kept."""
    began, ended = row["created_at"], row["updated_at"]
    answered = ended if row["response_status"] is not None else None
    took = ended - began if answered else None
    names = ("id", "event_id", "destination_id", "response_status", "trigger", "error_code")
    return {
        **{name: row[name] for name in (*names, "requested_url", "http_method")},
        "team_id": TEAM_ID,
        "attempt_number": row["number"],
        "body": None,
        "bulk_retry_id": None,
        "status": "SUCCESSFUL" if row["successful"] else "FAILED",
        "successful_at": stamp(ended) if row["successful"] else None,
        "delivered_at": stamp(answered),
        "responded_at": stamp(answered),
        "delivery_latency": took,
        "response_latency": took,
        "updated_at": stamp(ended),
        "created_at": stamp(began),
    }


def bulk_retry(query: Json, count: int) -> Json:
    """A BatchOperation of events that have just been queued."""
    now = stamp(now_ms())
    return {
        "id": new_id("bch"),
        "team_id": TEAM_ID,
        "type": "EVENT_RETRY",
        "query": query,
        "created_at": now,
        "updated_at": now,
        "estimated_count": count,
        "in_progress": count > 0,
    }

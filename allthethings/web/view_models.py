"""How things look to a template and to a client that asks for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import request
from markupsafe import Markup

from allthethings.assets.asset import Asset
from allthethings.pipeline.attempts import MAX_ATTEMPTS
from allthethings.processors import processor_class

# What a link to a moment says before the time, by the HTML element that plays the original.
PLAY_FROM = {"audio": "Listen from", "video": "Watch from"}


def wants_json() -> bool:
    """Whether the client asks for JSON rather than for a page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def base_of(app_url: str) -> str:
    """Where the app is known, without a slash at the end; where the request found it, if nobody
    has said that."""
    return app_url or request.host_url.rstrip("/")


def number_of(name: str, default: int, largest: int) -> int:
    """A whole number of the query string, brought between 1 and `largest`."""
    value = request.args.get(name, "")
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default
    return min(max(1, number), largest)


def listed(asset: Asset) -> dict[str, Any]:
    """The thing as JSON, without its text."""
    return {
        "id": asset.id,
        "url": asset.url,
        "title": asset.title,
        "content_type": asset.content_type,
        "content_length": asset.content_length,
        "status": asset.status.value,
        "error": asset.error,
        "error_code": asset.error_code,
        "retryable": asset.retryable,
        "attempt": asset.attempt,
        "max_attempts": MAX_ATTEMPTS,
        "next_attempt_at": asset.next_attempt_at and asset.next_attempt_at.isoformat(),
        "created_at": asset.created_at.isoformat(),
        "updated_at": asset.updated_at.isoformat(),
    }


def shown(asset: Asset) -> dict[str, Any]:
    """The thing as the templates want it."""
    parts = urlsplit(asset.url)
    processor = processor_class(asset.content_type)
    last_part = parts.path.rstrip("/").rpartition("/")[2]
    return {
        **listed(asset),
        "created_at": asset.created_at,
        "updated_at": asset.updated_at,
        "host": parts.netloc,
        "name": asset.title or last_part or parts.netloc,
        "kind": processor.kind,
        "mark": Markup(processor.mark),  # noqa: S704 - an SVG of our own
        "player": processor.player,
        "play_from": PLAY_FROM.get(processor.player or "", "From"),
        "text_name": processor.words.text,
        "finished": asset.finished,
        "failed": asset.failed,
        "text": asset.text,
    }


def entry_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a thing's history as JSON."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in entry.items()
    }

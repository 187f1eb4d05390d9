"""How things look to a template and to a client that asks for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import g, request, url_for
from markupsafe import Markup

from allthethings.assets.asset import Asset
from allthethings.assets.languages import is_served_badly, name_of
from allthethings.assets.members import archive_name, is_member
from allthethings.assets.names import readable_name
from allthethings.pipeline.attempts import MAX_ATTEMPTS
from allthethings.processors import processor_class
from allthethings.search.syntax import FIELDS

# What a link to a moment says before the time, by the HTML element that plays the original.
PLAY_FROM = {"audio": "Listen from", "video": "Watch from"}


def wants_json() -> bool:
    """Whether the client asks for JSON rather than for a page. Where it does not say, a script with
    a token gets JSON, and a browser a page."""
    given = request.authorization
    types = ["text/html", "application/json"]
    if given is not None and given.type == "bearer":
        types.reverse()
    return request.accept_mimetypes.best_match(types, types[0]) == "application/json"


def base_of(app_url: str) -> str:
    """Where the app is known, without a slash at the end; where the request found it, if nobody
    has said that."""
    return app_url or request.host_url.rstrip("/")


def number_of(name: str, default: int, largest: int) -> int:
    """A whole number of the query string, brought between 1 and `largest`."""
    value = request.args.get(name, "")
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default
    return min(max(1, number), largest)


def asked_of_search() -> dict[str, str]:
    """What the address of this page has of a search: its query, with filters and page number;
    nothing without a query."""
    kept: dict[str, str] | None = g.get("asked_of_search")
    if kept is None:  # each passage of a page asks for it
        given = {name: request.args.get(name, "").strip() for name in ("query", *FIELDS, "page")}
        kept = {name: value for name, value in given.items() if value and given["query"]}
        g.asked_of_search = kept
    return kept


def page_at(asset_id: str, position: int) -> str:
    """The address of a thing's page at a passage. It keeps the search, so that the page marks its
    words and leads back to its results."""
    kept: Mapping[str, Any] = asked_of_search()
    anchor = f"p{position}"
    return url_for("assets.show", asset_id=asset_id, **kept, at=position, _anchor=anchor)


def listed(asset: Asset) -> dict[str, Any]:
    """The thing as JSON, without its text."""
    return {
        "id": asset.id,
        "url": asset.url,
        "title": asset.title,
        "author": asset.author,
        "dated": asset.dated,
        "duration": asset.duration,
        "language": asset.language,
        "remark": asset.remark,
        "video_url": asset.video_url,
        "picture": url_for("assets.picture", asset_id=asset.id) if asset.picture_size else None,
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
        "looks": _looks(asset),
    }


def _looks(asset: Asset) -> dict[str, Any]:
    """What looks at a thing have found, and when it is looked at next, as JSON."""
    chosen = {"schedule": asset.schedule or "default", "next_at": asset.look_again_at}
    return entry_of({**chosen, **asset.looks.stored(), "revision": asset.revision or 0})


def shown(asset: Asset) -> dict[str, Any]:
    """The thing as the templates want it."""
    parts = urlsplit(asset.url)
    processor = processor_class(asset.content_type)
    return {
        **listed(asset),
        "created_at": asset.created_at,
        "updated_at": asset.updated_at,
        "host": parts.netloc,
        "picture_size": asset.picture_size,
        "name": asset.title or readable_name(asset.url),
        "kind": processor.kind,
        "mark": Markup(processor.mark),  # noqa: S704 - an SVG of our own
        "player": None if is_member(asset.url) else processor.player,
        "member": is_member(asset.url),
        "of_video": processor.of_video,
        "source": source_of(asset),
        "archive_name": archive_name(asset.url),
        "has_members": processor.has_members,
        "play_from": play_from(asset),
        "text_name": processor.words.text,
        "language_name": name_of(asset.language) if asset.language else None,
        "served_badly": is_served_badly(asset.language),
        "finished": asset.finished,
        "failed": asset.failed,
        "text": asset.text,
    }


def source_of(asset: Asset) -> str | None:
    """The address of the recording or the video to whose seconds links may lead."""
    plays = processor_class(asset.content_type).player and not is_member(asset.url)
    return asset.video_url or (asset.url if plays else None)


def play_from(asset: Asset) -> str:
    """What a link to a moment says before the time."""
    player = "video" if asset.video_url else processor_class(asset.content_type).player
    return PLAY_FROM.get(player or "", "From")


def entry_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a thing's history as JSON."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in entry.items()
    }

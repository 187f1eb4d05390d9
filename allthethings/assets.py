"""A thing that was submitted, and the states it goes through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from url_normalize import url_normalize

from allthethings.errors import BadInput

MAX_URL_LENGTH = 2_000
NO_URL = "Enter the URL of a thing to index."
_ID = re.compile(r"[0-9a-f]{24}")


class AssetStatus(StrEnum):
    """The tutorial's statuses."""

    SUBMITTED = "SUBMITTED"
    PROCESSING = "PROCESSING"
    PROCESSED = "PROCESSED"
    GENERATING_EMBEDDINGS = "GENERATING_EMBEDDINGS"
    SEARCHABLE = "SEARCHABLE"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    EMBEDDINGS_ERROR = "EMBEDDINGS_ERROR"


S = AssetStatus

FAILED = frozenset({S.PROCESSING_ERROR, S.EMBEDDINGS_ERROR})
FINISHED = FAILED | {S.SEARCHABLE}
UNFINISHED = frozenset(AssetStatus) - FINISHED

# A callback may overtake the record of the request that caused it, so each state can be
# reached from before that record too.
COMES_FROM: Mapping[AssetStatus, frozenset[AssetStatus]] = MappingProxyType(
    {
        S.PROCESSING: frozenset({S.SUBMITTED}),
        S.PROCESSED: frozenset({S.SUBMITTED, S.PROCESSING}),
        S.GENERATING_EMBEDDINGS: frozenset({S.PROCESSED}),
        S.SEARCHABLE: frozenset({S.PROCESSED, S.GENERATING_EMBEDDINGS}),
        S.PROCESSING_ERROR: frozenset({S.SUBMITTED, S.PROCESSING}),
        S.EMBEDDINGS_ERROR: frozenset({S.PROCESSED, S.GENERATING_EMBEDDINGS}),
    }
)


@dataclass(frozen=True)
class Asset:
    """One thing. `id` is 24 hex digits; times are UTC; `content_length` is bytes, if told;
    `segments` are as transcripts.pack makes them; nobody takes it up before `lease_until`;
    `number` is its place in the order in which things came; `tries` counts how often it was begun
    again, None: never."""

    id: str
    url: str
    status: AssetStatus
    content_type: str
    content_length: int | None
    created_at: datetime
    updated_at: datetime
    title: str | None = None
    text: str | None = None
    error: str | None = None
    replicate_process_id: str | None = None
    replaced_process_ids: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = field(default=())
    deliveries: tuple[Mapping[str, Any], ...] = field(default=())
    segments: bytes | None = field(default=None, repr=False)
    lease_until: datetime | None = None
    number: int | None = None
    tries: int | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in FINISHED

    @property
    def failed(self) -> bool:
        return self.status in FAILED

    @property
    def cancelled(self) -> bool:
        """Whether a person ended it. Needs the history."""
        return self.failed and bool(self.history) and bool(self.history[-1].get("cancelled"))

    def awaits(self, prediction_id: str) -> bool:
        """Whether this may be the prediction of its text: its own, or one that came back before
        its id was noted; not one that was given up."""
        if self.replicate_process_id is not None:
            return self.replicate_process_id == prediction_id
        return prediction_id not in self.replaced_process_ids


def is_asset_id(text: str) -> bool:
    """Whether it is written as the ids of assets are."""
    return _ID.fullmatch(text) is not None


def clean_url(text: str) -> str:
    """The URL as it is asked for: trimmed, with a lower-case scheme, without fragment.

    Raises BadInput for what is not an http or https URL.
    """
    url = text.strip()
    if not url:
        raise BadInput(NO_URL)
    if len(url) > MAX_URL_LENGTH:
        raise BadInput(f"This URL is longer than {MAX_URL_LENGTH:,} characters.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise BadInput("A URL has no spaces or control characters in it.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"This is not a URL: {error}.") from error
    if parts.scheme and parts.scheme not in ("http", "https") and "://" in url:
        raise BadInput(f"Only http and https URLs can be indexed, not {parts.scheme}:.")
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput("This is not a URL: it should look like https://example.com/talk.mp3.")
    return urlunsplit(parts._replace(fragment=""))


def url_key(url: str) -> str:
    """The one spelling of all the spellings of a URL; a unique index on it decides 'the same'.

    Scheme and host in lower case and IDNA form, no default port, no dot segments, one form of
    percent-encoding, no fragment, no dot at the end of the host (RFC 3986, section 6.2).
    """
    try:
        parts = urlsplit(url_normalize(url) or url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except (ValueError, UnicodeError) as error:
        raise BadInput(f"This is not a URL: {error}.") from error
    bracketed = f"[{host}]" if ":" in host else host
    default_port = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = bracketed if port in (None, default_port) else f"{bracketed}:{port}"
    if "@" in parts.netloc:
        netloc = f"{parts.netloc.rpartition('@')[0]}@{netloc}"
    return urlunsplit(parts._replace(netloc=netloc, path=parts.path or "/", fragment=""))

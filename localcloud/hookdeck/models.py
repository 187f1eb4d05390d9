"""What the gateway knows: sources, destinations, connections, requests, events, attempts.

Times are milliseconds since the epoch, in UTC; they become ISO strings only in answers.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any

from localcloud.hookdeck.rules import Ruleset

TEAM_ID = "tm_local"
_ALPHABET = string.ascii_letters + string.digits

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]


def new_id(prefix: str) -> str:
    """A fresh identifier such as `evt_5fY...` (20 random letters and digits)."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(20))


def now_ms() -> int:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Endpoint:
    """A source or a destination. `config` is the object that the API took, secrets included."""

    id: str
    name: str
    type: str
    description: str | None
    config: Json
    disabled_at: int | None
    created_at: int
    updated_at: int

    @property
    def auth(self) -> Json:
        """The credentials in the configuration; empty when there are none."""
        return self.config.get("auth") or {}


@dataclass(frozen=True)
class Connection:
    """A source bound to a destination by rules; `ruleset` is `rules` made ready to apply."""

    id: str
    name: str | None
    description: str | None
    source: Endpoint
    destination: Endpoint
    rules: list[Json]
    ruleset: Ruleset
    disabled_at: int | None
    paused_at: int | None
    created_at: int
    updated_at: int

    @property
    def full_name(self) -> str:
        """The name as lists show it: source, then connection (or destination)."""
        return f"{self.source.name} -> {self.name or self.destination.name}"


@dataclass(frozen=True)
class Received:
    """One HTTP request at a source's URL.

    `path` and `query` are what followed the source's URL, still percent-encoded; `path` is
    empty or begins with a slash. Header values are the bytes received, read as Latin-1.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of the header called `name` (lower case), if it was sent."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True)
class Request:
    """A received request as it is kept."""

    id: str
    source_id: str
    data_id: str
    received: Received
    verified: bool | None
    rejection_cause: str | None
    events_count: int
    ignored_count: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Event:
    """One delivery of one request over one connection.

    `due_at` is when the next attempt is to be made (None: no attempt is to come) and
    `trigger` what it will be called; `next_attempt_at` is the automatic schedule alone, which
    a manual retry leaves as it is. `turn` grows with every change of the schedule that is not
    an attempt's own, so that an attempt under way can tell that it was overtaken.
    """

    id: str
    request_id: str
    data_id: str
    webhook_id: str
    source_id: str
    destination_id: str
    status: str
    attempts: int
    automatic_retries: int
    response_status: int | None
    error_code: str | None
    trigger: str
    turn: int
    due_at: int | None
    next_attempt_at: int | None
    last_attempt_at: int | None
    successful_at: int | None
    bulk_retry_id: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Answer:
    """How a destination answered one attempt: a status, or else an error code."""

    requested_at: int
    responded_at: int
    response_status: int | None = None
    error_code: str | None = None
    body: str | None = None
    retry_after: str | None = None

    @property
    def successful(self) -> bool:
        """Whether the destination took the event: any status from 200 to 299."""
        return self.response_status is not None and 200 <= self.response_status <= 299


@dataclass(frozen=True)
class Attempt:
    """One attempt as it is kept."""

    id: str
    event_id: str
    destination_id: str
    number: int
    trigger: str
    requested_url: str
    http_method: str
    bulk_retry_id: str | None
    answer: Answer


@dataclass(frozen=True)
class Planned:
    """An event about to be created. With a `dedupe_key`, only if none like it is recent."""

    connection: Connection
    status: str
    due_at: int | None
    next_attempt_at: int | None = None
    dedupe_key: str | None = None


@dataclass(frozen=True)
class Ignored:
    """A connection that makes no event of a request, and why."""

    connection: Connection
    cause: str
    meta: list[str] | None = None


@dataclass(frozen=True)
class Plan:
    """What a request leads to, connection by connection."""

    events: list[Planned] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

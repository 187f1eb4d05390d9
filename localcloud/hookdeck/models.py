"""The gateway's data: sources, destinations, connections, requests, events and attempts.

Times are milliseconds since the epoch. The serializers turn them into ISO 8601 strings.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from typing import Any

from localcloud.hookdeck.rules import RetryRule

# The id of the only team, which Hookdeck's objects name.
TEAM_ID = "tm_local"
_ALPHABET = string.ascii_letters + string.digits

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]


def new_id(prefix: str) -> str:
    """A new identifier such as `evt_5fY...`, with 20 random letters and digits."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(20))


def now_ms() -> int:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Endpoint:
    """A source or a destination. `config` is as the API received it, with its secrets."""

    id: str
    name: str
    type: str
    config: Json
    created_at: int
    updated_at: int

    @property
    def auth(self) -> Json:
        """The credentials in the configuration; empty if there are none."""
        return self.config.get("auth") or {}


@dataclass(frozen=True)
class Connection:
    """A source connected to a destination. `retry` is the parsed form of `rules`."""

    id: str
    name: str
    source: Endpoint
    destination: Endpoint
    rules: list[Json]
    retry: RetryRule | None
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Request:
    """One HTTP request at a source's URL, without its body.

    `path` and `query` are the percent-encoded rest of the URL after the source's; `path` is empty
    or begins with a slash. Header values are decoded as Latin-1.
    """

    id: str
    source_id: str
    data_id: str
    method: str
    path: str
    query: str
    headers: Headers
    verified: bool | None
    rejection_cause: str | None
    events_count: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Event:
    """The delivery of one request over one connection.

    `due_at` is the time of the next attempt, None if there is none, and `trigger` its cause.
    `next_attempt_at` is the time of the next automatic attempt, which a manual retry does not
    change. `turn` is incremented by every change of the schedule from outside an attempt, so that
    an attempt in progress can detect it.
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
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Answer:
    """The result of one attempt: the destination's status, or an error code without one."""

    requested_at: int
    responded_at: int
    response_status: int | None = None
    error_code: str | None = None
    retry_after: str | None = None

    @property
    def successful(self) -> bool:
        """Whether the response status is from 200 to 299."""
        return self.response_status is not None and 200 <= self.response_status <= 299


@dataclass(frozen=True)
class Attempt:
    """A stored attempt."""

    id: str
    event_id: str
    destination_id: str
    number: int
    trigger: str
    requested_url: str
    http_method: str
    answer: Answer


@dataclass(frozen=True, order=True)
class Due:
    """An event whose next attempt is due at `at`."""

    at: int
    event_id: str
    destination_id: str

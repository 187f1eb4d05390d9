"""Callbacks on their way through the gateway: what a delivery's headers say of it, and the
gateway's own records of requests, events and attempts as small typed values.

The shapes are those of Hookdeck's API of 2025-07-01; a bad one is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allthethings.errors import ServiceUnavailable
from allthethings.hookdeck.signatures import Headers

LONGEST = 100
"""Letters of an id or a word of the gateway's that are kept."""
TRIGGERS = {
    "INITIAL": "first delivery",
    "AUTOMATIC": "tried again by itself",
    "MANUAL": "tried again by hand",
    "BULK_RETRY": "tried again with others",
    "UNPAUSE": "after a pause",
}
_TIMES = ("created_at", "started_at", "completed_at")
_CALLBACK = re.compile(
    r"/(?:audio|embedding)/([0-9a-f]{24})(?:/([0-9]{1,9})-([0-9]{1,9}))?(?:$|\?)"
)


def noted(
    headers: Headers, payload: object, path: str, received: datetime, seconds: float
) -> dict[str, Any] | None:
    """What is kept of a callback that was answered after `seconds`; None when it did not come
    through the gateway. Every value is bounded."""
    event = _word(headers.get("x-hookdeck-eventid"))
    if event is None:
        return None
    prediction = payload if isinstance(payload, Mapping) else {}
    found: dict[str, Any] = {
        "at": received,
        "seconds": round(seconds, 3),
        "event": event,
        "attempt": _count(headers.get("x-hookdeck-attempt-count")),
        "trigger": _word(headers.get("x-hookdeck-attempt-trigger")),
        "verified": {"true": True, "false": False}.get(headers.get("x-hookdeck-verified") or ""),
        "passages": callback_of(path).passages,
        "prediction": _word(prediction.get("id")),
        "status": _word(prediction.get("status")),
        **{name: moment(prediction.get(name)) for name in _TIMES},
    }
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Callback:
    """What the path of a callback names: the thing, and for vectors the passages."""

    asset_id: str | None = None
    passages: str | None = None

    @property
    def subject(self) -> str:
        """In words: its text, or the vectors of some passages, counted from 1."""
        return subject(self.passages)


def callback_of(url: str) -> Callback:
    match = _CALLBACK.search(url)
    if match is None:
        return Callback()
    asset_id, first, last = match.groups()
    return Callback(asset_id, f"{int(first)}-{int(last)}" if first else None)


def subject(passages: str | None) -> str:
    """`passages` are as in the path: first and last, counted from 0."""
    if passages is None:
        return "text"
    first, last = (int(number) + 1 for number in passages.split("-"))
    if first == last:
        return f"the vector of passage {first:,}"
    return f"the vectors of passages {first:,} to {last:,}"


@dataclass(frozen=True)
class Event:
    """One delivery of a request; `next_at` is when the gateway tries again by itself."""

    id: str
    status: str
    attempts: int
    response_status: int | None
    error_code: str | None
    request_id: str
    created_at: datetime
    last_at: datetime | None
    next_at: datetime | None
    successful_at: datetime | None

    @property
    def answer(self) -> str:
        return answer_of(self.response_status, self.error_code)


@dataclass(frozen=True)
class Attempt:
    """One try to deliver an event. `seconds` is how long the answer took."""

    id: str
    event_id: str
    number: int | None
    trigger: str | None
    successful: bool
    response_status: int | None
    error_code: str | None
    callback: Callback
    at: datetime
    seconds: float | None

    @property
    def answer(self) -> str:
        return answer_of(self.response_status, self.error_code)

    @property
    def cause(self) -> str:
        return cause_of(self.trigger)


@dataclass(frozen=True)
class Request:
    """What somebody sent to the gateway; `verified` is its verdict on the sender's signature."""

    id: str
    verified: bool | None
    rejection: str | None
    events: int
    at: datetime

    @property
    def refusal(self) -> str:
        """Why it was rejected, in words; empty when it was not."""
        return in_words(self.rejection or "")


@dataclass(frozen=True)
class Watched:
    """What the gateway knows of one thing; `trouble` says why that is not known."""

    events: Sequence[Event] = ()
    attempts: Sequence[Attempt] = ()
    rejected: Sequence[Request] = ()
    trouble: str = ""


def answer_of(response_status: int | None, error_code: str | None) -> str:
    """How a destination answered, in words."""
    if response_status is not None:
        return f"answered {response_status}"
    return in_words(error_code) if error_code else "no answer yet"


def cause_of(trigger: str | None) -> str:
    """What started an attempt, in words; empty when that is not known."""
    return TRIGGERS.get(trigger, in_words(trigger)) if trigger else ""


def in_words(name: str) -> str:
    """CONNECTION_REFUSED as 'connection refused'."""
    return name.replace("_", " ").lower()


def event_of(model: Any) -> Event:
    """An Event of the API; raises ServiceUnavailable for anything else."""
    return Event(
        id=_required(model, "id"),
        status=_required(model, "status"),
        attempts=_count(_of(model, "attempts")) or 0,
        response_status=_count(_of(model, "response_status")),
        error_code=_word(_of(model, "error_code")),
        request_id=_required(model, "request_id"),
        created_at=_moment(model, "created_at"),
        last_at=moment(_of(model, "last_attempt_at")),
        next_at=moment(_of(model, "next_attempt_at")),
        successful_at=moment(_of(model, "successful_at")),
    )


def attempt_of(model: Any) -> Attempt:
    """An EventAttempt of the API; raises ServiceUnavailable for anything else."""
    latency = _count(_of(model, "response_latency"))
    url = _of(model, "requested_url")
    return Attempt(
        id=_required(model, "id"),
        event_id=_required(model, "event_id"),
        number=_count(_of(model, "attempt_number")),
        trigger=_word(_of(model, "trigger")),
        successful=_required(model, "status") == "SUCCESSFUL",
        response_status=_count(_of(model, "response_status")),
        error_code=_word(_of(model, "error_code")),
        callback=callback_of(url) if isinstance(url, str) else Callback(),
        at=_moment(model, "created_at"),
        seconds=None if latency is None else latency / 1000,
    )


def request_of(model: Any) -> Request:
    """A Request of the API; raises ServiceUnavailable for anything else."""
    verified = _of(model, "verified")
    return Request(
        id=_required(model, "id"),
        verified=verified if isinstance(verified, bool) else None,
        rejection=_word(_of(model, "rejection_cause")),
        events=_count(_of(model, "events_count")) or 0,
        at=moment(_of(model, "ingested_at")) or _moment(model, "created_at"),
    )


def moment(value: object) -> datetime | None:
    """An ISO 8601 time in UTC, in whole milliseconds; None for anything else."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    try:
        at = datetime.fromisoformat(value)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _of(model: Any, name: str) -> Any:
    return model.get(name) if isinstance(model, Mapping) else None


def _required(model: Any, name: str) -> str:
    value = _word(_of(model, name))
    if value is None:
        raise ServiceUnavailable("The gateway", f"it answered an object without {name}")
    return value


def _moment(model: Any, name: str) -> datetime:
    value = moment(_of(model, name))
    if value is None:
        raise ServiceUnavailable("The gateway", f"it answered an object without {name}")
    return value


def _word(value: object) -> str | None:
    """Printable text, cut to LONGEST; None for anything else and for nothing."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value[:LONGEST].encode("utf-8", "replace").decode() or None


def _count(value: object) -> int | None:
    """A whole number from 0 that MongoDB keeps, also as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None

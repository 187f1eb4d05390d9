"""The gateway's records of requests, events and attempts, validated by pydantic.

The shapes are those of Hookdeck's API of 2025-07-01. Where the app has another name for a field,
Hookdeck's is the alias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AliasChoices, AliasPath, BeforeValidator, Field, TypeAdapter, ValidationError

from allthethings.errors import ServiceUnavailable
from allthethings.hookdeck.deliveries import Callback, callback_of
from allthethings.hookdeck.values import count, moment, word

SERVICE = "The gateway"
# What started an attempt, in words, by Hookdeck's `trigger`.
TRIGGERS = {
    "INITIAL": "first delivery",
    "AUTOMATIC": "automatic retry",
    "MANUAL": "manual retry",
    "BULK_RETRY": "bulk retry",
    "UNPAUSE": "after a pause",
}
# What an id of Hookdeck's looks like, and so what may stand in a path of its API.
ID = re.compile(r"[\w-]{1,100}", re.ASCII)


def _without_nulls(record: object) -> object:
    """Hookdeck writes null for what there is none of."""
    if not isinstance(record, Mapping):
        return record
    return {name: value for name, value in record.items() if value is not None}


def _those_there(records: object) -> object:
    """A list without its nulls: Hookdeck's document allows them in the place of attempts."""
    if not isinstance(records, list):
        return records
    return [record for record in records if record is not None]


def _is_successful(status: object) -> bool | None:
    known = word(status)
    return None if known is None else known == "SUCCESSFUL"


def _seconds(milliseconds: object) -> float | None:
    known = count(milliseconds)
    return None if known is None else known / 1000


def _callback(url: object) -> Callback:
    return callback_of(url) if isinstance(url, str) else Callback()


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _cursor(value: object) -> str | None:
    return value if isinstance(value, str) and ID.fullmatch(value) else None


Word = Annotated[str, BeforeValidator(word)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Number = Annotated[int, BeforeValidator(lambda value: count(value) or 0)]
MaybeWord = Annotated[str | None, BeforeValidator(word)]
MaybeMoment = Annotated[datetime | None, BeforeValidator(moment)]
MaybeNumber = Annotated[int | None, BeforeValidator(count)]
MaybeBool = Annotated[bool | None, BeforeValidator(_bool)]
Cursor = Annotated[str | None, BeforeValidator(_cursor)]


@dataclass(frozen=True)
class Event:
    """One delivery of a request; `next_at` is when the gateway tries again by itself."""

    id: Word
    status: Word
    request_id: Word
    created_at: Moment
    attempts: Number = 0
    response_status: MaybeNumber = None
    error_code: MaybeWord = None
    last_at: Annotated[MaybeMoment, Field(validation_alias="last_attempt_at")] = None
    next_at: Annotated[MaybeMoment, Field(validation_alias="next_attempt_at")] = None
    successful_at: MaybeMoment = None

    @property
    def answer(self) -> str:
        return answer_of(self.response_status, self.error_code)


@dataclass(frozen=True)
class Attempt:
    """One try to deliver an event. `seconds` is how long the answer took."""

    id: Word
    event_id: Word
    successful: Annotated[bool, BeforeValidator(_is_successful), Field(validation_alias="status")]
    at: Annotated[Moment, Field(validation_alias="created_at")]
    number: Annotated[MaybeNumber, Field(validation_alias="attempt_number")] = None
    trigger: MaybeWord = None
    response_status: MaybeNumber = None
    error_code: MaybeWord = None
    callback: Annotated[
        Callback, BeforeValidator(_callback), Field(validation_alias="requested_url")
    ] = field(default_factory=Callback)
    seconds: Annotated[
        float | None, BeforeValidator(_seconds), Field(validation_alias="response_latency")
    ] = None

    @property
    def answer(self) -> str:
        return answer_of(self.response_status, self.error_code)

    @property
    def cause(self) -> str:
        return cause_of(self.trigger)


@dataclass(frozen=True)
class Request:
    """What somebody sent to the gateway; `verified` is its verdict on the sender's signature."""

    id: Word
    at: Annotated[Moment, Field(validation_alias=AliasChoices("ingested_at", "created_at"))]
    verified: MaybeBool = None
    rejection: Annotated[MaybeWord, Field(validation_alias="rejection_cause")] = None
    http_events: Annotated[Number, Field(validation_alias="events_count")] = 0
    cli_events: Annotated[Number, Field(validation_alias="cli_events_count")] = 0

    @property
    def events(self) -> int:
        """How many events came of it; those for the Hookdeck CLI are counted apart there."""
        return self.http_events + self.cli_events

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


@dataclass(frozen=True)
class KnownConnection:
    """A connection of the Hookdeck project, of this app or of another."""

    id: Word
    name: Word
    source_id: Annotated[Word, Field(validation_alias=AliasPath("source", "id"))]


Record = TypeVar("Record")


@dataclass(frozen=True)
class Listing(Generic[Record]):
    """One page of a list, newest first; the cursors lead to the pages beside it."""

    entries: Annotated[
        tuple[Annotated[Record, BeforeValidator(_without_nulls)], ...],
        BeforeValidator(_those_there),
        Field(validation_alias="models"),
    ] = ()
    next: Annotated[Cursor, Field(validation_alias=AliasPath("pagination", "next"))] = None
    prev: Annotated[Cursor, Field(validation_alias=AliasPath("pagination", "prev"))] = None


EVENTS = TypeAdapter(Listing[Event])
ATTEMPTS = TypeAdapter(Listing[Attempt])
REQUESTS = TypeAdapter(Listing[Request])
CONNECTIONS = TypeAdapter(Listing[KnownConnection])


@dataclass(frozen=True)
class Deliveries:
    """A page of events, and the last attempt of each event that was attempted, by the event's
    id: only an attempt tells which asset it was for."""

    page: Listing[Event]
    latest: Mapping[str, Attempt] = field(default_factory=dict)


def read_list(kind: TypeAdapter[Listing[Record]], answer: Mapping[str, object]) -> Listing[Record]:
    """An answer of the gateway as a list; raises ServiceUnavailable for anything else."""
    if not isinstance(answer.get("models"), list):
        raise ServiceUnavailable(SERVICE, "it answered something other than a list")
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    what = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "models")
    missing = "something other than an object" if what == "models" else f"an object without {what}"
    raise ServiceUnavailable(SERVICE, f"it answered {missing}")


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

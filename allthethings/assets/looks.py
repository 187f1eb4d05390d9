"""When a thing is looked at again, what its server said of its version, and what looks found."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from allthethings.errors import ErrorCode, IndexingError

# Characters of a validator that are kept. A longer one is not sent back.
MAX_VALIDATOR = 1_000
# The share of an interval by which a look may come earlier or later: things that were added
# together are not looked at together for ever.
SPREAD = 0.05
# The wait before a look is repeated after a passing fault. It doubles with each further fault.
FIRST_WAIT = timedelta(hours=1)


class Schedule(StrEnum):
    """How often something is looked at again. The words are stored, and part of the HTTP API."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def interval(self) -> timedelta | None:
        """The time between two looks; None for never."""
        return _INTERVALS.get(self)


_INTERVALS: Mapping[Schedule, timedelta] = {
    Schedule.DAILY: timedelta(days=1),
    Schedule.WEEKLY: timedelta(days=7),
    Schedule.MONTHLY: timedelta(days=30),
}


class Outcome(StrEnum):
    """What the last look found. `CHANGED`: another text, or a file that a model has yet to read;
    `GONE`: the server has said that there is nothing at the URL any more; `FAILED`: it could not
    be fetched or read."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True)
class Version:
    """What is known of the version of a thing that was read: its validators (RFC 9110, section
    8.8) as the server spelled them, its bytes if told, and the SHA-256 of its body. Of what a model
    reads, `digest` is that of a sample of the body."""

    etag: str | None = None
    last_modified: str | None = None
    length: int | None = None
    digest: str | None = None

    def stored(self) -> dict[str, Any]:
        """The field `version` of a document."""
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> Self:
        """The version in a document's field."""
        return cls(**_known(cls, document))

    @property
    def has_validators(self) -> bool:
        return bool(self.etag or self.last_modified)

    def conditions(self) -> dict[str, str]:
        """The headers that ask for another version only."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in given.items() if value}

    def same_file(self, other: Version) -> bool | None:
        """Whether two versions are of the same file, as far as their server tells; None where it
        contradicts itself, as servers do that make each ETag anew."""
        if self.etag and other.etag and _opaque(self.etag) == _opaque(other.etag):
            return True
        if None not in (self.length, other.length) and self.length != other.length:
            return False
        if self.last_modified and other.last_modified:
            return self.last_modified == other.last_modified
        return None if self.etag and other.etag else True


@dataclass(frozen=True)
class Looks:
    """What the looks at a thing found. `at` is when the last one ended, `failures` how many have
    failed since the last that did not, and `failing_since` when the first of them was;
    `error` and `error_code` tell why. `gone_since` is when its server first said that it is gone.
    `changed_at` is when its text was last replaced. `moved_to` is where permanent redirects lead.
    """

    at: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None
    error_code: ErrorCode | None = None
    failures: int = 0
    failing_since: datetime | None = None
    gone_since: datetime | None = None
    changed_at: datetime | None = None
    moved_to: str | None = None

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> Self:
        """The field `looks` of a document."""
        known = _known(cls, document)
        outcome, code = known.get("outcome"), known.get("error_code")
        known["outcome"] = Outcome(outcome) if outcome in frozenset(Outcome) else None
        known["error_code"] = ErrorCode(code) if code in frozenset(ErrorCode) else None
        return cls(**known)

    def stored(self) -> dict[str, Any]:
        """The field `looks` of a document."""
        return asdict(self)

    def succeeded(self, outcome: Outcome, at: datetime, moved_to: str | None) -> Self:
        """After a look to which the server has given the thing."""
        return replace(
            self,
            at=at,
            outcome=outcome,
            error=None,
            error_code=None,
            failures=0,
            failing_since=None,
            gone_since=None,
            moved_to=moved_to or self.moved_to,
        )

    def failed(self, error: IndexingError, at: datetime) -> Self:
        """After a look that failed."""
        gone = error.code is ErrorCode.NOT_FOUND
        return replace(
            self,
            at=at,
            outcome=Outcome.GONE if gone else Outcome.FAILED,
            error=str(error),
            error_code=error.code,
            failures=self.failures + 1,
            failing_since=self.failing_since or at,
            gone_since=(self.gone_since or at) if gone else self.gone_since,
        )


def next_look(schedule: Schedule, at: datetime, failures: int = 0) -> datetime | None:
    """When to look next, after a look at that moment; None for never. After passing faults, of
    which there were `failures` in a row, the look comes earlier, and then less and less early."""
    interval = schedule.interval
    if interval is None:
        return None
    if failures:
        interval = min(interval, FIRST_WAIT * 2 ** min(failures - 1, 16))
    return at + interval * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret


def validator(said: str | None) -> str | None:
    """A validator as it may be sent back; None for what is no header's value."""
    if not said or len(said) > MAX_VALIDATOR or not said.isascii() or not said.isprintable():
        return None
    return said


def _opaque(etag: str) -> str:
    """The part of an ETag that weak comparison compares (RFC 9110, section 8.8.3.2)."""
    return etag.removeprefix("W/")


def _known(cls: type, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields that a class has, from a document that another version may have written."""
    names = {each.name for each in fields(cls)}
    return {name: value for name, value in (document or {}).items() if name in names}

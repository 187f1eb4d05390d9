"""The retry rule of a connection, and the decisions that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

# Hookdeck's limit for retry rules.
MAX_AUTOMATIC_RETRIES = 50
# Milliseconds of the longest pause before a retry.
_MAX_PAUSE_MS = 7 * 24 * 3_600_000

# Of the OpenAPI document's expressions: ranges, single statuses and exclusions.
STATUS_PATTERN = r"^(?:[2-5]\d{2}-[2-5]\d{2}|!?[2-5]\d{2})$"


@dataclass(frozen=True)
class RetryRule:
    """When and how often a failed delivery is retried."""

    strategy: str
    interval_ms: int
    count: int
    statuses: tuple[str, ...] = ()

    def covers(self, status: int | None) -> bool:
        """Whether an attempt with this response status may be retried; None is no response."""
        return status is None or status_listed(status, self.statuses)

    def delay_ms(self, number: int) -> int | None:
        """The pause before automatic retry `number`, from 1; None if no retry is left."""
        if number > self.count:
            return None
        if self.strategy == "linear":
            return self.interval_ms
        return int(min(self.interval_ms * 2 ** (number - 1), _MAX_PAUSE_MS))


def retry_rule(rules: Iterable[dict[str, Any]]) -> RetryRule | None:
    """The retry rule among validated rules in the form of the API."""
    rule = next((rule for rule in rules if rule["type"] == "retry"), None)
    if rule is None:
        return None
    statuses = tuple(rule.get("response_status_codes") or ())
    return RetryRule(rule["strategy"], rule["interval"], rule["count"], statuses)


def status_listed(status: int, listed: Iterable[str]) -> bool:
    """Whether a list such as `["500-599", "404", "!401"]` includes the status.

    An exclusion has precedence. A list that is empty or has only exclusions includes every other
    status.
    """
    included: list[bool] = []
    for entry in listed:
        low, _, high = entry.removeprefix("!").partition("-")
        named = int(low) <= status <= int(high or low)
        if not entry.startswith("!"):
            included.append(named)
        elif named:
            return False
    return any(included) or not included


def retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """The pause that a Retry-After header asks for; None if it is missing or invalid.

    The value is a number of seconds or an HTTP date (RFC 9110).
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:12]) * 1000, _MAX_PAUSE_MS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0, int(moment.timestamp() * 1000) - now_ms), _MAX_PAUSE_MS)


def next_retry_ms(
    rule: RetryRule | None, number: int, status: int | None, retry_after: str | None, now_ms: int
) -> int | None:
    """The pause before automatic retry `number` after a failure; None if there is no retry.

    The destination's Retry-After replaces the rule's interval, but not its count or its list of
    statuses.
    """
    if rule is None or not rule.covers(status):
        return None
    pause = rule.delay_ms(number)
    if pause is None:
        return None
    asked = retry_after_ms(retry_after, now_ms)
    return pause if asked is None else asked

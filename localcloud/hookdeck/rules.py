"""The rules of a connection, and the decisions that follow from them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

# Hookdeck's limit and default for retry rules.
MAX_AUTOMATIC_RETRIES = 50
DEFAULT_INTERVAL_MS = 3_600_000
# Milliseconds of the longest pause before a retry.
_MAX_PAUSE_MS = 7 * 24 * 3_600_000

# The pattern of the OpenAPI document without the operators that have no meaning ("<>", "=<").
STATUS_PATTERN = r"^(?:[2-5]\d{2}-[2-5]\d{2}|(?:>=|<=|==|>|<|=)[2-5]\d{2}|!?[2-5]\d{2})$"
_STATUS = re.compile(
    r"(?P<low>\d{3})-(?P<high>\d{3})|(?P<op>>=|<=|==|>|<|=)(?P<bound>\d{3})|(?P<not>!?)(?P<one>\d{3})"
)
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
}


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


@dataclass(frozen=True)
class Ruleset:
    """All rules of a connection, at most one of each type."""

    retry: RetryRule | None = None
    delay_ms: int = 0


def parse_rules(rules: Iterable[dict[str, Any]]) -> Ruleset:
    """The ruleset of validated rules in the form of the API."""
    by_type = {rule["type"]: rule for rule in rules}
    retry = by_type.get("retry")
    return Ruleset(
        retry=_retry(retry) if retry else None,
        delay_ms=by_type.get("delay", {}).get("delay", 0),
    )


def _retry(rule: dict[str, Any]) -> RetryRule:
    count, interval = rule.get("count"), rule.get("interval")
    return RetryRule(
        strategy=rule["strategy"],
        interval_ms=DEFAULT_INTERVAL_MS if interval is None else interval,
        count=MAX_AUTOMATIC_RETRIES if count is None else min(count, MAX_AUTOMATIC_RETRIES),
        statuses=tuple(rule.get("response_status_codes") or ()),
    )


def status_listed(status: int, listed: Iterable[str]) -> bool:
    """Whether a list such as `["500-599", ">400", "404", "!401"]` includes the status.

    An exclusion has precedence. A list that is empty or has only exclusions includes every other
    status.
    """
    included: list[bool] = []
    for entry in listed:
        match = _STATUS.fullmatch(entry)
        if match is None:
            raise ValueError(f"not a status expression: {entry!r}")
        if match["not"]:
            if status == int(match["one"]):
                return False
        else:
            included.append(_names(match, status))
    return any(included) or not included


def _names(match: re.Match[str], status: int) -> bool:
    if match["low"]:
        return int(match["low"]) <= status <= int(match["high"])
    if match["op"]:
        return _OPERATORS[match["op"]](status, int(match["bound"]))
    return status == int(match["one"])


def retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """The pause that a Retry-After header asks for; None if it is missing or invalid.

    The value is a number of seconds, an HTTP date (RFC 9110) or an ISO 8601 date.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:12]) * 1000, _MAX_PAUSE_MS)
    moment = _moment(value)
    if moment is None:
        return None
    moment_ms = int(moment.timestamp() * 1000)
    return min(max(0, moment_ms - now_ms), _MAX_PAUSE_MS)


def _moment(value: str) -> datetime | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(value)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


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

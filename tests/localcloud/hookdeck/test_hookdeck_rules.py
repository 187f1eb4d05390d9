"""Retry rules, status lists, Retry-After: pure decisions, as tables."""

from __future__ import annotations

import pytest

from localcloud.hookdeck.rules import (
    RetryRule,
    next_retry_ms,
    retry_after_ms,
    retry_rule,
    status_listed,
)

NOW = 1_750_000_000_000  # 2025-06-15T15:06:40Z


@pytest.mark.parametrize(
    ("listed", "retried", "not_retried"),
    [
        ([], [300, 404, 500], []),
        (["404"], [404], [403, 405, 500]),
        (["!404"], [400, 403, 405, 500, 599], [404]),
        (["500-599"], [500, 503, 599], [499, 404]),
        (["429", "500"], [429, 500], [404, 503]),
        (["!200", "!404"], [300, 400, 429, 500], [404]),
        (["500-599", "!503"], [500, 502, 599], [503, 404]),
        (["!503", "500-599", "429"], [429, 500], [503, 404]),
    ],
)
def test_status_lists(listed: list[str], retried: list[int], not_retried: list[int]) -> None:
    assert [s for s in retried if not status_listed(s, listed)] == []
    assert [s for s in not_retried if status_listed(s, listed)] == []


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        ("linear", [30_000, 30_000, 30_000, 30_000, 30_000, None]),
        ("exponential", [30_000, 60_000, 120_000, 240_000, 480_000, None]),
    ],
)
def test_delays(strategy: str, delays: list[int | None]) -> None:
    rule = RetryRule(strategy, 30_000, 5)
    assert [rule.delay_ms(number) for number in range(1, 7)] == delays


def test_delays_never_exceed_a_week() -> None:
    assert RetryRule("exponential", 3_600_000, 50).delay_ms(50) == 7 * 24 * 3_600_000


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("0", 0),
        ("120", 120_000),
        (" 7 ", 7_000),
        ("9" * 40, 7 * 24 * 3_600_000),
        ("Sun, 15 Jun 2025 15:07:40 GMT", 60_000),
        ("Sun, 15 Jun 2025 15:00:00 GMT", 0),
        ("Sun, 99999999999999999999 Jun 2025 15:06:40 GMT", None),
    ],
)
def test_retry_after(value: str | None, pause: int | None) -> None:
    assert retry_after_ms(value, NOW) == pause


RULE = RetryRule("exponential", 1000, 2, ("!404",))


@pytest.mark.parametrize(
    ("rule", "number", "status", "retry_after", "pause"),
    [
        (None, 1, 500, None, None),
        (None, 1, None, "5", None),
        (RULE, 1, 500, None, 1000),
        (RULE, 2, 500, None, 2000),
        (RULE, 3, 500, None, None),
        (RULE, 3, 500, "5", None),
        (RULE, 1, 404, None, None),
        (RULE, 1, 404, "5", None),
        (RULE, 1, None, None, 1000),
        (RetryRule("linear", 1000, 2, ("500",)), 2, None, None, 1000),
        (RULE, 1, 503, "5", 5000),
        (RULE, 2, 503, "nonsense", 2000),
    ],
)
def test_next_retry(
    rule: RetryRule | None,
    number: int,
    status: int | None,
    retry_after: str | None,
    pause: int | None,
) -> None:
    assert next_retry_ms(rule, number, status, retry_after, NOW) == pause


def test_a_rule_becomes_a_value() -> None:
    rule = {"type": "retry", "strategy": "linear", "interval": 5, "count": 9}
    assert retry_rule([{"type": "delay", "delay": 7}, rule]) == RetryRule("linear", 5, 9)
    assert retry_rule([]) is None

"""Numbers and times in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from allthethings.web.formatting import capped, counted, size, span, when


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.123, "0.12 s"),
        (3.44, "3.4 s"),
        (125, "2 min 05 s"),
        (3_599.6, "1 h 00 min"),
        (11_220, "3 h 07 min"),
        (187_200, "2 d 4 h"),
        (-2, "-2.0 s"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (4_200_000, "4 MB"), (2_500_000_000, "2.5 GB")],
)
def test_sizes(count: int | None, words: str) -> None:
    assert size(count) == words


def test_moments() -> None:
    east = timezone(timedelta(hours=2))
    assert when(datetime(2025, 3, 1, 1, 30, tzinfo=east)) == "2025-02-28 23:30"
    assert when(datetime(2025, 3, 1, 12, 30, 59, tzinfo=UTC)) == "2025-03-01 12:30"


def test_a_count_that_has_a_limit() -> None:
    assert [capped(n) for n in (0, 1_234, 9_999, 10_000)] == ["0", "1,234", "9,999", "10,000+"]


def test_one_and_many() -> None:
    assert [counted(n, "thing") for n in (0, 1, 1_200)] == ["0 things", "1 thing", "1,200 things"]

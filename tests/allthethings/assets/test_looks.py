"""Versions are compared as their servers tell them, and looks are planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from allthethings.assets.looks import (
    FIRST_WAIT,
    SPREAD,
    Looks,
    Outcome,
    Schedule,
    Version,
    next_look,
    validator,
)
from allthethings.errors import ErrorCode

NOW = datetime(2025, 3, 1, tzinfo=UTC)
MARCH, APRIL = "Sat, 01 Mar 2025 00:00:00 GMT", "Tue, 01 Apr 2025 00:00:00 GMT"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Version('"a"'), Version('"a"'), True),
        (Version('W/"a"'), Version('"a"'), True),
        (Version('"a"', MARCH), Version('"a"', APRIL), True),
        (Version('"a"'), Version('"b"'), None),
        (Version('"a"', MARCH, 5), Version('"b"', MARCH, 5), True),
        (Version('"a"', MARCH, 5), Version('"b"', APRIL, 5), False),
        (Version('"a"', length=5), Version('"b"', length=6), False),
        (Version(None, MARCH), Version(None, APRIL), False),
        (Version(None, MARCH, 5), Version(None, MARCH), True),
        (Version(length=5), Version(length=5), True),
        (Version(length=5), Version(length=6), False),
        (Version(), Version('"a"', MARCH, 5), True),
    ],
)
def test_versions_are_compared_as_the_server_tells_them(
    one: Version, other: Version, same: bool | None
) -> None:
    assert one.same_file(other) is same
    assert other.same_file(one) is same


def test_a_request_is_conditional_by_what_is_known() -> None:
    assert Version().conditions() == {}
    assert Version('"a"', MARCH).conditions() == {
        "If-None-Match": '"a"',
        "If-Modified-Since": MARCH,
    }


@pytest.mark.parametrize("said", [None, "", '"a\nb"', '"\u00e9"', '"' + 2000 * "x" + '"'])
def test_what_cannot_be_sent_back_is_no_validator(said: str | None) -> None:
    assert validator(said) is None


def test_looks_are_planned_by_their_schedule() -> None:
    assert next_look(Schedule.NEVER, NOW) is None
    for schedule, days in ((Schedule.DAILY, 1), (Schedule.WEEKLY, 7), (Schedule.MONTHLY, 30)):
        planned = next_look(schedule, NOW)
        assert planned is not None
        assert abs(planned - NOW - timedelta(days=days)) <= timedelta(days=days) * SPREAD


def test_after_passing_faults_a_look_comes_earlier_and_then_less_early() -> None:
    waits = []
    for failures in (1, 2, 3, 40):
        planned = next_look(Schedule.WEEKLY, NOW, failures)
        assert planned is not None
        waits.append(planned - NOW)
    for wait, hours in zip(waits[:3], (1, 2, 4), strict=True):
        assert abs(wait - hours * FIRST_WAIT) <= hours * FIRST_WAIT * SPREAD
    assert waits[3] >= timedelta(days=7) * (1 - SPREAD)


def test_what_a_newer_version_wrote_can_be_read() -> None:
    written = {"outcome": "dreamt", "error_code": "no code", "failures": 2, "mood": "good"}
    assert Looks.read(written) == Looks(failures=2)
    assert Version.read({"etag": '"a"', "crc": 5}) == Version('"a"')
    assert Version.read(None) == Version()


def test_what_was_found_can_be_stored_and_read() -> None:
    found = Looks(NOW, Outcome.GONE, "Gone.", ErrorCode.NOT_FOUND, 2, NOW, NOW, NOW, "http://x/")
    assert Looks.read(found.stored()) == found

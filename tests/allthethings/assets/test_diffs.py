"""What changed between two texts, by passage, and how much of it is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.diffs import (
    MAX_BYTES,
    MAX_PARTS,
    ORDERED,
    Did,
    Diff,
    Part,
    compare,
    read,
)

KEPT, REMOVED, ADDED = Did.KEPT, Did.REMOVED, Did.ADDED


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("abc", "abc", [Part(KEPT, count=3)]),
        ("abc", "axc", [Part(KEPT), Part(REMOVED, "b"), Part(ADDED, "x"), Part(KEPT)]),
        ("abc", "bc", [Part(REMOVED, "a"), Part(KEPT, count=2)]),
        ("ab", "aab", [Part(KEPT), Part(ADDED, "a"), Part(KEPT)]),
        ("ab", "xy", [Part(REMOVED, "a"), Part(REMOVED, "b"), Part(ADDED, "x"), Part(ADDED, "y")]),
    ],
)
def test_what_changed_stands_in_its_order(old: str, new: str, parts: list[Part]) -> None:
    assert list(compare(list(old), list(new)).parts) == parts


def applied(diff: Diff, old: Sequence[str]) -> list[str]:
    """The other version, made of the first one by what the diff says."""
    rest, new = list(old), []
    for part in diff.parts:
        if part.did is KEPT:
            new += rest[: part.count]
            rest = rest[part.count :]
        elif part.did is REMOVED:
            assert rest.pop(0) == part.text
        else:
            new.append(part.text)
    return new


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd")))
def test_a_diff_leads_from_one_version_to_the_other(old: list[str], new: list[str]) -> None:
    diff = compare(old, new)
    if diff.left_out == 0:
        assert applied(diff, old) == new
    assert len(old) == diff.kept + diff.removed
    assert len(new) == diff.kept + diff.added
    assert read({**diff.stored(), "more": "of a newer version"}) == diff


def test_a_change_keeps_a_bounded_number_of_bytes() -> None:
    large = compare([], [f"{number} {'x' * 10_000}" for number in range(100)])
    assert sum(len(part.text) for part in large.parts) <= MAX_BYTES
    assert (large.added, large.left_out) == (100, 100 - len(large.parts))
    many = compare([], [str(number) for number in range(10_000)])
    assert (len(many.parts), many.left_out) == (MAX_PARTS, 10_000 - MAX_PARTS)


def test_very_many_passages_are_compared_without_their_order() -> None:
    """All alike: to bring them into an order would take the product of their numbers."""
    number = 20 * ORDERED
    diff = compare(["a", *["same"] * number, "b"], ["c", *["same"] * (2 * number), "d"])
    assert (diff.added, diff.removed, diff.kept) == (number + 2, 2, number)


def test_passages_that_repeat_one_are_compared_without_their_order() -> None:
    """It would take the cube of their number."""
    old, new = ([text for n in range(500) for text in ("same", f"{name}{n}")] for name in "ab")
    diff = compare(old, new)
    assert (diff.added, diff.removed, diff.kept) == (500, 500, 500)
    assert [part.did for part in diff.parts[:3]] == [KEPT, KEPT, REMOVED]
    assert {part.did for part in diff.parts[2:]} == {REMOVED}

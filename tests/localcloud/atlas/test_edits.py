"""How many edits make one word of another, against the recursive definition."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from localcloud.atlas.text.edits import nearest


@cache
def distance(left: str, right: str) -> int:
    if not left or not right:
        return len(left) + len(right)
    found = min(
        distance(left[:-1], right) + 1,
        distance(left, right[:-1]) + 1,
        distance(left[:-1], right[:-1]) + (left[-1] != right[-1]),
    )
    if left[-2:] == right[:-3:-1] and len(left) > 1 < len(right):
        found = min(found, distance(left[:-2], right[:-2]) + 1)
    return found


words = st.text("abü", min_size=1, max_size=6)


@given(words, st.lists(words, max_size=8), st.sampled_from([1, 2]))
def test_the_nearest_are_those_of_the_definition(word: str, others: list[str], edits: int) -> None:
    counts = sorted((distance(word, other), other) for other in others)
    assert nearest(word, others, edits) == [each for each in counts if each[0] <= edits]


def test_a_swap_of_neighbours_is_one_edit() -> None:
    assert nearest("lihgthouse", ["lighthouse", "lightmouse", "house"], 2) == [
        (1, "lighthouse"),
        (2, "lightmouse"),
    ]

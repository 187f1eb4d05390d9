"""Passages that hold the words of a query in one sentence come first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import WHOLE
from allthethings.search.results import Hit
from allthethings.search.together import LOOKED_AT, WEIGHT, ranked

APART = "The inventor lived in Prague. His brother died at sea. He had 300 patents."
TOGETHER = "The towers fell later. The inventor died in 1943."
OTHER = "Bread is baked in the morning."


def hit(position: int, text: str, score: float = 0.5) -> Hit:
    return Hit(f"{1:024x}", position, text, WHOLE, score, None)


def positions(hits: list[Hit]) -> list[int]:
    return [each.position for each in hits]


def test_words_in_one_sentence_count_more_than_words_in_several() -> None:
    hits = [hit(0, APART), hit(1, TOGETHER), hit(2, OTHER)]
    assert positions(ranked("When did the inventor die?", hits)) == [1, 0, 2]


def test_a_much_better_passage_stays_before_them() -> None:
    hits = [hit(0, APART, 0.5 + WEIGHT), hit(1, TOGETHER)]
    assert positions(ranked("When did the inventor die?", hits)) == [0, 1]


def test_a_sentence_ends_without_a_space_in_chinese() -> None:
    hits = [hit(0, "heron \u3002lamp"), hit(1, "heron lamp \u3002"), hit(2, OTHER)]
    assert positions(ranked("heron lamp", hits)) == [1, 0, 2]


def test_without_words_nothing_changes() -> None:
    hits = [hit(0, OTHER, 0.6), hit(1, TOGETHER), hit(2, APART)]
    assert positions(ranked("", hits)) == [0, 1, 2]
    assert ranked("When did the inventor die?", []) == []


def test_those_that_are_not_looked_at_stay_behind() -> None:
    last = hit(LOOKED_AT, TOGETHER)
    hits = [*(hit(number, OTHER) for number in range(LOOKED_AT)), last]
    assert ranked("When did the inventor die?", hits)[-1].position == LOOKED_AT


@given(
    st.lists(st.sampled_from([APART, TOGETHER, OTHER, ""]), max_size=30),
    st.sampled_from(["inventor", "the inventor died", "who is it", ""]),
)
def test_scores_stay_between_0_and_1(texts: list[str], query: str) -> None:
    count = len(texts)
    hits = [hit(number, text, (count - number) / count) for number, text in enumerate(texts)]
    found = ranked(query, hits)
    assert sorted(positions(found)) == [*range(count)]
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)

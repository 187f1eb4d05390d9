"""The vectors of queries: whole, in parts, remembered."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.passages import MODEL_LIMIT
from allthethings.errors import ServiceUnavailable
from allthethings.search.query_vectors import MAX_KEPT, MAX_WORDS, QueryVectors, mean


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


class Model:
    """Each text is a direction of the plane, by its number of words."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        return [[math.cos(count), math.sin(count)] for count in words(texts)]


def test_a_short_query_is_embedded_as_it_is_and_once() -> None:
    model = Model()
    vectors = QueryVectors(model.embed, words)
    first = vectors.of("two words")
    assert vectors.of("two words") is first
    assert model.asked == [["two words"]]
    assert first == [math.cos(2), math.sin(2)]


@pytest.mark.parametrize("text", ["", " ", "\u2060"])
def test_a_query_without_words_is_embedded_too(text: str) -> None:
    model = Model()
    assert len(QueryVectors(model.embed, words).of(text)) == 2
    assert len(model.asked) == 1


def test_a_long_query_is_the_mean_of_parts_that_the_model_reads_whole() -> None:
    model = Model()
    text = " ".join(f"Word{number} and more." for number in range(MAX_WORDS // 3))
    vector = QueryVectors(model.embed, words).of(text)
    [parts] = model.asked
    assert len(parts) > 5
    assert " ".join(parts) == text
    assert max(words(parts)) <= MODEL_LIMIT
    assert math.hypot(*vector) == pytest.approx(1.0)
    total = [sum(column) for column in zip(*Model().embed(parts), strict=True)]
    assert vector == pytest.approx([number / math.hypot(*total) for number in total])


def test_a_failure_is_not_remembered() -> None:
    asked = []

    def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        asked.append(texts)
        if len(asked) == 1:
            raise ServiceUnavailable("Replicate", "away")
        return [[1.0]]

    vectors = QueryVectors(embed, words)
    with pytest.raises(ServiceUnavailable):
        vectors.of("x")
    assert vectors.of("x") == [1.0]


def test_the_latest_queries_are_remembered_and_older_ones_forgotten() -> None:
    model = Model()
    vectors = QueryVectors(model.embed, words)
    for number in range(MAX_KEPT + 1):
        vectors.of(f"query {number}")
    vectors.of(f"query {MAX_KEPT}")
    assert len(model.asked) == MAX_KEPT + 1
    vectors.of("query 0")
    assert len(model.asked) == MAX_KEPT + 2


angles = st.lists(st.floats(0, 2 * math.pi), min_size=1, max_size=9)


@given(angles)
def test_the_mean_is_a_unit_vector_as_near_to_all_as_one_can_be(angles: list[float]) -> None:
    vectors = [[math.cos(angle), math.sin(angle)] for angle in angles]
    found = mean(vectors)
    total = [math.fsum(column) for column in zip(*vectors, strict=True)]
    length = math.hypot(*total)
    assert [number * length for number in found] == pytest.approx(total, abs=1e-9)
    assert math.hypot(*found) == pytest.approx(1.0) or length == 0.0


def test_opposites_have_no_direction_between_them() -> None:
    assert mean([[1.0, 0.0], [-1.0, 0.0]]) == [0.0, 0.0]

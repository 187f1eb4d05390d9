"""The sentence that answers, by words and meaning: vectors of a few dimensions stand for both."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from allthethings.errors import ServiceUnavailable
from allthethings.search.answers import MAX_KEPT, Answers, Kept, candidates
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.sentences import Reading, asked

QUERY = "sourdough"
TEXT = "The jar stands by the oven. A starter of flour and water ferments. The cat sleeps."
VECTORS = {QUERY: [1.0, 0.0], "A starter of flour and water ferments.": [0.8, 0.6]}


class Model:
    """A model that knows a few texts, and notes which ones it is given."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.is_away = False

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [VECTORS.get(text, [0.0, 1.0]) for text in texts]

    def embed_aside(self, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        if self.is_away:
            return None
        self.embedded += texts
        return self.embed(texts)


def count(texts: Sequence[str]) -> Sequence[int]:
    return [len(text.split()) for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def answers(model: Model) -> Answers:
    return Answers(QueryVectors(model.embed, count), model.embed_aside)


def reading(query: str = QUERY, text: str = TEXT) -> Reading:
    return Reading(text, asked(query))


def test_meaning_decides_where_no_word_matches(answers: Answers) -> None:
    assert reading().best is None
    assert answers.best(QUERY, [reading()]) == [1]


def test_a_sentence_is_embedded_once(answers: Answers, model: Model) -> None:
    for _ in range(3):
        assert answers.best(QUERY, [reading(), reading()]) == [1, 1]
    assert sorted(model.embedded) == sorted(
        ["The jar stands by the oven.", "A starter of flour and water ferments.", "The cat sleeps."]
    )


def test_a_sentence_far_behind_by_words_is_not_looked_at(answers: Answers, model: Model) -> None:
    assert answers.best("cat sleeping", [reading("cat sleeping")]) == [2]
    assert model.embedded == []


def test_words_decide_without_a_model(model: Model) -> None:
    nothing = Answers(QueryVectors(model.embed, count), None)
    assert not nothing.by_meaning
    assert nothing.best(QUERY, [reading()]) == [None]


def test_words_decide_while_the_model_is_away(answers: Answers, model: Model) -> None:
    model.is_away = True
    assert answers.best(QUERY, [reading()]) == [None]
    model.is_away = False
    assert answers.best(QUERY, [reading()]) == [1]


def test_words_decide_where_the_query_has_no_vector(model: Model) -> None:
    def away(_texts: Sequence[str]) -> Sequence[Sequence[float]]:
        raise ServiceUnavailable("Replicate", "no answer")

    assert Answers(QueryVectors(away, count), model.embed_aside).best(QUERY, [reading()]) == [None]
    assert model.embedded == []


def test_a_passage_without_text_has_no_sentence(answers: Answers) -> None:
    assert answers.best(QUERY, [reading(text="")]) == [None]
    assert answers.best("", [reading("")]) == [None]


def test_a_crowd_does_with_words(model: Model) -> None:
    """Two pages have their sentences embedded; a third one is answered at once."""
    busy, go_on = threading.Barrier(3), threading.Event()

    def slow(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if texts:
            busy.wait(10)
            go_on.wait(10)
        return model.embed(texts)

    answers = Answers(QueryVectors(model.embed, count), slow)
    with ThreadPoolExecutor() as threads:
        first = [threads.submit(answers.best, QUERY, [reading()]) for _ in range(2)]
        busy.wait(10)
        assert answers.best(QUERY, [reading()]) == [None]
        go_on.set()
        assert [each.result() for each in first] == [[1], [1]]


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    kept = Kept(2)
    for text in ("one", "two"):
        kept.put(text, [1.0])
    assert kept.get("one") is not None
    kept.put("three", [1.0])
    assert kept.get("two") is None
    assert list(kept.get("one") or []) == [1.0]
    assert MAX_KEPT > 1_000


@pytest.mark.parametrize(
    ("scores", "numbers"),
    [([], []), ([0.0, 0.0], [0, 1]), ([0.9, 0.5, 0.6], [0, 2]), ([0.1, 1.0], [1])],
)
def test_candidates(scores: list[float], numbers: list[int]) -> None:
    assert candidates(scores) == numbers

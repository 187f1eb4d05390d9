"""Where a cross-encoder is set, the tables have a line with it, and it does answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.evaluate import RERANKER, check_reranker, name_of, reranked
from tools.harness.cloud import Cloud
from tools.harness.person import Person


@pytest.fixture
def person(quick_copy: Cloud) -> Iterator[Person]:
    person = Person(quick_copy)
    yield person
    person.http.close()


def test_a_line_with_it_is_added_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RERANKER, raising=False)
    assert list(reranked()) == []
    monkeypatch.setenv(RERANKER, "models/MiniLM")
    assert list(reranked()) == [{RERANKER: "models/MiniLM"}]


def test_a_line_is_named_by_its_settings() -> None:
    assert name_of({}) == ""
    assert name_of({"PASSAGE_OVERLAP": "2", "PASSAGE_SIZE": "100"}) == "overlap 2, size 100"
    assert name_of({RERANKER: "models/MiniLM"}) == "reranker MiniLM"


def test_a_cross_encoder_that_does_not_answer_ends_the_evaluation(person: Person) -> None:
    check_reranker(person, {})
    with pytest.raises(SystemExit, match="The cross-encoder does not answer"):
        check_reranker(person, {RERANKER: "models/MiniLM"})

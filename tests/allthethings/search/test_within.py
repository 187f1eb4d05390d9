"""The places of one text that a query finds by its words."""

from __future__ import annotations

import pytest

from allthethings.search.sentences import asked
from allthethings.search.within import matching
from allthethings.search.words import MAX_SEEN

BEES = [
    "Bees dance in the hive.",
    "A dance tells other bees where flowers are.",
    "Bees sleep at night.",
    "The flowers of the meadow close.",
    "Wax keeps the cells of the comb apart.",
]


def found(
    query: str, *phrases: str, language: str = "en", texts: list[str] | None = None
) -> list[int]:
    return matching(asked(query, phrases, language), BEES if texts is None else texts)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("bee", [0, 1, 2]),
        ("dancing", [0, 1]),
        ("where do bees find flowers", [1, 3]),  # bees are everywhere here
        ("how does the dance tell bees about flowers", [1]),
        ("honey", []),
        ("", []),
    ],
)
def test_what_holds_about_as_many_words_as_the_best_one_is_found(
    query: str, numbers: list[int]
) -> None:
    assert found(query) == numbers


def test_exact_phrases_have_to_be_there() -> None:
    assert found("the hive", "the hive") == [0]
    assert found("flowers are", "flowers are") == [1]
    assert found("are flowers", "are flowers") == []
    assert found("other bees", "other bees") == [1]
    assert found("to be", "to be", texts=["To be.", "Be to.", "Or not."]) == [0]
    assert found("the hive flowers are", "the hive", "flowers are") == []


def test_a_single_text_is_found() -> None:
    assert found("bees", texts=["Bees fly."]) == [0]
    assert found("bees", texts=[]) == []


def test_a_query_remembers_only_some_of_the_words_of_a_text() -> None:
    query = asked("unheardof")
    texts = [f"word{number} other{number} unheardof" for number in range(MAX_SEEN)]
    assert matching(query, texts) == list(range(MAX_SEEN))
    assert len(query.forms._seen) <= MAX_SEEN + len(texts[0].split())


def test_words_of_other_languages_are_found_in_their_forms() -> None:
    assert found("Türme", language="de", texts=["Der Turm.", "Das Haus."]) == [0]

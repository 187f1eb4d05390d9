"""The sentence that answers, and the words that are marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import TimeSpan
from allthethings.assets.places import Place
from allthethings.search.sentences import Reading, asked

LIGHTHOUSE = (
    "The tower was built in 1823. Where the lamp had lost most of its light, a lens of glass "
    "rings gathered it. The other towers of the coast followed. Each keeper polished his rings "
    "every morning."
)


def reading(query: str, text: str = LIGHTHOUSE, *phrases: str, language: str = "en") -> Reading:
    return Reading(text, asked(query, phrases, language))


def best(query: str, text: str = LIGHTHOUSE, language: str = "en") -> str:
    found = reading(query, text, language=language)
    assert found.best is not None
    return found.sentences[found.best].of(text)


def marked(found: Reading) -> list[str]:
    return [part for part, is_marked in found.parts() if is_marked]


@pytest.mark.parametrize(
    ("query", "beginning"),
    [
        ("When was the tower built?", "The tower was built"),
        ("Where did the lens gather the light?", "Where the lamp"),
        ("What did the other keepers polish?", "Each keeper"),
        ("rings", "Where the lamp"),  # the first of several that are as good
    ],
)
def test_the_sentence_with_the_rarest_words_answers(query: str, beginning: str) -> None:
    assert best(query).startswith(beginning)


def test_a_word_of_all_sentences_decides_nothing() -> None:
    text = "Bees fly. Bees sting. Bees dance for other bees."
    assert best("bees dancing", text) == "Bees dance for other bees."


def test_no_sentence_answers_where_none_has_a_word_of_the_query() -> None:
    assert reading("sourdough").best is None
    assert reading("").best is None
    assert reading("bees", "").best is None


def test_words_are_found_in_other_scripts() -> None:
    assert best("人口", "東京は日本の首都です。人口は多い。", "ja") == "人口は多い。"
    assert best("हिन्दी", "यह एक वाक्य है। यह हिन्दी है।", "hi") == "यह हिन्दी है।"


def test_stop_words_are_not_marked() -> None:
    assert marked(reading("where are the other lamps")) == ["lamp"]


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("willing keepers", "Keepers will come, if willing.", ["Keepers", "willing"]),
        ("the beings of others", "To be or being: beings of others.", ["beings", "others"]),
        ("why didn't he row", "He didn't row. She did.", ["row"]),
        ("unwilling", "Will he? He will be.", []),
    ],
)
def test_a_stop_word_is_no_form_of_another_word(query: str, text: str, found: list[str]) -> None:
    """Their stems may be the same."""
    assert marked(Reading(text, asked(query), also=("will", "be", "others"))) == found


def test_a_query_of_stop_words_alone_is_looked_for() -> None:
    assert marked(reading("to be or not to be", "To be, or not to be. Yes.")) == [
        "To be",
        "or not to be",
    ]


def test_other_forms_are_marked_as_the_text_says() -> None:
    assert marked(reading("polishing lens rings")) == ["lens", "rings", "polished", "rings"]
    assert marked(reading("Türme", "Der Turm.", language="de")) == ["Turm"]


def test_a_phrase_is_marked_whole_with_its_stop_words() -> None:
    found = reading("most of its light", LIGHTHOUSE, "most of its light")
    assert marked(found) == ["most of its light"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He said tea tea. And tea tea tea?", ["tea tea", "tea tea tea"]),
        ("teas tea", ["teas tea"]),
        ("teapot tea", ["tea"]),
        ("tea", ["tea"]),
        ("", []),
    ],
)
def test_a_phrase_is_found_wherever_it_begins(text: str, found: list[str]) -> None:
    assert marked(reading("tea", text, "tea tea")) == found


def test_words_that_follow_one_another_are_one_mark() -> None:
    assert marked(reading("glass rings")) == ["glass rings", "rings"]


def test_what_the_word_index_found_is_marked_too() -> None:
    found = Reading("Explorers of the pole.", asked("exploration"), also=("Explorers", "the"))
    assert marked(found) == ["Explorers"]


@given(st.text(), st.text(max_size=30), st.sampled_from(["en", "de", "ja", "und", "xx"]))
def test_parts_join_to_the_text(text: str, query: str, language: str) -> None:
    found = Reading(text, asked(query, (query,), language), also=query.split())
    assert "".join(part for part, _ in found.parts()) == text
    for span in found.sentences:
        assert "".join(part for part, _ in found.parts(span)) == span.of(text)
    assert len(found.scores) == len(found.sentences)
    assert all(0.0 <= score <= 1.0 + 1e-9 for score in found.scores)


def test_the_sentence_of_a_recording_begins_soon_before_the_answer() -> None:
    """Where the transcript lacks full stops, a part of what looks like one sentence answers."""
    first, second = "They founded it in 1886 in a shed", "The company made lamps and engines"
    text = f"{first} {second}"
    places = (Place(0, TimeSpan(0.0, 15.0)), Place(len(first) + 1, TimeSpan(15.5, 29.0)))
    found = Reading(text, asked("which engines did the company make"), places=places)
    assert found.best is not None
    assert found.sentences[found.best].of(text) == second
    assert len(Reading(text, asked("engines")).sentences) == 1

"""Where passages stand: in words, as links into the original, and as they are stored."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import (
    FIRST_WORDS,
    LAST_WORDS,
    WHOLE,
    Heading,
    Lines,
    Locator,
    Page,
    Rows,
    Sheet,
    Slide,
    TimeSpan,
    clock,
    read,
)

URL = "https://x.test/a?b=c"
LONG = "One two three four five six seven eight nine ten eleven."
# Every type: the place, its words and its JSON.
PLACES: list[tuple[Locator, str, dict[str, Any]]] = [
    (TimeSpan(29.5, 3725.0), "0:29 \N{EN DASH} 1:02:05", {"start": 29.5, "end": 3725.0}),
    (Heading("Nests & young"), "Nests & young", {"heading": "Nests & young"}),
    (Page(173), "page 173", {"page": 173}),
    (Slide(7), "slide 7", {"slide": 7}),
    (Slide(7, 9), "slides 7 \N{EN DASH} 9", {"slide": 7, "to": 9}),
    (Sheet("Budget"), "sheet Budget", {"sheet": "Budget"}),
    (Rows(3, 12), "rows 3 \N{EN DASH} 12", {"rows": [3, 12]}),
    (Rows(3, 3), "row 3", {"rows": [3, 3]}),
    (Lines(10, 24), "lines 10 \N{EN DASH} 24", {"lines": [10, 24]}),
    (WHOLE, "", {}),
]


@pytest.mark.parametrize(("place", "label", "stored"), PLACES)
def test_words_and_json_of_every_place(place: Locator, label: str, stored: dict[str, Any]) -> None:
    assert place.label == label
    assert place.stored() == stored
    assert read(stored) == place


def test_every_type_is_among_them() -> None:
    assert {type(place) for place, _, _ in PLACES} == set(Locator.__subclasses__())


@pytest.mark.parametrize("stored", [{}, {"heading": ""}, {"heading": None}, {"volume": 3}])
def test_what_says_no_place_is_the_whole(stored: dict[str, Any]) -> None:
    assert read(stored) == WHOLE


def test_a_time_without_an_end_is_a_moment() -> None:
    assert read({"start": 61.5}) == TimeSpan(61.5, 61.5)
    assert read({"start": 61.5}).label == "1:01"


@pytest.mark.parametrize(
    ("stored", "text", "fragment"),
    [
        ({"start": 61.5, "end": 70}, "said", "#t=61.5"),
        ({"start": 0, "end": 4}, "said", "#t=0"),
        ({"start": 3725.0, "end": 3726.0}, "said", "#t=3725"),
        ({"start": 1234567.5}, "said", "#t=1234567.5"),
        ({"start": 0.00001}, "said", "#t=0"),
        ({"start": 100.25}, "said", "#t=100.25"),
        ({}, "A short one.", "#:~:text=A%20short%20one."),
        ({"heading": "H"}, "well-known, & so on", "#:~:text=well%2Dknown%2C%20%26%20so%20on"),
        ({}, LONG, "#:~:text=One%20two%20three%20four%20five%20six,eight%20nine%20ten%20eleven."),
        ({}, "grün #1", "#:~:text=gr%C3%BCn%20%231"),
        ({"page": 173}, LONG, "#page=173"),
        ({"slide": 7}, LONG, ""),
        ({"sheet": "Budget"}, LONG, ""),
        ({"rows": [3, 12]}, LONG, "#row=3-12"),
        ({"rows": [3, 3]}, LONG, "#row=3"),
        ({"lines": [3, 12]}, "x = 1", "#:~:text=x%20%3D%201"),
    ],
)
def test_the_link_to_a_passage(stored: dict[str, Any], text: str, fragment: str) -> None:
    assert read(stored).link(URL, text) == f"{URL}{fragment}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_directive_holds_the_words_and_no_syntax_of_theirs(text: str) -> None:
    url, _, directive = WHOLE.link(URL, text).partition("#:~:text=")
    assert url == URL
    assert not set(directive) & set("&-#?= ")
    parts = [unquote(part) for part in directive.split(",")]
    words = text.split()
    if len(words) <= FIRST_WORDS + LAST_WORDS:
        assert parts == [" ".join(words)]
    else:
        assert parts == [" ".join(words[:FIRST_WORDS]), " ".join(words[-LAST_WORDS:])]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (TimeSpan(0, 1), TimeSpan(5, 6), TimeSpan(0, 6)),
        (TimeSpan(0, 9), TimeSpan(5, 6), TimeSpan(0, 9)),
        (Page(3), Page(4), Page(3)),
        (Heading("A"), Heading("A"), Heading("A")),
        (WHOLE, WHOLE, WHOLE),
        (Rows(1, 2), Rows(3, 4), Rows(1, 4)),
        (Lines(1, 9), Lines(11, 12), Lines(1, 12)),
    ],
)
def test_a_passage_that_spans_two_places(
    first: Locator, second: Locator, together: Locator
) -> None:
    assert first.reaches(second)
    assert first.through([second]) == together


def test_a_passage_of_short_slides_tells_them_all() -> None:
    assert Slide(1).through([Slide(1), Slide(2), Slide(3, 4)]) == Slide(1, 4)
    assert Slide(1).through([Slide(1)]) == Slide(1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Heading("A"), Heading("B")),
        (Heading("A"), WHOLE),
        (Slide(1), Slide(2)),
        (Sheet("A"), Sheet("B")),
        (Page(1), Slide(2)),
        (TimeSpan(0, 1), WHOLE),
    ],
)
def test_places_that_no_passage_spans(first: Locator, second: Locator) -> None:
    assert not first.reaches(second)


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (67.9, "1:07"), (3_723, "1:02:03")])
def test_a_moment_of_a_recording(seconds: float, words: str) -> None:
    assert clock(seconds) == words

"""Links into the original, at the place of a passage."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.web.view_models import FIRST_WORDS, LAST_WORDS, place_in

URL = "https://x.test/a?b=c"
LONG = "One two three four five six seven eight nine ten eleven."


@pytest.mark.parametrize(
    ("locator", "text", "place"),
    [
        ({"start": 61.5, "end": 70}, "said", "t=61.5"),
        ({"start": 0, "end": 4}, "said", "t=0"),
        ({"start": 3725.0, "end": 3726.0}, "said", "t=3725"),
        ({"start": 1234567.5}, "said", "t=1234567.5"),
        ({"start": 0.00001}, "said", "t=0"),
        ({"start": 100.25}, "said", "t=100.25"),
        ({}, "A short one.", ":~:text=A%20short%20one."),
        ({"heading": "H"}, "well-known, & so on", ":~:text=well%2Dknown%2C%20%26%20so%20on"),
        ({}, LONG, ":~:text=One%20two%20three%20four%20five%20six,eight%20nine%20ten%20eleven."),
        ({}, "grün #1", ":~:text=gr%C3%BCn%20%231"),
    ],
)
def test_the_link_to_a_passage(locator: dict[str, Any], text: str, place: str) -> None:
    assert place_in(URL, locator, text) == f"{URL}#{place}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_directive_holds_the_words_and_no_syntax_of_theirs(text: str) -> None:
    url, _, directive = place_in(URL, {}, text).partition("#:~:text=")
    assert url == URL
    assert not set(directive) & set("&-#?= ")
    parts = [unquote(part) for part in directive.split(",")]
    words = text.split()
    if len(words) <= FIRST_WORDS + LAST_WORDS:
        assert parts == [" ".join(words)]
    else:
        assert parts == [" ".join(words[:FIRST_WORDS]), " ".join(words[-LAST_WORDS:])]

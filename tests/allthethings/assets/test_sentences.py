"""Where sentences begin and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.sentences import spans


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["Dr. Fresnel made a lens.", "It weighs 2.5 tons!", "Does it turn?"]),
        ("de", ["Am 3. Mai kam Dr. Müller.", "Er blieb."]),
        ("ja", ["東京は日本の首都です。", "富士山は高い。"]),
        ("und", ["One.", "Two."]),
    ],
)
def test_sentences_of_a_text(language: str, sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert [span.of(text) for span in spans(text, language)] == sentences


def test_a_text_without_an_end_is_one_sentence() -> None:
    assert [span.of("no end at all") for span in spans("no end at all")] == ["no end at all"]
    assert spans("") == []


@given(st.text())
def test_sentences_hold_all_but_space(text: str) -> None:
    found = spans(text)
    held = "".join(span.of(text) for span in found)
    assert "".join(held.split()) == "".join(text.split())
    ends = [0, *(edge for span in found for edge in (span.start, span.end))]
    assert ends == sorted(ends)

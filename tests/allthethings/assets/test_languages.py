from __future__ import annotations

import pytest

from allthethings.assets.languages import code_of, is_served_badly, name_of


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("zh_Hant", "zh"),
        ("deu", "de"),
        ("ger", "de"),
        ("cmn", "zh"),
        ("grc", "grc"),
        ("German", "de"),
        (" ancient  greek ", "grc"),
        ("und", "und"),
        ("Klingonisch", None),
        ("xx", None),
        ("zxx", None),
        ("mul", None),
        ("-", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_has_one_code(told: str | None, code: str | None) -> None:
    assert code_of(told) == code


def test_a_language_has_an_english_name() -> None:
    assert [name_of(code) for code in ("de", "ja", "nn", "qqq")] == [
        "German",
        "Japanese",
        "Norwegian Nynorsk",
        "qqq",
    ]


def test_the_model_knows_english_alone() -> None:
    assert [is_served_badly(code) for code in ("de", "en", "und", None)] == [
        True,
        False,
        False,
        False,
    ]

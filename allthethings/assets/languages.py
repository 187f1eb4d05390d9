"""Languages: their codes (ISO 639, the shortest that a language has) and their English names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from babel import Locale
from babel.core import get_global

# A language that nobody could tell (ISO 639-2).
UNDETERMINED = "und"
# Codes that stand for no one language: uncoded ones, several, and none at all.
NO_LANGUAGE = frozenset({"mis", "mul", "zxx"})
# The languages that the embedding model was trained on: all-mpnet-base-v2 knows English alone.
SERVED_WELL = frozenset({"en"})


def name_of(code: str) -> str:
    """The English name of a language, such as `German`; the code itself for an unknown one."""
    return _names().get(code, code)


def code_of(told: str | None) -> str | None:
    """The code of a language that is named in English, or told by a code of two or three letters,
    with a country or without: `de` for German, deu, ger and de-AT. None for what is none."""
    plain = " ".join((told or "").split()).lower()
    if named := _codes().get(plain):
        return named
    code = plain.replace("_", "-").partition("-")[0]
    shortest: str = get_global("language_aliases").get(code, code)
    return shortest if shortest in _names() else None


def is_served_badly(code: str | None) -> bool:
    """Whether the embedding model hardly knows this language."""
    return code is not None and code != UNDETERMINED and code not in SERVED_WELL


@cache
def _names() -> Mapping[str, str]:
    names: Mapping[str, str] = Locale("en").languages
    return {
        code: name for code, name in names.items() if "_" not in code and code not in NO_LANGUAGE
    }


@cache
def _codes() -> Mapping[str, str]:
    return {name.lower(): code for code, name in _names().items()}

from __future__ import annotations

import pytest

from allthethings.processors.language import language_of

TEXTS = {
    "en": "The lighthouse lens bends light into a narrow beam that ships can see from far away.",
    "de": "Der Leuchtturm wirft sein Licht weit auf das Meer, damit die Schiffe den Weg finden.",
    "fr": "Le phare éclaire la mer pour que les navires trouvent leur chemin pendant la nuit.",
    "es": "El faro ilumina el mar para que los barcos encuentren su camino.",
    "it": "Il faro illumina il mare affinché le navi trovino la strada.",
    "pl": "Latarnia morska oświetla morze, aby statki mogły znaleźć drogę.",
    "sk": "Maják osvetľuje more, aby lode našli cestu.",
    "ru": "Маяк освещает море, чтобы корабли могли найти дорогу.",
    "uk": "Маяк освітлює море, щоб кораблі могли знайти дорогу.",
    "ja": "灯台は海を照らして、船が道を見つけられるようにします。",
    "zh": "灯塔照亮大海，让船只找到方向。",
    "ko": "등대는 배가 길을 찾을 수 있도록 바다를 비춥니다.",
    "ar": "تضيء المنارة البحر حتى تجد السفن طريقها.",
    "he": "המגדלור מאיר את הים כדי שהספינות ימצאו את דרכן.",
    "hi": "प्रकाश स्तंभ समुद्र को रोशन करता है ताकि जहाज अपना रास्ता खोज सकें।",
}


@pytest.mark.parametrize(("code", "text"), TEXTS.items(), ids=TEXTS)
def test_one_sentence_is_enough(code: str, text: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bees!",
        "12.5 33.1 2020-01-01 " * 50,
        '{"a": 1, "b": [1, 2, 3], "name": "Ada"}',
        "a" * 99,
    ],
    ids=lambda text: text[:9] or "empty",
)
def test_what_is_in_no_language_is_not_guessed(text: str) -> None:
    assert language_of(text) is None


def test_a_text_is_in_the_language_of_most_of_it() -> None:
    german = f"{TEXTS['de']} " * 2_000
    assert language_of(f"{TEXTS['en']} {german}") == "de"


def test_any_characters_can_be_looked_at() -> None:
    assert language_of("\ud800\0\x1b" * 40 + TEXTS["de"] * 3) in ("de", None)

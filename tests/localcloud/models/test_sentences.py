"""Timed words into segments, and segments into subtitles."""

from __future__ import annotations

from typing import Any

from tests.localcloud.models.modules import load

sentences: Any = load("whisper", "sentences")
subtitles: Any = load("whisper", "subtitles")


def spoken(text: str, pace: float = 0.5, start: float = 0.0) -> list[Any]:
    """The words without pauses, each with a blank before it, as Whisper writes them."""
    return [
        sentences.Word(start + number * pace, start + (number + 1) * pace, f" {word}")
        for number, word in enumerate(text.split())
    ]


def texts(words: list[Any], language: str = "en") -> list[str]:
    return ["".join(word.text for word in group) for group in sentences.sentences(words, language)]


def test_a_segment_is_a_sentence() -> None:
    words = spoken("Mr. Dashwood had 3.5 acres. Was it enough? No! It was not.")
    assert texts(words) == [
        " Mr. Dashwood had 3.5 acres.",
        " Was it enough?",
        " No!",
        " It was not.",
    ]


def test_words_without_blanks() -> None:
    words = [
        sentences.Word(number, number + 1, text)
        for number, text in enumerate(["雨", "です", "。", "寒い", "です", "。"])
    ]
    assert texts(words, "ja") == ["雨です。", "寒いです。"]


def test_a_long_pause_ends_a_segment() -> None:
    words = spoken("and then it went") + spoken("quiet for a while", start=9.0)
    assert texts(words) == [" and then it went", " quiet for a while"]


def test_speech_without_marks_is_cut_where_the_speaker_breathes() -> None:
    before, after = spoken("word " * 30), spoken("other " * 30, start=15.8)
    assert texts(before + after) == [" word" * 30, " other" * 30]


def test_no_words_and_one_endless_word() -> None:
    assert texts([]) == []
    assert texts(spoken("Aaah", pace=60.0)) == [" Aaah"]


SEGMENTS = [
    {"start": 0.0, "end": 1.5, "text": " One --> two."},
    {"start": 3661.0416, "end": 3662.0, "text": " Three."},
]


def test_srt() -> None:
    assert subtitles.srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne -> two.\n\n"
        "2\n01:01:01,042 --> 01:01:02,000\nThree.\n"
    )


def test_vtt() -> None:
    assert subtitles.vtt(SEGMENTS) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne -> two.\n\n"
        "01:01:01.042 --> 01:01:02.000\nThree.\n"
    )


def test_plain_text() -> None:
    assert subtitles.plain(SEGMENTS) == " One --> two. Three."
    assert subtitles.plain([]) == ""

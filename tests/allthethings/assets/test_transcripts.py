"""Transcripts: kept and got back, grouped, and written as their formats want it."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import WHOLE, Heading, TimeSpan
from allthethings.assets.transcripts import (
    MAX_NAME,
    MAX_PACKED,
    Group,
    Line,
    file_name,
    from_locators,
    grouped,
    pack,
    plain,
    srt,
    unpack,
    vtt,
)

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("-> <&;amp\n")
seconds = st.floats(-10, 1e308) | st.floats(0, 20)
lines = st.lists(st.builds(Line, seconds, seconds, texts), max_size=20)
Cue = tuple[int, int, str]

# What the two formats allow, and nothing else.
MOMENT = r"(\d{2,}):([0-5]\d):([0-5]\d)MARK(\d{3})"
SRT_TIME, VTT_TIME = (
    re.compile(f"{MOMENT} --> {MOMENT}".replace("MARK", mark)) for mark in (",", r"\.")
)


def read_times(line: str, form: re.Pattern[str]) -> tuple[int, int]:
    found = form.fullmatch(line)
    assert found, line
    numbers = [int(part) for part in found.groups()]
    start, end = (
        ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
        for hours, minutes, seconds, rest in (numbers[:4], numbers[4:])
    )
    return start, end


def read_srt(text: str) -> list[Cue]:
    """A strict reader: number, times, one line of text, a blank line between."""
    cues = []
    for expected, block in enumerate(filter(None, re.split(r"\n\n", text.removesuffix("\n"))), 1):
        number, times, words = block.split("\n")
        assert number == str(expected)
        assert "-->" not in words
        cues.append((*read_times(times, SRT_TIME), words))
    return cues


def read_vtt(text: str) -> list[Cue]:
    """A strict reader of what a WebVTT author may write."""
    head, *blocks = re.split(r"\n\n", text.removesuffix("\n"))
    assert head == "WEBVTT"
    cues = []
    for block in blocks:
        times, words = block.split("\n")
        assert not re.search(r"-->|<|&(?!amp;|lt;|gt;)", words)
        unmarked = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        cues.append((*read_times(times, VTT_TIME), unmarked))
    return cues


def test_a_transcript_as_subrip() -> None:
    said = [Line(0, 1.5, "Hello ---->  there."), Line(3725.0404, 3726, "Later\n\n on.")]
    assert srt(said) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello -> there.\n\n"
        "2\n01:02:05,040 --> 01:02:06,000\nLater on.\n"
    )


def test_a_transcript_as_webvtt() -> None:
    said = [Line(0, 1.5, "a <b> & c --> d"), Line(360_000, 360_001, "Later.")]
    assert vtt(said) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c --&gt; d\n\n"
        "100:00:00.000 --> 100:00:01.000\nLater.\n"
    )


def test_nothing_said_is_a_file_all_the_same() -> None:
    assert srt([Line(0, 1, " \n ")]) == ""
    assert vtt([]) == "WEBVTT\n"


def test_cues_do_not_overlap_nor_run_backwards() -> None:
    said = [Line(4, 9, "two"), Line(0, 5, "one"), Line(6, 6, "three"), Line(6, 2, "and four")]
    assert [cue[:2] for cue in read_vtt(vtt(said))] == [(0, 4000), (4000, 6000), (6000, 6001)]
    assert read_srt(srt(said))[-1][2] == "three and four"


@given(lines)
def test_what_is_written_is_read_back(said: list[Line]) -> None:
    cues = read_vtt(vtt(said))
    spoken = [" ".join(line.text.split()) for line in said]
    assert sorted(" ".join(cue[2] for cue in cues).split()) == sorted(" ".join(spoken).split())
    assert all(start < end for start, end, _ in cues)
    assert all(before[1] <= after[0] for before, after in pairwise(cues))
    assert all(words and words == words.strip() for *_, words in cues)
    in_srt = [(start, end, re.sub("-{2,}>", "->", text)) for start, end, text in cues]
    assert read_srt(srt(said)) == in_srt


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), texts.filter(bool))), texts)
def test_lines_are_kept_with_their_text(rows: list[tuple[int, int, str]], between: str) -> None:
    said = [Line(start / 1000, end / 1000, text) for start, end, text in rows]
    text = between.join(line.text for line in said)
    packed = pack(text, said)
    if not said:
        assert packed is None
        return
    assert packed is not None
    kept = unpack(text, packed)
    assert [line.text for line in kept] == [line.text for line in said]
    assert [(line.start, line.end) for line in kept] == [(line.start, line.end) for line in said]


def test_lines_that_the_text_does_not_hold_are_not_kept() -> None:
    assert pack("one two", [Line(0, 1, "two"), Line(1, 2, "one")]) is None
    assert pack("one two", [Line(0, 1, "three")]) is None
    assert pack("one two", [Line(0, 1, "")]) is None


def test_lines_without_end_do_not_fill_the_document() -> None:
    # Times that no compression shortens.
    said = [Line(hash(str(number)) % 10**7, number, "a") for number in range(400_000)]
    assert pack("a" * len(said), said) is None
    few = pack("a" * 1000, said[:1000])
    assert few is not None
    assert len(few) < MAX_PACKED


def test_the_lines_among_passages() -> None:
    rows = [("said", TimeSpan(1.5, 2)), ("read", Heading("H")), ("x", WHOLE)]
    assert from_locators(rows) == [Line(1.5, 2, "said")]


LINES = [Line(number, number + 1, str(number)) for number in range(4)]


@pytest.mark.parametrize(
    ("starts", "positions", "held"),
    [
        ([0.0, 2.0], [(0,), (1,)], ["01", "23"]),
        ([0.0], [(0,)], ["0123"]),
        ([0.0, 1.0, 1.0, 3.0], [(0,), (1, 2), (3,)], ["0", "12", "3"]),
        ([0.5, 9.0], [(), (0, 1)], ["0", "123"]),
        ([], [()], ["0123"]),
    ],
)
def test_lines_stand_under_their_passages(
    starts: list[float], positions: list[tuple[int, ...]], held: list[str]
) -> None:
    groups = grouped(LINES, [TimeSpan(start, start) for start in starts])
    assert [group.positions for group in groups] == positions
    assert ["".join(line.text for line in group.lines) for group in groups] == held


@given(lines, st.lists(seconds))
def test_every_line_and_every_passage_has_its_place(said: list[Line], starts: list[float]) -> None:
    groups: list[Group] = grouped(said, [TimeSpan(start, start) for start in starts])
    assert [line for group in groups for line in group.lines] == said
    assert [number for group in groups for number in group.positions] == list(range(len(starts)))


def test_a_plain_text_has_a_line_between_paragraphs() -> None:
    assert plain([" One.", "", "Two. "]) == "One.\n\nTwo.\n"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A talk: on <bees> / part 2", "A talk on bees part 2.srt"),
        ("../../etc/passwd", "etc passwd.srt"),
        ("Ünïcödé 蜜蜂", "Ünïcödé 蜜蜂.srt"),
        ("evil\u202etxt.exe\0\r\nX: y", "evil txt.exe X y.srt"),
        ("CON", "CON transcript.srt"),
        ("...", "transcript.srt"),
        ("", "transcript.srt"),
    ],
)
def test_a_file_is_named_after_its_thing(title: str, name: str) -> None:
    assert file_name(title, "srt") == name


@given(texts)
def test_any_title_is_a_safe_name(title: str) -> None:
    name = file_name(title, "txt")
    assert name.isprintable()
    assert name.endswith(".txt")
    assert not name.startswith((".", " "))
    assert not set(name) & set('\\/:*?"<>|')
    assert len(name) <= MAX_NAME + 20
    assert unescape(name)

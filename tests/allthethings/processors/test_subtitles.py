from __future__ import annotations

import pytest

from allthethings.assets.locators import TimeSpan
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content
from allthethings.processors.subtitles import SubtitlesProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools

# As Windows programs write it, with a byte order mark and marks of style and place.
SUBRIP = """\ufeff1
00:00:01,000 --> 00:00:02,500
<i>Herons</i> {\\an8}stand
in the water.

2
01:02:03,004 --> 01:02:04,005
They wait.
""".replace("\n", "\r\n")
VTT = """WEBVTT - Herons at dusk

NOTE This is nobody's speech.

STYLE
::cue { color: red }

first
00:01.000 --> 00:02.500 align:start position:0%
<v Ann>Herons <c.loud>stand</c> in the water &amp; wait.

62:03.004 --> 62:04.005
- They <00:03.500>wait.
"""
# As speech recognition writes it: each cue begins with the last line of the one before.
ROLLING = """WEBVTT
Kind: captions

00:00.000 --> 00:02.000
the heron stands

00:02.000 --> 00:04.000
the heron stands
in the shallow water

00:04.010 --> 00:04.020
in the shallow water

00:04.020 --> 00:06.000
in the shallow water
and waits

00:09.000 --> 00:10.000
and waits
"""
SUBSTATION = """[Script Info]
Title: Herons
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,They {\\i1}wait{\\i0}.
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,Herons stand\\Nin the water, still.
Comment: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Check the spelling.
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}
"""


def read(body: str | bytes, charset: str | None = None) -> Content:
    encoded = body.encode() if isinstance(body, str) else body
    return SubtitlesProcessor(tools()).read(Download("https://e.example/x", encoded, charset))


def cues(content: Content) -> list[tuple[float, float, str]]:
    return [
        (piece.locator.start, piece.locator.end, piece.text)
        for piece in content.pieces
        if isinstance(piece.locator, TimeSpan)
    ]


def test_subrip() -> None:
    content = read(SUBRIP)
    assert cues(content) == [
        (1.0, 2.5, "Herons stand in the water."),
        (3723.004, 3724.005, "They wait."),
    ]
    assert (content.title, content.text) == (None, "Herons stand in the water. They wait.")


def test_webvtt() -> None:
    content = read(VTT)
    assert content.title == "Herons at dusk"
    assert cues(content) == [
        (1.0, 2.5, "Herons stand in the water & wait."),
        (3723.004, 3724.005, "- They wait."),
    ]


def test_lines_that_roll_up_are_read_once() -> None:
    assert cues(read(ROLLING)) == [
        (0.0, 2.0, "the heron stands"),
        (2.0, 4.0, "in the shallow water"),
        (4.02, 6.0, "and waits"),
        (9.0, 10.0, "and waits"),
    ]


def test_substation_alpha_in_the_order_of_time() -> None:
    content = read(SUBSTATION)
    assert content.title == "Herons"
    assert cues(content) == [
        (1.0, 2.5, "Herons stand in the water, still."),
        (5.0, 6.0, "They wait."),
    ]


def test_a_file_of_an_old_program() -> None:
    line = "Żuraw stoi w płytkiej wodzie i czeka, aż ryba podpłynie bliżej. "
    body = SUBRIP.removeprefix("\ufeff").replace("They wait.", line * 10)
    assert line in read(body.encode("windows-1250"), "windows-1250").text


@pytest.mark.parametrize("body", [b"", b"WEBVTT\n", b"Only words.", b"1\n00:00 --> soon\nWords\n"])
def test_a_file_without_cues(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No subtitles were found") as caught:
        read(body)
    assert caught.value.code is ErrorCode.NO_TEXT


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (SUBRIP.encode(), "application/x-subrip"),
        (b"\n7\n0:00:01.0 --> 0:00:02.0\n", "application/x-subrip"),
        (b"WEBVTT\n\n", "text/vtt"),
        (b"WEBVTTish words", None),
        (SUBSTATION.encode(), "text/x-ssa"),
        (b"1\nWords.", None),
    ],
)
def test_files_are_recognised(first: bytes, content_type: str | None) -> None:
    assert SubtitlesProcessor.sniff(first) == content_type

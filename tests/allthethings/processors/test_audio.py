from __future__ import annotations

import pytest

from allthethings.assets.locators import TimeSpan
from allthethings.errors import UnusableThing
from allthethings.processors.audio import AudioProcessor
from tests.allthethings.processors.kinds import tools


def test_a_transcript_becomes_pieces_with_their_times() -> None:
    content = AudioProcessor(tools()).read(
        {
            "transcription": "One. Two.",
            "segments": [
                {"start": 0.0, "end": 1.0, "text": " One."},
                {"start": 1.0, "end": 2.0, "text": " Two."},
            ],
        }
    )
    assert content.text == "One. Two."
    assert [(piece.text, piece.locator) for piece in content.pieces] == [
        ("One.", TimeSpan(0.0, 1.0)),
        ("Two.", TimeSpan(1.0, 2.0)),
    ]


def test_a_transcript_without_segments_is_one_piece() -> None:
    content = AudioProcessor(tools()).read({"transcription": "One. Two.", "segments": None})
    assert [piece.text for piece in content.pieces] == ["One. Two."]


def test_silence_is_said_in_words() -> None:
    with pytest.raises(UnusableThing, match="No speech"):
        AudioProcessor(tools()).read({"transcription": " ", "segments": []})


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"RIFF\x24\x00\x0a\x00WAVEfmt ", "audio/wav"),
        (b"FORM\x00\x00\x10\x00AIFF", "audio/aiff"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"OggS\x00", "application/ogg"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", None),
        (b"\x00\x00\x00\x20ftypisom", None),
        (b"\xff\xd8\xff\xe0", None),
        (b"ID3 tags name the artist.", None),
    ],
)
def test_recordings_are_recognised(first: bytes, content_type: str | None) -> None:
    assert AudioProcessor.sniff(first) == content_type

"""Videos, which differ from recordings in how they are recognised and shown."""

from __future__ import annotations

import pytest

from allthethings.errors import UnusableThing
from allthethings.processors import recognise
from allthethings.processors.video import VideoProcessor
from tests.allthethings.processors.kinds import EXAMPLES, tools


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x23B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"\x00\x00\x01\xba\x44\x00", "video/mpeg"),
        ((b"G\x40\x11\x10" + bytes(184)) * 3, "video/mp2t"),
        (b"FLV\x01\x05", "video/x-flv"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "video/x-ms-asf"),
        # Sound and pictures in the same containers.
        (b"\x00\x00\x00\x20ftypM4A ", None),
        (b"\x00\x00\x00\x20ftypheic", None),
        (b"\x00\x00\x00\x20ftypavif", None),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", None),
        (b"Going on about GGGG.", None),
    ],
)  # fmt: skip
def test_videos_are_recognised(first: bytes, content_type: str | None) -> None:
    assert VideoProcessor.sniff(first) == content_type


def test_a_server_that_does_not_know_videos() -> None:
    first = (EXAMPLES / "eclipse.webm").read_bytes()[:4096]
    for told, name in (("", "film"), ("application/octet-stream", "film.webm"), ("text/plain", "")):
        assert recognise(told, [name], lambda: first) == "video/webm"


def test_silence_is_said_in_words() -> None:
    with pytest.raises(UnusableThing, match=r"^No speech was heard in this video\.$"):
        VideoProcessor(tools()).read({"transcription": " ", "segments": []})

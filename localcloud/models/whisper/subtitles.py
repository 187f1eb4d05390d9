"""Formats segments as plain text, SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"


def _cue(segment: dict[str, Any], mark: str) -> str:
    start, end = _clock(segment["start"], mark), _clock(segment["end"], mark)
    return f"{start} --> {end}\n{segment['text'].strip().replace('-->', '->')}\n"


def plain(segments: Sequence[dict[str, Any]]) -> str:
    return "".join(segment["text"] for segment in segments)


def srt(segments: Sequence[dict[str, Any]]) -> str:
    return "\n".join(f"{n}\n{_cue(segment, ',')}" for n, segment in enumerate(segments, 1))


def vtt(segments: Sequence[dict[str, Any]]) -> str:
    return "\n".join(["WEBVTT\n", *(_cue(segment, ".") for segment in segments)])

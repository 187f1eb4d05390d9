"""Decodes audio files of common formats, and finds the windows that contain speech."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
# Seconds of audio that Whisper processes at once.
WINDOW_SECONDS = 30
# Hours of the longest recording, which is held in memory. A few megabytes can last for weeks.
MAX_HOURS = 10.0
# Seconds of a pause that separates two windows.
LONG_PAUSE_SECONDS = 4

# The allowed formats. Playlist formats (hls, concat) make FFmpeg open other files and addresses.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,gsm,matroska,mov,mp3,mpeg,"
    "mpegts,ogg,rm,spx,tta,voc,w64,wav,wv"
)


class AudioError(Exception):
    """The file cannot be transcribed. The message is for the person who submitted it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file could not be decoded as audio: {reason}")


@dataclass(frozen=True)
class Window:
    """A part of the recording, in seconds."""

    start: float
    end: float

    def of(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        return audio[int(self.start * SAMPLE_RATE) : int(self.end * SAMPLE_RATE)]


def decode(path: Path, max_hours: float = MAX_HOURS) -> NDArray[np.float32]:
    """The first audio track as 16 kHz mono samples from -1 to 1. Damaged packets are skipped."""
    room = int(max_hours * 3600 * SAMPLE_RATE)
    options = {"format_whitelist": FORMATS}
    try:
        with av.open(str(path), metadata_errors="ignore", container_options=options) as container:
            if not container.streams.audio:
                raise AudioError("it has no audio track.")
            pieces = []
            for frame in _resampled(_frames(container)):
                pieces.append(_samples(frame))
                room -= len(pieces[-1])
                if room < 0:
                    raise AudioError(f"it is longer than {max_hours:g} hours.")
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        raise AudioError("it is damaged, or not a recording of a known format.") from error
    except av.error.FFmpegError as error:
        raise AudioError(f"{error.strerror}.") from error
    if not pieces:
        raise AudioError("it holds no sound.")
    return np.concatenate(pieces)


def _samples(frame: av.AudioFrame) -> NDArray[np.float32]:
    return frame.to_ndarray().reshape(-1).astype(np.float32)


def _resampled(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    def shape(frame: av.AudioFrame) -> tuple[str, str, int]:
        return frame.format.name, frame.layout.name, frame.sample_rate

    # A file can change its sample rate or channels, but a resampler cannot.
    for _, alike in groupby(frames, shape):
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        for frame in alike:
            frame.pts = None
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    for packet in container.demux(container.streams.audio[0]):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def speech_windows(audio: NDArray[np.float32]) -> list[Window]:
    """Windows of at most 30 s that contain all speech, with boundaries in pauses."""
    options = VadOptions(max_speech_duration_s=WINDOW_SECONDS, min_silence_duration_ms=160)
    found = get_speech_timestamps(audio, options, sampling_rate=SAMPLE_RATE)
    return merge([Window(one["start"] / SAMPLE_RATE, one["end"] / SAMPLE_RATE) for one in found])


def merge(speech: Sequence[Window]) -> list[Window]:
    """Join neighbouring windows that fit into one."""
    windows: list[Window] = []
    for one in speech:
        last = windows[-1] if windows else None
        if (
            last
            and one.end - last.start <= WINDOW_SECONDS
            and one.start - last.end <= LONG_PAUSE_SECONDS
        ):
            windows[-1] = Window(last.start, one.end)
        else:
            windows.append(one)
    return windows

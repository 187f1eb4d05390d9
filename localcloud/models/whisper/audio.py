"""Decodes recordings of common formats piece by piece, and cuts out the clips that contain speech.

No more than BLOCK_SECONDS of sound are in memory at a time, however long the recording is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
# Seconds of audio that Whisper processes at once.
CLIP_SECONDS = 30
# Seconds of audio in which speech is looked for at once.
BLOCK_SECONDS = 120
# Hours of the longest recording. A few megabytes can last for weeks, and an hour keeps two cores
# busy for minutes.
MAX_HOURS = 10.0
# Samples a second of a recording. Fewer would turn a small file into hours of sound.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4_000, 768_000
# Seconds of a pause that separates two clips.
LONG_PAUSE_SECONDS = 4
# Seconds that are kept of silence, because a word may begin in them.
ONSET_SECONDS = 1
# Seconds by which the time of a frame may differ from the sound before it without being a gap.
GAP_SECONDS = 0.5

# The allowed formats. Playlist formats (hls, concat) make FFmpeg open other files and addresses.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,gsm,matroska,mov,mp3,mpeg,"
    "mpegts,ogg,rm,spx,tta,voc,w64,wav,wv"
)


class AudioError(Exception):
    """The file cannot be transcribed. The message is for the person who submitted it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file could not be decoded as audio: {reason}")


class NoSound(AudioError):
    """The file can be decoded, and has no audio track, as a video without sound."""

    def __init__(self) -> None:
        Exception.__init__(self, "This has no sound: there is no audio track in the file.")


@dataclass(frozen=True)
class Clip:
    """A part of the recording: 16 kHz mono samples from -1 to 1, of which `first` is the number
    of the first, counted from the beginning of the recording."""

    first: int
    samples: NDArray[np.float32]

    @property
    def after(self) -> int:
        """The number of the next sample."""
        return self.first + len(self.samples)

    @property
    def start(self) -> float:
        """Seconds from the beginning of the recording."""
        return self.first / SAMPLE_RATE

    @property
    def end(self) -> float:
        return self.after / SAMPLE_RATE

    def cut(self, start: int, end: int) -> Clip:
        """The samples from `start` to before `end`, counted from the beginning of this clip."""
        return Clip(self.first + start, self.samples[start:end])


class Recording:
    """The first audio track of a file. `seconds` is its length, as the file's packets tell it.

    Raises AudioError for what cannot be decoded, and for what is longer than `max_hours`.
    """

    def __init__(self, path: Path, max_hours: float = MAX_HOURS) -> None:
        self._path = path
        self._max_hours = max_hours
        with _opened(path) as container:
            stream = container.streams.audio[0]
            _check_rate(stream.sample_rate)
            self.seconds = 0.0
            for packet in container.demux(stream):
                self.seconds += float((packet.duration or 0) * (packet.time_base or 0))
                self._check_length(self.seconds)

    def pieces(self) -> Iterator[Clip]:
        """The whole sound, in pieces of less than a second. Damaged packets are skipped.

        A gap between the times of two frames is a gap between two pieces.
        """
        clock = 0
        with _opened(self._path) as container:
            origin = (container.start_time or 0) / av.time_base
            for _, alike in groupby(_frames(container), _shape):
                resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
                for frame in _and_none(alike):
                    if frame:
                        _check_rate(frame.sample_rate)
                        clock += self._gap_before(frame, clock / SAMPLE_RATE + origin)
                        frame.pts = None
                    for resampled in resampler.resample(frame):
                        piece = Clip(clock, _samples(resampled))
                        yield piece
                        clock = piece.after
                        self._check_length(piece.end)
        if not clock:
            raise AudioError("it holds no sound.")

    def _gap_before(self, frame: av.AudioFrame, expected: float) -> int:
        """The number of samples missing before a frame that was expected at that second."""
        gap = 0.0 if frame.time is None else frame.time - expected
        return round(gap * SAMPLE_RATE) if GAP_SECONDS < gap < self._max_hours * 3600 else 0

    def _check_length(self, seconds: float) -> None:
        if seconds > self._max_hours * 3600:
            raise AudioError(f"it is longer than {self._max_hours:g} hours.")


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The file with at least one audio track. Raises AudioError, also for FFmpeg's errors."""
    options = {"format_whitelist": FORMATS}
    try:
        with av.open(str(path), metadata_errors="ignore", container_options=options) as container:
            if not container.streams.audio:
                raise NoSound
            yield container
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        raise AudioError("it is damaged, or not a recording of a known format.") from error
    except av.error.FFmpegError as error:
        raise AudioError(f"{error.strerror}.") from error


def _check_rate(rate: int) -> None:
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"it has {rate:,} samples a second; {MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,} work."
        )


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    for packet in container.demux(container.streams.audio[0]):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _samples(frame: av.AudioFrame) -> NDArray[np.float32]:
    return np.asarray(frame.to_ndarray(), np.float32).reshape(-1)


def _shape(frame: av.AudioFrame) -> tuple[str, str, int]:
    """What a resampler needs to stay the same; a file can change it."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _and_none(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    """The frames, and None, at which a resampler returns the rest."""
    yield from frames
    yield None


def speech(pieces: Iterable[Clip]) -> Iterator[Clip]:
    """Clips of at most 30 s that contain all speech, with boundaries in pauses."""
    held: list[Clip] = []
    for piece in pieces:
        if held and piece.first > held[-1].after:
            yield from _speech_in(_joined(held))[0]
            held = []
        held.append(piece)
        if piece.end - held[0].start >= BLOCK_SECONDS:
            found, rest = _speech_in(_joined(held), more=True)
            yield from found
            held = [rest]
    if held:
        yield from _speech_in(_joined(held))[0]


def _joined(pieces: Sequence[Clip]) -> Clip:
    return Clip(pieces[0].first, np.concatenate([piece.samples for piece in pieces]))


def _speech_in(block: Clip, *, more: bool = False) -> tuple[list[Clip], Clip]:
    """The clips with speech, and the rest of the block if `more` sound follows it.

    The rest holds the last clip, unless a long pause has ended it.
    """
    options = VadOptions(max_speech_duration_s=CLIP_SECONDS, min_silence_duration_ms=160)
    found = get_speech_timestamps(block.samples, options, sampling_rate=SAMPLE_RATE)
    spans = merge([(span["start"], span["end"]) for span in found])
    length = len(block.samples)
    rest = max(0, length - ONSET_SECONDS * SAMPLE_RATE)
    if more and spans and length - spans[-1][1] < LONG_PAUSE_SECONDS * SAMPLE_RATE:
        rest = spans.pop()[0]
    return [block.cut(*span) for span in spans], block.cut(rest, length)


def merge(speech: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join neighbouring spans, as numbers of samples, that fit into one clip."""
    spans: list[tuple[int, int]] = []
    for start, end in speech:
        if (
            spans
            and end - spans[-1][0] <= CLIP_SECONDS * SAMPLE_RATE
            and start - spans[-1][1] <= LONG_PAUSE_SECONDS * SAMPLE_RATE
        ):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans

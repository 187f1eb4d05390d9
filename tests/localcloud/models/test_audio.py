"""Recordings in pieces, and the clips that hold their speech."""

from __future__ import annotations

import subprocess
import sys
import wave
from collections.abc import Iterator
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.localcloud.models.cogserver import MODELS
from tests.localcloud.models.modules import load

EXAMPLE = MODELS.parents[1] / "examples" / "tea.mp3"
SECOND = 1 / 3600

audio: Any = load("whisper", "audio")


def whole(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """All samples of a recording."""
    return np.concatenate([piece.samples for piece in audio.Recording(path).pieces()])


def repeated(samples: np.ndarray[Any, Any]) -> Iterator[Any]:
    """The samples again and again, in pieces of a second, without an end."""
    loop = np.concatenate([samples, np.zeros(5 * audio.SAMPLE_RATE, np.float32)])
    for second in count():
        first = second * audio.SAMPLE_RATE
        yield audio.Clip(first, loop.take(range(first, first + audio.SAMPLE_RATE), mode="wrap"))


def test_a_recording_is_decoded_whole() -> None:
    samples = whole(EXAMPLE)
    assert 20 * audio.SAMPLE_RATE < len(samples) < 90 * audio.SAMPLE_RATE
    assert abs(samples).max() <= 1.0
    assert abs(audio.Recording(EXAMPLE).seconds - len(samples) / audio.SAMPLE_RATE) < 0.2


def test_one_that_is_too_long_is_refused_before_it_is_decoded() -> None:
    """A small file can hold weeks of silence."""
    seconds = audio.Recording(EXAMPLE).seconds
    audio.Recording(EXAMPLE, (seconds + 1) * SECOND)
    with pytest.raises(audio.AudioError, match=r"it is longer than 0\.\d+ hours\."):
        audio.Recording(EXAMPLE, (seconds - 1) * SECOND)


@pytest.mark.parametrize("rate", [1, 3_999, 1_000_000])
def test_a_sample_rate_that_no_recording_has(tmp_path: Path, rate: int) -> None:
    """400 kB with one sample a second would be 55 hours, and gigabytes once resampled."""
    path = tmp_path / "slow.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(20_000))
    with pytest.raises(audio.AudioError, match=rf"it has {rate:,} samples a second; 4,000 to"):
        audio.Recording(path)


def test_speech_is_found_before_the_recording_ends() -> None:
    """The length of a recording does not show in memory: this one never ends."""
    taken = 0

    def counted() -> Iterator[Any]:
        nonlocal taken
        for piece in repeated(whole(EXAMPLE)):
            taken = piece.after
            yield piece

    behind = []
    for clip in islice(audio.speech(counted()), 20):
        assert len(clip.samples) <= audio.CLIP_SECONDS * audio.SAMPLE_RATE
        behind.append(taken - clip.first)
    assert taken > 5 * audio.BLOCK_SECONDS * audio.SAMPLE_RATE / 2
    assert max(behind) <= (audio.BLOCK_SECONDS + 1) * audio.SAMPLE_RATE


def test_blocks_do_not_show_in_the_clips() -> None:
    """Clips end in pauses also where a block ends, and their samples are those of their time."""
    samples = whole(EXAMPLE)
    everything = np.concatenate(
        [piece.samples for piece in islice(repeated(samples), 3 * audio.BLOCK_SECONDS)]
    )
    pieces = [
        audio.Clip(first, everything[first : first + 999])
        for first in range(0, len(everything), 999)
    ]
    clips = list(audio.speech(pieces))
    at_once = audio._speech_in(audio.Clip(0, everything))[0]
    assert len(clips) == len(at_once)
    for clip, expected in zip(clips, at_once, strict=True):
        assert abs(clip.start - expected.start) < 0.2
        assert abs(clip.end - expected.end) < 0.2
        assert np.array_equal(clip.samples, everything[clip.first : clip.after])
    assert all(one.after <= two.first for one, two in pairwise(clips))


def test_long_silence_is_passed_over() -> None:
    silence = [audio.Clip(first, np.zeros(16_000, np.float32)) for first in range(0, 10**7, 16_000)]
    speech = whole(EXAMPLE)
    clips = list(audio.speech([*silence, audio.Clip(silence[-1].after, speech)]))
    assert clips
    assert abs(clips[0].first - silence[-1].after) < audio.SAMPLE_RATE


def test_a_gap_in_the_times_is_kept(tmp_path: Path) -> None:
    """A paused capture leaves one. Without it, all later times would be too early."""
    path = tmp_path / "paused.mka"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for start in (0, 10 * 16_000):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 16_000), np.int16), layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    pieces = list(audio.Recording(path).pieces())
    later = [piece.start for piece in pieces if piece.start > 2]
    assert abs(min(later) - 10) < 0.3
    assert abs(pieces[-1].end - 11) < 0.3


# Prints the most bytes of memory that it took to find the speech in a recording.
PEAK = """
import resource, sys
from pathlib import Path
from audio import Recording, speech
print(sum(1 for _ in speech(Recording(Path(sys.argv[1])).pieces())))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow(
    "looks for speech in an hour of sound: 20 s;"
    " test_speech_is_found_before_the_recording_ends stands for it"
)
def test_an_hour_takes_no_more_memory_than_ten_minutes(tmp_path: Path) -> None:
    peaks = []
    for minutes in (10, 60):
        path = tmp_path / f"{minutes}.flac"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("flac", rate=audio.SAMPLE_RATE, layout="mono")
            assert isinstance(stream, av.AudioStream)
            for piece in islice(repeated(whole(EXAMPLE)), minutes * 60):
                sound = (piece.samples[None] * 32_000).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
                frame.sample_rate = audio.SAMPLE_RATE
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        command = [sys.executable, "-c", PEAK, str(path)]
        told = subprocess.run(command, cwd=MODELS / "whisper", capture_output=True, check=True)
        clips, peak = map(int, told.stdout.split())
        assert clips > minutes
        peaks.append(peak)
    assert abs(peaks[1] - peaks[0]) < 50_000_000

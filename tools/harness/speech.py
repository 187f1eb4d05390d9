"""Texts read aloud by Debian's espeak-ng, with noise: recordings whose every second is known."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allthethings.assets.sentences import Span, spans

PROGRAM = "espeak-ng"
# Samples a second of what espeak-ng writes.
RATE = 22_050
# Seconds of silence after a sentence, and after a paragraph, as people leave them who read aloud.
PAUSE, LONG_PAUSE = 0.6, 1.2
# The largest number of a sample of 16 bits.
LOUDEST = 32_767

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Speaker:
    """Who reads, and where: a voice of espeak-ng, its words a minute, and how many decibels louder
    than the noise it is."""

    voice: str
    speed: int
    above_noise: float


@dataclass(frozen=True)
class Spoken:
    """A sentence of a recording: characters `span` of a paragraph, from `start` to `end` in
    seconds."""

    paragraph: int
    span: Span
    start: float
    end: float

    def second_of(self, character: int) -> float:
        """When this character of the paragraph is spoken, if all take as long."""
        share = (character - self.span.start) / (self.span.end - self.span.start)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Recording:
    """A WAV file, and its sentences in order."""

    wav: bytes
    sentences: Sequence[Spoken]

    @property
    def seconds(self) -> float:
        """How long it is, but for the pause at its end."""
        return self.sentences[-1].end

    def sentence_at(self, paragraph: int, character: int) -> Spoken:
        """The sentence that has this character of a paragraph."""
        return next(
            each
            for each in self.sentences
            if each.paragraph == paragraph and character < each.span.end
        )


def is_here() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which(PROGRAM) is not None


def record(paragraphs: Sequence[str], speaker: Speaker, seed: int) -> Recording:
    """Paragraphs read sentence by sentence. The noise is the same for the same seed."""
    parts: list[Samples] = []
    sentences: list[Spoken] = []
    at = 0
    for number, paragraph in enumerate(paragraphs):
        for span in spans(paragraph):
            said = _say(span.of(paragraph), speaker)
            sentences.append(Spoken(number, span, at / RATE, (at + len(said)) / RATE))
            parts += [said, _silence(PAUSE)]
            at += len(said) + len(parts[-1])
        parts.append(_silence(LONG_PAUSE - PAUSE))
        at += len(parts[-1])
    clean = np.concatenate(parts)
    noise = _noise(len(clean), seed) * _loudness(clean) / 10 ** (speaker.above_noise / 20)
    return Recording(_wav(clean + noise), sentences)


def _say(text: str, speaker: Speaker) -> Samples:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = [PROGRAM, "-v", speaker.voice, "-s", str(speaker.speed), "-b", "1", "-z"]
        subprocess.run([*command, "-w", file.name, "--stdin"], input=text.encode(), check=True)
        with wave.open(file.name) as said:
            if said.getframerate() != RATE:
                raise ValueError(f"{PROGRAM} writes {said.getframerate()} samples a second")
            samples = np.frombuffer(said.readframes(said.getnframes()), "<i2")
    return samples.astype(np.float32)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def _noise(length: int, seed: int) -> Samples:
    """Pink noise, as a room has it: each octave is equally loud. Its loudness is 1."""
    waves = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    waves[1:] /= np.sqrt(np.arange(1, len(waves)))
    noise = np.fft.irfft(waves, length).astype(np.float32)
    return noise / _loudness(noise)


def _loudness(samples: Samples) -> np.float32:
    return np.float32(np.sqrt(np.mean(np.square(samples))))


def _wav(samples: Samples) -> bytes:
    """16 bits a sample; what would be too loud is made softer as a whole."""
    samples = samples * min(1.0, LOUDEST / float(np.abs(samples).max()))
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()

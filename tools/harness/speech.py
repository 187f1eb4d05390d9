"""Texts read aloud by programs of Debian, with noise: recordings whose every second is known."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import unicodedata
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allthethings.assets.sentences import Span, spans

# Seconds of silence after a sentence, and after a paragraph, as people leave them who read aloud.
PAUSE, LONG_PAUSE = 0.6, 1.2
# About the words a minute of flite's voices as they are.
FLITE_SPEED = 175
# The largest number of a sample of 16 bits.
LOUDEST = 32_767

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Engine:
    """A program that reads aloud. Debian's package has its name. `rate` is the samples a second
    that it writes. `arguments` are those that make it read its input into a file, for a voice and
    words a minute; it reads what `readable` makes of a text."""

    name: str
    rate: int
    voices: tuple[str, ...]
    arguments: Callable[[str, int, str], Sequence[str]]
    readable: Callable[[str], str] = str

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        return shutil.which(self.name) is not None


@dataclass(frozen=True)
class Speaker:
    """Who reads, and where: an engine's voice, its words a minute, and how many decibels louder
    than the noise it is."""

    engine: Engine
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


def ascii_letters(text: str) -> str:
    """Without accents, and with nothing but ASCII: a dash is a comma, what has no like is left
    out."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2013", ", ").replace("\u2014", ", "))
    return plain.encode("ascii", "ignore").decode()


def _espeak(voice: str, speed: int, file: str) -> Sequence[str]:
    return ["-v", voice, "-s", str(speed), "-b", "1", "-z", "-w", file, "--stdin"]


def _flite(voice: str, speed: int, file: str) -> Sequence[str]:
    stretch = f"duration_stretch={FLITE_SPEED / speed:.3f}"
    return ["-voice", voice, "--setf", stretch, "-f", "/dev/stdin", "-o", file]


ENGINES = (
    # Its voices are computed from rules.
    Engine(
        "espeak-ng",
        22_050,
        ("en-us", "en-gb", "en-gb-scotland", "en-us+f2", "en-gb+f4"),
        _espeak,
    ),
    # Its voices were learned from recordings of two Americans and a Scot.
    Engine("flite", 16_000, ("slt", "rms", "awb"), _flite, ascii_letters),
)


def record(paragraphs: Sequence[str], speaker: Speaker, seed: int) -> Recording:
    """Paragraphs read sentence by sentence. The noise is the same for the same seed."""
    rate = speaker.engine.rate
    parts: list[Samples] = []
    sentences: list[Spoken] = []
    at = 0
    for number, paragraph in enumerate(paragraphs):
        for span in spans(paragraph):
            said = _say(span.of(paragraph), speaker)
            sentences.append(Spoken(number, span, at / rate, (at + len(said)) / rate))
            parts += [said, _silence(PAUSE, rate)]
            at += len(said) + len(parts[-1])
        parts.append(_silence(LONG_PAUSE - PAUSE, rate))
        at += len(parts[-1])
    clean = np.concatenate(parts)
    noise = _noise(len(clean), seed) * _loudness(clean) / 10 ** (speaker.above_noise / 20)
    return Recording(_wav(clean + noise, rate), sentences)


def _say(text: str, speaker: Speaker) -> Samples:
    engine = speaker.engine
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        arguments = engine.arguments(speaker.voice, speaker.speed, file.name)
        said = engine.readable(text).encode()
        subprocess.run([engine.name, *arguments], input=said, check=True, capture_output=True)
        with wave.open(file.name) as read:
            if read.getframerate() != engine.rate:
                raise ValueError(f"{engine.name} writes {read.getframerate()} samples a second")
            samples = np.frombuffer(read.readframes(read.getnframes()), "<i2")
    return samples.astype(np.float32)


def _silence(seconds: float, rate: int) -> Samples:
    return np.zeros(round(seconds * rate), np.float32)


def _noise(length: int, seed: int) -> Samples:
    """Pink noise, as a room has it: each octave is equally loud. Its loudness is 1."""
    waves = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    waves[1:] /= np.sqrt(np.arange(1, len(waves)))
    noise = np.fft.irfft(waves, length).astype(np.float32)
    return noise / _loudness(noise)


def _loudness(samples: Samples) -> np.float32:
    return np.float32(np.sqrt(np.mean(np.square(samples))))


def _wav(samples: Samples, rate: int) -> bytes:
    """16 bits a sample; what would be too loud is made softer as a whole."""
    samples = samples * min(1.0, LOUDEST / float(np.abs(samples).max()))
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()

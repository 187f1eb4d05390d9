"""Transcribes the clips of a recording with Whisper, in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from audio import SAMPLE_RATE, Clip, speech
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray
from sentences import Word, sentences

# Clips that are decoded together. Larger batches are no faster on two cores, and progress and
# cancellation have to wait for the end of a batch.
BATCH = 4
# Whisper's frames, the unit of `seek`.
FRAMES_PER_SECOND = 100

# The most seconds between two clips that are decoded together. Faster-whisper only asks whether
# there was a pause.
PAUSE_SECONDS = 5
# The language of a recording in which nobody speaks.
DEFAULT_LANGUAGE = "en"

Segment = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """The options of a transcription.

    `temperatures` are tried in turn until the text of a clip passes Whisper's checks.
    """

    task: str = "transcribe"
    language: str | None = None
    temperatures: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    suppress_tokens: Sequence[int] = (-1,)
    patience: float = 1.0
    initial_prompt: str | None = None
    condition_on_previous_text: bool = True
    logprob_threshold: float = -1.0
    no_speech_threshold: float = 0.6
    compression_ratio_threshold: float = 2.4

    def is_silent(self, chunk: Any) -> bool:
        return bool(
            chunk.no_speech_prob > self.no_speech_threshold
            and chunk.avg_logprob < self.logprob_threshold
        )

    def wants_another(self, chunk: Any) -> bool:
        """Whether a clip has to be decoded again, by Whisper's own rules.

        That is so if its text repeats itself or is improbable, and always if sampling is
        requested, which the batched decoder cannot do.
        """
        failed = (
            chunk.compression_ratio > self.compression_ratio_threshold
            or chunk.avg_logprob < self.logprob_threshold
        )
        return self.temperatures[0] > 0 or (failed and len(self.temperatures) > 1)


class Transcriber:
    """A CTranslate2 Whisper model on the CPU. Only one thread at a time may use it."""

    def __init__(self, folder: str, threads: int | None = None) -> None:
        threads = threads or os.cpu_count() or 1
        self._model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)
        self._pipeline = BatchedInferencePipeline(self._model)
        self._end_of_text = self._model.hf_tokenizer.token_to_id("<|endoftext|>")
        get_vad_model()

    def knows(self, language: str) -> bool:
        return self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None

    def transcribe(
        self, pieces: Iterable[Clip], task: Task, progress: Callable[[float], None]
    ) -> tuple[str, list[Segment]]:
        """The language's code and the segments, in the format of openai-whisper.

        `pieces` are the sound from the beginning to the end; they are taken as they are needed.
        `progress` is called after each batch with the number of transcribed seconds.
        """
        clips = speech(pieces)
        opening = list(islice(clips, 1))
        language = task.language or self._language_of(opening)
        segments: list[Segment] = []
        clips = chain(opening, clips)
        while batch := list(islice(clips, BATCH)):
            for clip, offset, chunk in self._decode(batch, language, task):
                segments += self._split(chunk, clip, offset, language, len(segments))
            progress(batch[-1].end)
        return language, segments

    def _language_of(self, clips: Sequence[Clip]) -> str:
        """The code of the language spoken in the first clip ("en")."""
        if not clips or not self._model.model.is_multilingual:
            return DEFAULT_LANGUAGE
        code: str = self._model.detect_language(clips[0].samples)[0]
        return code

    def _decode(
        self, clips: Sequence[Clip], language: str, task: Task
    ) -> Iterator[tuple[Clip, float, Any]]:
        """The chunks of text of the clips, which are decoded together. Silence has none.

        Each comes with its clip and the seconds to add to its times.
        """
        sound, places = _side_by_side(clips)
        ends = [place + clip.end - clip.start for place, clip in zip(places, clips, strict=True)]
        chunks, _ = self._pipeline.transcribe(
            sound,
            clip_timestamps=[
                {"start": place, "end": end} for place, end in zip(places, ends, strict=True)
            ],
            batch_size=BATCH,
            beam_size=1,
            temperature=0.0,
            **self._settings(language, task),
        )
        for chunk in chunks:
            began = chunk.seek / FRAMES_PER_SECOND
            number = min(range(len(clips)), key=lambda one: abs(places[one] - began))
            clip = clips[number]
            if task.is_silent(chunk):
                continue
            if task.wants_another(chunk):
                for again in self._decode_again(clip, language, task):
                    yield clip, clip.start, again
            else:
                yield clip, clip.start - places[number], chunk

    def _decode_again(self, clip: Clip, language: str, task: Task) -> Iterable[Any]:
        """The chunks of a clip that is decoded alone, with their times in the clip."""
        chunks, _ = self._model.transcribe(
            clip.samples,
            temperature=list(task.temperatures),
            condition_on_previous_text=task.condition_on_previous_text,
            log_prob_threshold=task.logprob_threshold,
            no_speech_threshold=task.no_speech_threshold,
            compression_ratio_threshold=task.compression_ratio_threshold,
            **self._settings(language, task),
        )
        found: Iterable[Any] = chunks
        return found

    def _settings(self, language: str, task: Task) -> dict[str, Any]:
        return {
            "language": language,
            "task": task.task,
            "patience": task.patience,
            "initial_prompt": task.initial_prompt,
            "suppress_tokens": list(task.suppress_tokens),
            "word_timestamps": True,
        }

    def _split(
        self, chunk: Any, clip: Clip, offset: float, language: str, count: int
    ) -> Iterator[Segment]:
        """Segments of about one sentence, each with the chunk's measurements."""
        words = [Word(w.start + offset, w.end + offset, w.word) for w in chunk.words or ()]
        tokens = [token for token in chunk.tokens if token < self._end_of_text]
        for number, group in enumerate(sentences(words, language), count):
            text = "".join(word.text for word in group)
            used = self._tokens_of(text, tokens)
            yield {
                "id": number,
                "seek": int(clip.start * FRAMES_PER_SECOND),
                "start": round(float(group[0].start), 2),
                "end": round(float(group[-1].end), 2),
                "text": text,
                "tokens": tokens[:used],
                "temperature": chunk.temperature,
                "avg_logprob": chunk.avg_logprob,
                "compression_ratio": chunk.compression_ratio,
                "no_speech_prob": chunk.no_speech_prob,
            }
            tokens = tokens[used:]

    def _tokens_of(self, text: str, tokens: Sequence[int]) -> int:
        """The number of leading tokens that make up the text."""
        for count in range(1, len(tokens)):
            decoded = self._model.hf_tokenizer.decode(tokens[:count])
            # A character of several bytes can be split between tokens.
            if len(decoded) >= len(text) and not decoded.endswith("\ufffd"):
                return count
        return len(tokens)


def _side_by_side(clips: Sequence[Clip]) -> tuple[NDArray[np.float32], list[float]]:
    """The clips in one array, with silence before each, and the second at which each begins."""
    parts: list[NDArray[np.float32]] = []
    places, length, before = [], 0, 0
    for clip in clips:
        pause = min(clip.first - before, PAUSE_SECONDS * SAMPLE_RATE)
        parts += [np.zeros(pause, np.float32), clip.samples]
        places.append((length + pause) / SAMPLE_RATE)
        length, before = length + pause + len(clip.samples), clip.after
    return np.concatenate(parts), places

"""Transcribes the windows of a recording with Whisper, in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from audio import Window, speech_windows
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray
from sentences import Word, sentences

# Windows that are decoded together. Larger batches are no faster on two cores, and progress and
# cancellation have to wait for the end of a batch.
BATCH = 4
# Whisper's frames, the unit of `seek`.
FRAMES_PER_SECOND = 100

Audio = NDArray[np.float32]
Segment = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """The options of a transcription.

    `temperatures` are tried in turn until the text of a window passes Whisper's checks.
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
        """Whether a window has to be decoded again, by Whisper's own rules.

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

    def detect_language(self, audio: Audio, windows: Sequence[Window]) -> str:
        """The code of the language spoken in the first window ("en")."""
        if not self._model.model.is_multilingual:
            return "en"
        code: str = self._model.detect_language(windows[0].of(audio) if windows else audio)[0]
        return code

    def transcribe(
        self, audio: Audio, task: Task, progress: Callable[[float], None]
    ) -> tuple[str, list[Segment]]:
        """The language's code and the segments, in the format of openai-whisper.

        `progress` is called after each batch with the number of transcribed seconds.
        """
        windows = speech_windows(audio)
        language = task.language or self.detect_language(audio, windows)
        segments: list[Segment] = []
        for first in range(0, len(windows), BATCH):
            batch = windows[first : first + BATCH]
            for chunk in self._decode(audio, batch, language, task):
                window = min(batch, key=lambda one: abs(one.start * FRAMES_PER_SECOND - chunk.seek))
                for decoded in self._decode_again(audio, window, chunk, language, task):
                    segments += self._split(decoded, window, language, len(segments))
            progress(batch[-1].end)
        return language, segments

    def _decode(
        self, audio: Audio, windows: Sequence[Window], language: str, task: Task
    ) -> Iterable[Any]:
        """One chunk for each window. The windows are decoded together."""
        clips = [{"start": window.start, "end": window.end} for window in windows]
        chunks, _ = self._pipeline.transcribe(
            audio,
            clip_timestamps=clips,
            batch_size=BATCH,
            beam_size=1,
            temperature=0.0,
            **self._settings(language, task),
        )
        found: Iterable[Any] = chunks
        return found

    def _decode_again(
        self, audio: Audio, window: Window, chunk: Any, language: str, task: Task
    ) -> Iterator[tuple[float, Any]]:
        """The chunk, or those of a second decoding of its window, with the offset of their times.

        Silence gives nothing.
        """
        if task.is_silent(chunk):
            return
        if not task.wants_another(chunk):
            yield 0.0, chunk
            return
        again, _ = self._model.transcribe(
            window.of(audio),
            temperature=list(task.temperatures),
            condition_on_previous_text=task.condition_on_previous_text,
            log_prob_threshold=task.logprob_threshold,
            no_speech_threshold=task.no_speech_threshold,
            compression_ratio_threshold=task.compression_ratio_threshold,
            **self._settings(language, task),
        )
        for decoded in again:
            yield window.start, decoded

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
        self, decoded: tuple[float, Any], window: Window, language: str, count: int
    ) -> Iterator[Segment]:
        """Segments of about one sentence, each with the chunk's measurements."""
        offset, chunk = decoded
        words = [Word(w.start + offset, w.end + offset, w.word) for w in chunk.words or ()]
        tokens = [token for token in chunk.tokens if token < self._end_of_text]
        for number, group in enumerate(sentences(words, language), count):
            text = "".join(word.text for word in group)
            used = self._tokens_of(text, tokens)
            yield {
                "id": number,
                "seek": int(window.start * FRAMES_PER_SECOND),
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

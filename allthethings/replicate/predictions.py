"""Replicate's JSON as small typed values; a bad shape is refused here.

The shape of a prediction is that of Replicate's OpenAPI document (schemas.prediction_response);
the outputs are those of openai/whisper and replicate/all-mpnet-base-v2.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from allthethings.assets.transcripts import Line
from allthethings.errors import MalformedPrediction, UnusableThing

DIMENSIONS = 768
MAX_FLOAT32 = 3.4e38
"""Vectors are kept as float32."""

UNDER_WAY = frozenset({"starting", "processing"})
TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})

KEPT = timedelta(hours=1)
"""How long Replicate keeps what came of a prediction that was made through its API."""

WHY = {
    "failed": "The model failed, and gave no reason.",
    "canceled": "The prediction was cancelled at Replicate.",
    "aborted": "Replicate aborted the prediction before the model began with it.",
}
"""In words, for a prediction whose end has no reason with it."""

TAIL = 10_000
"""Characters of a log, from its end, in which progress is looked for."""
METER = re.compile(
    r"\s*(\d{1,3})%(?:\s*\|[^|]*\|)?\s*\d+(?:\.\d+)?/\d+(?:\.\d+)?(?![\d.]*[A-Za-z])"
)
"""tqdm's line, ` 37%|███▋      | 111/300 [00:10<00:17, 11.10s/s]`, with or without its bar. A
download of weights counts in units, `1.2G/3.1G`, and is none."""


@dataclass(frozen=True)
class Prediction:
    """What one run of a model has come to. `output` has the model's own shape, or is None;
    `started_at` is when the model began with it, `completed_at` when it ended."""

    id: str
    status: str
    output: Any = None
    error: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    logs: str = field(default="", compare=False, repr=False)

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    def lost_its_output(self, at: datetime) -> bool:
        """Whether it succeeded, and so long ago that Replicate has removed what came of it."""
        ended = self.completed_at
        return self.succeeded and self.output is None and ended is not None and at - ended > KEPT

    def why_it_failed(self) -> str:
        """A sentence for the page about a prediction that finished without succeeding."""
        if self.error:
            return self.error
        return WHY.get(self.status, f"Replicate ended the prediction as {self.status}.")

    @property
    def share_done(self) -> float | None:
        """How much of its work is done, 0 to 1, as far as its log tells."""
        return parse_progress(self.logs)


@dataclass(frozen=True)
class Transcript:
    """What Whisper heard. `segments` may be empty although there is text."""

    text: str
    segments: tuple[Line, ...]


def parse_prediction(payload: object) -> Prediction:
    """A payload as a Prediction; raises MalformedPrediction for anything else."""
    if not isinstance(payload, Mapping):
        raise MalformedPrediction("A prediction is a JSON object.")
    identity, status, error = payload.get("id"), payload.get("status"), payload.get("error")
    if not isinstance(identity, str) or not 1 <= len(identity) <= 200:
        raise MalformedPrediction("A prediction has an id.")
    if status not in UNDER_WAY | TERMINAL if isinstance(status, str) else True:
        raise MalformedPrediction("A prediction has a status that Replicate documents.")
    reason = None if error in (None, "") else _encodable(str(error)[:2_000])
    return Prediction(_encodable(identity), str(status), payload.get("output"), reason)


def parse_transcript(output: object) -> Transcript:
    """Whisper's output; raises UnusableThing, in words for the page, when it has no transcription.

    Segments that do not have the documented shape are left out: the text is what counts.
    """
    text = output.get("transcription") if isinstance(output, Mapping) else None
    if not isinstance(text, str):
        raise UnusableThing("Whisper answered without a transcription.")
    text = _encodable(text)
    segments = output.get("segments") if isinstance(output, Mapping) else None
    found = segments if isinstance(segments, Sequence) and not isinstance(segments, str) else ()
    return Transcript(text.strip(), tuple(filter(None, map(_segment, found))))


def _segment(value: object) -> Line | None:
    if not isinstance(value, Mapping):
        return None
    start, end, text = value.get("start"), value.get("end"), value.get("text")
    if not (_is_number(start) and _is_number(end) and isinstance(text, str) and text.strip()):
        return None
    return Line(max(0.0, float(start)), max(0.0, float(end)), _encodable(text).strip())


def _encodable(text: str) -> str:
    """JSON can spell half a surrogate pair; nothing that stores text takes it."""
    return text.encode("utf-8", "replace").decode()


def parse_embeddings(output: object, count: int) -> list[list[float]]:
    """`count` vectors of 768 numbers that fit float32; raises UnusableThing for anything else."""
    items = output if isinstance(output, Sequence) and not isinstance(output, str) else []
    if len(items) != count:
        raise UnusableThing(f"The embedding model answered {len(items)} vectors for {count} texts.")
    return [_vector(item) for item in items]


def _vector(item: object) -> list[float]:
    values = item.get("embedding") if isinstance(item, Mapping) else None
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != DIMENSIONS:
        raise UnusableThing(f"The embedding model answered without a vector of {DIMENSIONS}.")
    if not all(_is_number(value, MAX_FLOAT32) for value in values):
        raise UnusableThing("The embedding model answered a vector with no finite numbers in it.")
    return [float(value) for value in values]


def parse_progress(logs: object) -> float | None:
    """The share, 0 to 1, of the last line of a progress bar in a log; None when there is none.

    What a model prints is its own affair: nothing in it is an error here.
    """
    if not isinstance(logs, str):
        return None
    for line in reversed(re.split(r"[\r\n]", logs[-TAIL:])):
        if found := METER.match(line):
            return min(int(found[1]), 100) / 100
    return None


def _is_number(value: Any, largest: float = sys.float_info.max) -> TypeGuard[float]:
    """Not for NaN, nor for what lies beyond `largest`: an int of JSON can be of any length."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -largest <= value <= largest

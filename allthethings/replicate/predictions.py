"""Replicate's JSON as small typed values; a bad shape is refused here.

The shape of a prediction is that of Replicate's OpenAPI document (schemas.prediction_response);
the outputs are those of openai/whisper and replicate/all-mpnet-base-v2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    OnErrorOmit,
    TypeAdapter,
    ValidationError,
)

from allthethings.assets.texts import encodable
from allthethings.assets.transcripts import Line
from allthethings.errors import ErrorCode, MalformedPrediction, UnusableThing
from allthethings.replicate.records import record

# Numbers in a vector of all-mpnet-base-v2.
DIMENSIONS = 768
# The largest number in a vector: vectors are stored as float32.
MAX_FLOAT32 = 3.4e38
# Characters of a prediction's error that are kept.
MAX_REASON = 2_000

UNDER_WAY = frozenset({"starting", "processing"})
TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})

# Why a payload is refused, by the field that is missing or wrong.
MALFORMED = {
    "id": "A prediction has an id.",
    "status": "A prediction has a status that Replicate documents.",
}
# Sentences for predictions that ended without a reason of their own, by status.
WHY = {
    "failed": "The model failed, and gave no reason.",
    "canceled": "The prediction was cancelled at Replicate.",
    "aborted": "Replicate aborted the prediction before the model began with it.",
}

# Characters at the end of a log in which the last progress line is looked for.
TAIL = 10_000
# tqdm's line, ` 37%|███▋      | 111/300 [00:10<00:17, 11.10s/s]`, with or without its bar. The
# download of weights is excluded: it counts in units, `1.2G/3.1G`.
METER = re.compile(
    r"\s*(\d{1,3})%(?:\s*\|[^|]*\|)?\s*\d+(?:\.\d+)?/\d+(?:\.\d+)?(?![\d.]*[A-Za-z])"
)


@dataclass(frozen=True)
class Prediction:
    """What one run of a model has come to. `output` has the model's own shape, or is None;
    `started_at` is when the model began with it; `input` is what the model was given and `version`
    which model that was, as far as that is told. With `data_removed` Replicate has deleted the
    input, the output and the log, which it keeps for an hour. `told` is what is kept of it."""

    id: str
    status: str
    output: Any = None
    error: str | None = None
    started_at: datetime | None = None
    logs: str = field(default="", compare=False, repr=False)
    input: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    version: str | None = field(default=None, compare=False)
    data_removed: bool = False
    told: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @property
    def lost_its_output(self) -> bool:
        """Whether it succeeded, and Replicate has deleted what came of it."""
        return self.succeeded and self.data_removed

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


def _encodable(value: object) -> object:
    return encodable(value) if isinstance(value, str) else value


def _reason(error: object) -> str | None:
    """What Replicate gives as the error, shortened; any JSON but null and "" becomes text."""
    return None if error in (None, "") else str(_encodable(str(error)[:MAX_REASON]))


def _mapping(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> object:
    return value if isinstance(value, list) else []


def _text(value: object) -> object:
    return _encodable(value) if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    """A time of Replicate's, which is UTC where it does not say."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_Text = Annotated[str, BeforeValidator(_encodable)]
_Seconds = Annotated[float, AfterValidator(lambda seconds: max(0.0, seconds))]
_Float32 = Annotated[float, Field(ge=-MAX_FLOAT32, le=MAX_FLOAT32)]
_Vector = Annotated[list[_Float32], Field(min_length=DIMENSIONS, max_length=DIMENSIONS), FailFast()]


class _Answer(BaseModel):
    """A part of Replicate's JSON: no conversion between types, other fields are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Payload(_Answer):
    id: Annotated[_Text, Field(min_length=1, max_length=200)]
    status: Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
    output: Any = None
    error: Annotated[str | None, BeforeValidator(_reason)] = None
    input: Annotated[dict[str, Any], BeforeValidator(_mapping)] = {}
    version: Annotated[str, BeforeValidator(_text)] = ""
    started_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    logs: Annotated[str, BeforeValidator(_text)] = ""
    data_removed: Annotated[bool, BeforeValidator(lambda value: value is True)] = False


class _Segment(_Answer):
    start: _Seconds
    end: _Seconds
    text: Annotated[_Text, AfterValidator(str.strip), Field(min_length=1)]


class _WhisperOutput(_Answer):
    transcription: _Text
    segments: Annotated[list[OnErrorOmit[_Segment]], BeforeValidator(_list)] = []


class _Embedding(_Answer):
    embedding: _Vector


_EMBEDDINGS = TypeAdapter(Annotated[list[_Embedding], FailFast()])


class ListedPrediction(BaseModel):
    """What a list of predictions tells of one of them."""

    id: str
    status: str
    created_at: AwareDatetime
    version: str | None = None
    input: Any = None
    model: Any = None
    urls: Any = None

    @property
    def given(self) -> Mapping[str, Any]:
        """What the model was given."""
        return self.input if isinstance(self.input, Mapping) else {}

    def prediction(self) -> Prediction:
        """It as a Prediction, without what a list does not tell."""
        told = record({**dict(self), "created_at": self.created_at.isoformat()})
        return Prediction(self.id, self.status, input=self.given, version=self.version, told=told)


class PredictionPage(BaseModel):
    """One page of the list, newest first, and the path of the next one.

    Rows of another shape are left out: they are of no prediction that the app made.
    """

    results: list[OnErrorOmit[ListedPrediction]]
    next: str | None = None


def parse_prediction(payload: object) -> Prediction:
    """A payload as a Prediction; raises MalformedPrediction for anything else."""
    try:
        found = _Payload.model_validate(payload)
    except ValidationError as error:
        field = next(iter(_places(error)[0]), "")
        raise MalformedPrediction(
            MALFORMED.get(str(field), "A prediction is a JSON object.")
        ) from None
    return Prediction(
        found.id,
        found.status,
        found.output,
        found.error,
        found.started_at,
        found.logs,
        found.input,
        found.version or None,
        found.data_removed,
        record(payload) if isinstance(payload, Mapping) else {},
    )


def parse_transcript(output: object) -> Transcript:
    """Whisper's output; raises UnusableThing, in words for the page, when it has no transcription.

    Segments that do not have the documented shape are left out: the text is what counts.
    """
    try:
        found = _WhisperOutput.model_validate(output)
    except ValidationError:
        raise _unusable("Whisper answered without a transcription.") from None
    segments = (Line(one.start, one.end, one.text) for one in found.segments)
    return Transcript(found.transcription.strip(), tuple(segments))


def parse_text(output: object, model: str) -> str:
    """The text that a model answered with, without half surrogate pairs; raises UnusableThing for
    anything else. `model` is what it is called in sentences."""
    if not isinstance(output, str):
        raise _unusable(f"{model} answered without a text.")
    return encodable(output)


def parse_embeddings(output: object, count: int) -> list[list[float]]:
    """`count` vectors of 768 numbers that fit float32; raises UnusableThing for anything else."""
    items = output if isinstance(output, list) else []
    if len(items) != count:
        raise _unusable(f"The embedding model answered {len(items)} vectors for {count} texts.")
    try:
        return [item.embedding for item in _EMBEDDINGS.validate_python(items)]
    except ValidationError as error:
        in_a_vector = any(len(place) == 3 for place in _places(error))
    if in_a_vector:
        raise _unusable("The embedding model answered a vector with no finite numbers in it.")
    raise _unusable(f"The embedding model answered without a vector of {DIMENSIONS}.")


def _unusable(sentence: str) -> UnusableThing:
    return UnusableThing(sentence, ErrorCode.MODEL_OUTPUT_UNUSABLE)


def _places(error: ValidationError) -> list[tuple[int | str, ...]]:
    """Where the values stand that were refused, such as (0, "embedding", 7)."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [one["loc"] for one in errors]


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

"""Codes for failed predictions. Replicate passes on a sentence of the model's own, so the known
ones are recognised here and nowhere else."""

from __future__ import annotations

import re
from typing import Any

from allthethings.errors import ErrorCode, UnusableThing, code_of_status
from allthethings.replicate.predictions import Prediction

E = ErrorCode

_BY_STATUS = {"canceled": E.PREDICTION_CANCELED, "aborted": E.PREDICTION_ABORTED}

# What a server answered a model's download: as the local Replicate says it, and as the Python
# clients requests and urllib do.
_ANSWERED = re.compile(
    r"^could not download \S+: (\d{3})\b|\b(\d{3}) (?:Client|Server) Error|HTTP Error (\d{3}):"
)

# Sentences of Replicate, of models, and of guardedfetch, which the local Replicate downloads
# with. The first pattern that fits decides.
_SENTENCES: tuple[tuple[str, ErrorCode], ...] = (
    (r"[Ii]nterrupted|model stopped \d+ times", E.MODEL_INTERRUPTED),
    (r"out of memory", E.MODEL_OUT_OF_MEMORY),
    (r"could not be set up|[Ss]erver failed|no longer exists|is not here any more", E.MODEL_BROKEN),
    (r"longer than [\d.,]+ hours", E.RECORDING_TOO_LONG),
    (r"holds no sound", E.NO_SPEECH),
    (r"million in all work|has [\d,]+ pages, more than", E.TOO_LARGE),
    (r"picture could not be read|cannot identify image", E.DOCUMENT_UNREADABLE),
    (r"no audio track|does not contain any stream", E.NO_SOUND),
    (r"could not be decoded|Invalid data found", E.NOT_A_RECORDING),
    (r"no such file", E.NOT_FOUND),
    (r"FETCH_ALLOW", E.ADDRESS_REFUSED),
    (r"The name \S+ does not exist", E.NAME_NOT_FOUND),
    (r"could not be looked up", E.LOOKUP_FAILED),
    (r"certificate|TLS", E.INSECURE_SERVER),
    (r"redirects to a URL", E.BAD_REDIRECT),
    (r"More than \d+ redirects", E.TOO_MANY_REDIRECTS),
    (r"of headers", E.HEADERS_TOO_LARGE),
    (r"content is larger than", E.TOO_LARGE),
    (r"within [\d.]+ s\b|too little came|[Tt]imed? ?out", E.TOO_SLOW),
    (r"broke off|too early|refused the connection|could not be reached|[Cc]onnection reset",
     E.UNREACHABLE),
    (r"proper HTTP|two different Content-Types|encoding not asked for|small chunks|"
     r"damaged compressed", E.BAD_ANSWER),
    (r"not a URL|is not valid|names no host", E.BAD_URL),
)  # fmt: skip
_KNOWN = tuple((re.compile(pattern), code) for pattern, code in _SENTENCES)


def code_of(prediction: Prediction) -> ErrorCode:
    """The code for a prediction that ended without succeeding; MODEL_FAILED where its sentence
    is not known."""
    text = prediction.error or ""
    if answered := _ANSWERED.search(text):
        return code_of_status(int(next(filter(None, answered.groups()))))
    for pattern, code in _KNOWN:
        if pattern.search(text):
            return code
    return _BY_STATUS.get(prediction.status, E.MODEL_FAILED)


def output_of(prediction: Prediction) -> Any:
    """What a finished prediction brought. Raises UnusableThing for one that did not succeed."""
    if not prediction.succeeded:
        raise UnusableThing(prediction.why_it_failed(), code_of(prediction))
    return prediction.output

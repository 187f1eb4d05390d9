"""How a thing stands, in words: what happens to it, what went wrong, and what to do now. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.pipeline.progress import Progress
from allthethings.processors import processor_class
from allthethings.processors.processor import Words
from allthethings.web.formatting import counted

S = AssetStatus

SOON = 2
"""Seconds; what is tried again within them is as good as being tried."""


@dataclass(frozen=True)
class Standing:
    """How a thing stands. `percent` is of the whole way, None where it has ended; `doing` is what
    happens now, `trouble` what failed or what it waits for, `advice` what to do about that, or
    when it is tried again by itself; each empty where there is none."""

    percent: int | None = None
    doing: str = ""
    trouble: str = ""
    advice: str = ""


def standing(asset: Asset, progress: Progress, at: datetime) -> Standing:
    """As it is at that moment."""
    if asset.failed:
        return Standing(trouble=_what_failed(asset), advice=advice(asset))
    if asset.finished:
        return Standing()
    percent = _percent(asset, progress)
    if asset.error:
        trouble = f"It waits: {asset.error.rstrip('.')}."
        return Standing(percent, "Waiting", trouble, _when(asset, at))
    return Standing(percent, _doing(asset, progress))


# -- under way


def _percent(asset: Asset, progress: Progress) -> int:
    steps = processor_class(asset.content_type).steps
    submitted, processing, processed, embedding = steps
    if asset.status is S.PROCESSING:
        return processing + int((processed - processing) * (progress.share or 0.0))
    if asset.status is S.GENERATING_EMBEDDINGS and progress.total:
        return embedding + (99 - embedding) * progress.embedded // progress.total
    return {S.SUBMITTED: submitted, S.PROCESSED: processed}.get(asset.status, embedding)


def _doing(asset: Asset, progress: Progress) -> str:
    if asset.status is S.PROCESSING:
        return _at_the_model(progress, processor_class(asset.content_type).words)
    if asset.status is S.GENERATING_EMBEDDINGS:
        if progress.ahead:
            return f"Waiting for the embedding model. {_before(progress.ahead)}"
        return f"{progress.embedded:,} of {counted(progress.total, 'passage')} embedded"
    if asset.status is S.PROCESSED:
        return f"Cut into {counted(progress.total, 'passage')}"
    return processor_class(asset.content_type).words.submitted


def _at_the_model(progress: Progress, words: Words) -> str:
    if progress.running and progress.share is not None:
        return words.share.format(progress.share)
    if progress.running:
        return words.running
    if progress.ahead:
        return f"Waiting for a model. {_before(progress.ahead)}"
    return "Waiting for a model" if progress.running is False else "A model was asked for its text"


def _before(ahead: int) -> str:
    return f"{counted(ahead, 'thing')} {'is' if ahead == 1 else 'are'} before it."


def _when(asset: Asset, at: datetime) -> str:
    left = (asset.lease_until - at).total_seconds() if asset.lease_until else 0.0
    if left <= SOON:
        return "It is tried again by itself at any moment."
    seconds = ceil(left / 5) * 5
    return f"It is tried again by itself in about {seconds} s."


# -- failed

RETRY = "Retry tries it again."


def _answered(codes: str) -> str:
    """A pattern for a server's answer, as the fetch, the stand-in and Python's clients tell it."""
    return rf"(?:answered|:) (?:{codes})\b|\b(?:{codes}) (?:Client|Server) Error"


ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"^Replicate refused the request \((?:401|402|403)\)",
        "Whoever runs this app should look at its account at Replicate: the token, and what is "
        f"left to pay with. {RETRY}",
    ),
    (
        r"nobody foresaw|could not be set up|server failed",
        f"Whoever runs this app finds more in its log. {RETRY}",
    ),
    (
        r"^Replicate (?:refused|aborted|ended|does not know)|^The prediction was cancell?ed|"
        r"nobody was asked for|did not finish in time|gave no reason|^The embedding model|"
        r"model stopped \d+ times|[Ii]nterrupted|out of memory",
        f"The thing itself is not to blame. {RETRY}",
    ),
    (
        r"longer than [\d.,]+ hours|too long: more than|content is larger than",
        "It is too much for this app. Parts of it can be indexed, each at an address of its own.",
    ),
    (
        r"No speech was heard|no text in it|without a transcription|holds no sound",
        "There may be nothing but music, pictures or silence in it. If there is more by now, "
        "press Retry.",
    ),
    (
        r"No text was found on this page|page could not be read|too tangled",
        "There may be nothing but pictures on it, or it may need script to show its text. Another "
        "address with the same text may work, as one for printing.",
    ),
    (
        r"could not be decoded|no audio track|Invalid data found",
        "Check that the address leads to the recording itself, and not to a page that plays it.",
    ),
    (
        r"FETCH_ALLOW|redirect|certificate|TLS|two different Content-Types|encoding not asked for|"
        r"proper HTTP|small chunks|of headers",
        "Its server, or the address, is set up in a way that this app does not accept. Another "
        "address of the same thing may work.",
    ),
    (
        rf"{_answered('404|410')}|no such file|^The name \S+ does not exist|"
        r"not a URL|is not valid|names no host",
        "Check the address: does it open in a browser? If the thing has moved, index it at its "
        "new address.",
    ),
    (
        _answered("401|402|403|407|451"),
        "Its server does not let this app in. What needs a sign-in cannot be indexed; an open "
        "address of the same thing can.",
    ),
    (
        rf"{_answered('408|425|429|5..')}|within [\d.]+ s\b|took too long|too little came|"
        r"looked up|broke off|too early|could not download|[Tt]imed? ?out",
        "Its server may only be busy, or out of reach for now. Wait a little, then press Retry.",
    ),
)
"""Words of an error, as a pattern, and what a person can do; the first that fits counts."""
NEXT = {
    S.PROCESSING_ERROR: f"{RETRY} If that fails too, check the address and what is there.",
    S.EMBEDDINGS_ERROR: f"Its text is kept. {RETRY} Only what is missing is made again.",
}
STAGE = {
    S.PROCESSING_ERROR: "It could not be turned into text:",
    S.EMBEDDINGS_ERROR: "Its text could not be made searchable:",
}

BEFORE = {
    S.PROCESSING_ERROR: "before it was turned into text",
    S.EMBEDDINGS_ERROR: "before it was searchable",
}


def advice(asset: Asset) -> str:
    """What a person can do about a thing that failed."""
    if asset.cancelled:
        return "Retry begins this step again; Delete removes it."
    for pattern, words in ADVICE:
        if re.search(pattern, asset.error or ""):
            return words
    return NEXT[asset.status]


def _what_failed(asset: Asset) -> str:
    reason = asset.error or "no reason was given."
    if asset.cancelled:
        return f"{reason.rstrip('.')}, {BEFORE[asset.status]}."
    return f"{STAGE[asset.status]} {reason}"

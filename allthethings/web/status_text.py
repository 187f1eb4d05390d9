"""How a thing stands, in words: what happens to it, what went wrong, and what to do now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.pipeline.attempts import MAX_ATTEMPTS
from allthethings.pipeline.progress import Progress
from allthethings.processors import processor_class
from allthethings.processors.processor import Words
from allthethings.web.advice import advice
from allthethings.web.formatting import counted

S = AssetStatus

# Seconds from which on a wait is told in minutes.
MINUTES_FROM = 90
# Seconds within which an attempt is said to begin at any moment.
SOON = 2


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
        return Standing(trouble=_what_failed(asset), advice=_what_to_do(asset))
    if asset.finished:
        return Standing()
    percent = _percent(asset, progress)
    if asset.error:
        return Standing(percent, "Waiting", _trouble(asset), _when(asset, at))
    return Standing(percent, _doing(asset, progress) + _which_attempt(asset))


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
    return "Waiting for a model" if progress.running is False else "Text requested from a model"


def _before(ahead: int) -> str:
    return f"{counted(ahead, 'thing')} {'is' if ahead == 1 else 'are'} ahead of it."


def _which_attempt(asset: Asset) -> str:
    return f" (attempt {asset.attempt} of {MAX_ATTEMPTS})" if asset.attempt > 1 else ""


def _trouble(asset: Asset) -> str:
    """Why it waits: for another attempt after a failed one, or for a service that is away."""
    sentence = f"{(asset.error or '').rstrip('.')}."
    return sentence if asset.next_attempt_at else f"Waiting: {sentence}"


def _when(asset: Asset, at: datetime) -> str:
    """What happens next, and what a person can do where that does not help."""
    begins = asset.next_attempt_at or asset.lease_until
    soon = _soon((begins - at).total_seconds() if begins else 0.0)
    if asset.next_attempt_at:
        return f"Attempt {asset.attempt} of {MAX_ATTEMPTS} {soon}."
    told = f"It will be tried again automatically {soon}."
    return told if asset.retryable or not asset.error_code else f"{told} {advice(asset)}"


def _soon(seconds: float) -> str:
    if seconds <= SOON:
        return "at any moment"
    if seconds > MINUTES_FROM:
        return f"in about {ceil(seconds / 60)} min"
    return f"in about {ceil(seconds / 5) * 5} s"


# -- failed

STAGE = {
    S.PROCESSING_ERROR: "It could not be turned into text:",
    S.EMBEDDINGS_ERROR: "Its text could not be made searchable:",
}

BEFORE = {
    S.PROCESSING_ERROR: "before it was turned into text",
    S.EMBEDDINGS_ERROR: "before it was searchable",
}


def _what_to_do(asset: Asset) -> str:
    tried = f"It was tried {asset.attempt} times. " if asset.attempt > 1 else ""
    return tried + advice(asset)


def _what_failed(asset: Asset) -> str:
    reason = asset.error or "unknown reason."
    if asset.cancelled:
        return f"{reason.rstrip('.')}, {BEFORE[asset.status]}."
    return f"{STAGE[asset.status]} {reason}"

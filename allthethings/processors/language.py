"""Which language a text is in."""

from __future__ import annotations

import logging

from allthethings.processors.sandbox import Crashed, Starved, run_within

log = logging.getLogger(__name__)

# Characters at the beginning and in the middle of a text that are looked at.
SAMPLE = 2_000
# Letters with which a text is long enough. A character of Chinese, Japanese or Korean counts as
# three.
ENOUGH = 20
FIRST_OF_THE_EAST = "\u2e80"
SECONDS = 5


def language_of(text: str) -> str | None:
    """The code (ISO 639) of the language that most of a text is in; None if that is not clear."""
    sample = _sample(text)
    if sample is None:
        return None
    try:
        return run_within(SECONDS, _classified, sample)
    except (Starved, Crashed, TimeoutError, MemoryError, ChildProcessError) as error:
        log.warning("the language of a text could not be told: %r", error)
        return None


def language_in_sandbox(text: str) -> str | None:
    """As `language_of`, called in a process of the sandbox."""
    sample = _sample(text)
    return None if sample is None else _classified(sample)


def _sample(text: str) -> str | None:
    """The part of a text that is looked at; None where there are too few letters."""
    middle = len(text) // 2
    sample = text if len(text) <= 2 * SAMPLE else text[:SAMPLE] + text[middle : middle + SAMPLE]
    letters = sum(3 if each >= FIRST_OF_THE_EAST else 1 for each in sample if each.isalpha())
    return sample if letters >= ENOUGH else None


def _classified(sample: str) -> str | None:
    from allthethings.processors.language_model import classify

    return classify(sample)

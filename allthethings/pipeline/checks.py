"""What URLs would become if they were indexed: each is answered on its own, and nothing is kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from allthethings.assets.asset import Asset
from allthethings.assets.urls import clean_url, host_of, url_key
from allthethings.errors import BadInput, IndexingError, ServiceUnavailable
from allthethings.pipeline.submission import Preview, Submission
from allthethings.pipeline.turns import Turns
from allthethings.store.insertions import AlreadyIndexed

log = logging.getLogger(__name__)

# URLs of one request that are looked at; the rest are answered with NOT_YET.
MAX_URLS = 200
# Seconds after which a request looks at no further URL. One that was begun by then is answered
# before ANSWER_SECONDS are over.
LAST_LOOK_SECONDS = 16.0
# Seconds after which a request is answered, whatever is still under way.
ANSWER_SECONDS = 25.0
UNEXPECTED = "Something went wrong in this app; its log has the details."


class Outcome(StrEnum):
    """What would become of a URL. `READY` is one that can be indexed."""

    KNOWN = "already indexed"
    READY = "can be indexed"
    REFUSED = "refused"
    NOT_YET = "not looked at yet"


@dataclass(frozen=True)
class Answer:
    """The answer for one URL.

    `code` is the HTTP status with which the URL alone would be answered. `times` counts its
    lines in the list, in any spelling.
    """

    url: str
    outcome: Outcome
    message: str
    code: int
    asset: Asset | None = None
    preview: Preview | None = None
    times: int = 1


class Checks:
    """Checks lists of URLs. One serves any number of threads."""

    def __init__(self, submission: Submission, turns: Turns) -> None:
        self._submission = submission
        self._turns = turns

    def check(self, lines: Sequence[str]) -> list[Answer]:
        """One answer for all spellings of a URL, in the order of the lines."""
        began = time.monotonic()

        def look(url: str) -> Answer:
            if time.monotonic() - began > LAST_LOOK_SECONDS:
                return _not_yet(url)
            return _answered(url, self._check)

        named, request = _once(lines), object()
        urls = list(named)
        looks = [
            self._turns.submit(request, host_of(key), partial(look, named[key][0]))
            for key in urls[:MAX_URLS]
        ]
        wait(looks, began + ANSWER_SECONDS - time.monotonic())
        answers = [
            replace(_outcome(looking, named[key][0]), times=len(named[key]))
            for looking, key in zip(looks, urls, strict=False)
        ]
        rest = [named[key] for key in urls[MAX_URLS:]]
        return answers + [replace(_not_yet(each[0]), times=len(each)) for each in rest]

    def _check(self, url: str) -> Answer:
        preview = self._submission.check(url)
        return Answer(preview.url, Outcome.READY, "It can be indexed.", 200, preview=preview)


def _once(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines by their URL's key, each with all its spellings."""
    named: dict[str, list[str]] = {}
    for line in lines:
        try:
            key = url_key(clean_url(line))
        except BadInput:
            key = line
        named.setdefault(key, []).append(line)
    return named


def _answered(url: str, judge: Callable[[str], Answer]) -> Answer:
    """The answer for one URL, whatever goes wrong with it: the others still get theirs."""
    try:
        return judge(url)
    except AlreadyIndexed as error:
        return Answer(url, Outcome.KNOWN, str(error), 200, error.asset)
    except IndexingError as error:
        code = 503 if isinstance(error, ServiceUnavailable) else 422
        return Answer(url, Outcome.REFUSED, error.refusal, code)
    except Exception:
        log.exception("no answer for %r", url)
        return Answer(url, Outcome.REFUSED, UNEXPECTED, 500)


def _outcome(looking: Future[Answer], url: str) -> Answer:
    if looking.done():
        return looking.result()
    if looking.cancel():
        return _not_yet(url)
    words = "It takes longer than the others. Send it again to see the result."
    return Answer(url, Outcome.NOT_YET, words, 503)


def _not_yet(url: str) -> Answer:
    return Answer(url, Outcome.NOT_YET, "There was no time left to look at it. Send it again.", 503)

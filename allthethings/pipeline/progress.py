"""How far a thing under way is: what the database knows, and what Replicate tells when asked."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import IndexingError
from allthethings.mongo import Database
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction

log = logging.getLogger(__name__)

EVERY = 3.0
"""Seconds between two questions after one prediction, whatever number of people watch."""
REST = 20.0
"""Seconds without a question after one that Replicate did not answer."""
PATIENCE = 0.4
"""Seconds that a page waits for a fresh answer; it takes an older one, or none, after that."""
AT_ONCE = 2
"""Questions under way at a time; who comes while there are so many gets the last answer."""
KEPT = 500
"""Predictions whose last answer is remembered."""


@dataclass(frozen=True)
class Progress:
    """How far a thing is at its stage.

    `embedded` of `total` passages have their vector. `ahead` are the app's own things that came
    to the same stage earlier and are still there. `running` says whether a model works on the
    text, and `share` how much of it is done, 0 to 1; None where nobody knows.
    """

    embedded: int = 0
    total: int = 0
    ahead: int = 0
    running: bool | None = None
    share: float | None = None


class Watch:
    """Tells how far things are. One serves any number of threads."""

    def __init__(self, database: Database, replicate: ReplicateClient) -> None:
        self._assets = database.assets
        self._passages = database.passages
        self._answers = Answers(replicate.get)

    def progress(self, asset: Asset) -> Progress:
        embedded, total = self._passages.progress(asset.id)
        if asset.status is AssetStatus.PROCESSING and asset.replicate_process_id:
            told = self._answers.latest(asset.replicate_process_id)
            return Progress(
                ahead=0 if told and told.status != "starting" else self._assets.ahead(asset),
                running=told.status != "starting" if told else None,
                share=_share(told) if told else None,
            )
        if asset.status is AssetStatus.GENERATING_EMBEDDINGS and not embedded:
            return Progress(total=total, ahead=self._assets.ahead(asset))
        return Progress(embedded, total)


def _share(prediction: Prediction) -> float | None:
    return 1.0 if prediction.succeeded else prediction.share_done


@dataclass
class _Answer:
    """What was told of a prediction, and from when on it may be asked after again."""

    prediction: Prediction | None = None
    again: float = 0.0
    come: threading.Event = field(default_factory=threading.Event)


class Answers:
    """The latest answers to `get`, which is asked in threads of its own, and seldom."""

    def __init__(self, get: Callable[[str], Prediction | None]) -> None:
        self._get = get
        self._lock = threading.Lock()
        self._free = threading.Semaphore(AT_ONCE)
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    def latest(self, prediction_id: str) -> Prediction | None:
        """The prediction as it was lately; None when it was not told yet, or nobody knows it."""
        with self._lock:
            answer = self._answers.setdefault(prediction_id, _Answer())
            self._answers.move_to_end(prediction_id)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
            due = time.monotonic() >= answer.again and self._free.acquire(blocking=False)
            if due:
                answer.again = time.monotonic() + REST  # unless it comes sooner
                answer.come.clear()
        if due:
            # A daemon: what it learns is worth nothing to an app that ends.
            threading.Thread(target=self._ask, args=(prediction_id, answer), daemon=True).start()
            answer.come.wait(PATIENCE)
        return answer.prediction

    def _ask(self, prediction_id: str, answer: _Answer) -> None:
        try:
            answer.prediction = self._get(prediction_id)
            answer.again = time.monotonic() + EVERY
        except IndexingError as error:
            log.info("nobody tells how far prediction %s is: %s", prediction_id, error)
        finally:
            self._free.release()
            answer.come.set()

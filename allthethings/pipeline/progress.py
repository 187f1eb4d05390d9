"""How far an asset is: what the database knows, and what Replicate tells of its prediction."""

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

# Seconds between two requests for one prediction, however many people watch it.
SECONDS_BETWEEN = 3.0
# Seconds without a request for a prediction after Replicate did not answer.
SECONDS_AFTER_SILENCE = 20.0
# Seconds that a page waits for a fresh answer, before it shows the last one.
SECONDS_TO_WAIT = 0.4
# Requests to Replicate under way at a time. Beyond it a page shows the last answer.
MAX_REQUESTS = 2
# Predictions whose last answer is kept.
MAX_ANSWERS = 500


@dataclass(frozen=True)
class Progress:
    """How far an asset is in its stage.

    `embedded` of `total` passages have their vector. `ahead` counts the assets that were
    submitted earlier and are in the same stage. `running` says whether a model works on the text,
    and `share` how much of it is done, 0 to 1; None where that is not known.
    """

    embedded: int = 0
    total: int = 0
    ahead: int = 0
    running: bool | None = None
    share: float | None = None


class Watch:
    """Tells how far assets are. One serves any number of threads."""

    def __init__(self, database: Database, replicate: ReplicateClient) -> None:
        self._assets = database.assets
        self._passages = database.passages
        self._scans = database.scans
        self._answers = Answers(replicate.get)

    def progress(self, asset: Asset, counted: tuple[int, int] | None = None) -> Progress:
        """How far it is. `counted` tells how many passages have their vector, and how many there
        are, if the caller knows; to count those of a book takes a tenth of a second."""
        if asset.status is AssetStatus.PROCESSING and asset.replicate_process_id:
            told = self._answers.latest(asset.replicate_process_id)
            return Progress(
                ahead=0 if told and told.status != "starting" else self._assets.ahead(asset),
                running=told.status != "starting" if told else None,
                share=_share(told) if told else None,
            )
        if asset.status is AssetStatus.PROCESSING and asset.reading is not None:
            ended, pages = self._scans.progress(asset.id, asset.reading)
            return Progress(running=True, share=ended / max(pages, 1))
        embedded, total = counted or self._passages.progress(asset.id, asset.revision)
        if asset.status is AssetStatus.GENERATING_EMBEDDINGS and not embedded:
            return Progress(total=total, ahead=self._assets.ahead(asset))
        return Progress(embedded, total)


def _share(prediction: Prediction) -> float | None:
    return 1.0 if prediction.succeeded else prediction.share_done


@dataclass
class _Answer:
    """The last answer about a prediction, and when it may be asked for again."""

    prediction: Prediction | None = None
    again: float = 0.0
    come: threading.Event = field(default_factory=threading.Event)


class Answers:
    """The latest answers of `get`, which is called rarely, in threads of its own."""

    def __init__(self, get: Callable[[str], Prediction | None]) -> None:
        self._get = get
        self._lock = threading.Lock()
        self._free = threading.Semaphore(MAX_REQUESTS)
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    def latest(self, prediction_id: str) -> Prediction | None:
        """The prediction as last told; None if it was not told yet, or is not known."""
        with self._lock:
            answer = self._answers.setdefault(prediction_id, _Answer())
            self._answers.move_to_end(prediction_id)
            if len(self._answers) > MAX_ANSWERS:
                self._answers.popitem(last=False)
            due = time.monotonic() >= answer.again and self._free.acquire(blocking=False)
            if due:
                answer.again = time.monotonic() + SECONDS_AFTER_SILENCE  # unless it comes sooner
                answer.come.clear()
        if due:
            # A daemon: an app that ends does not need the answer.
            threading.Thread(target=self._ask, args=(prediction_id, answer), daemon=True).start()
            answer.come.wait(SECONDS_TO_WAIT)
        return answer.prediction

    def _ask(self, prediction_id: str, answer: _Answer) -> None:
        try:
            answer.prediction = self._get(prediction_id)
            answer.again = time.monotonic() + SECONDS_BETWEEN
        except IndexingError as error:
            log.info("the progress of prediction %s is not known: %s", prediction_id, error)
        finally:
            self._free.release()
            answer.come.set()

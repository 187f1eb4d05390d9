"""The life of a prediction: every change is committed first, then told to whoever waits."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.replicate.database import transaction
from localcloud.replicate.payloads import prediction_payload
from localcloud.replicate.store import Prediction, PredictionStore, Result
from localcloud.replicate.webhooks import Courier

log = logging.getLogger("localcloud.replicate")

TRIES = 4
"""A prediction whose model dies under it runs again, but no more than three times."""
DEFAULT_EVENTS = ["output", "completed"]
"""What a webhook gets when no webhook_events_filter says otherwise."""


class Predictions:
    """All changes of predictions go through here."""

    def __init__(self, db: sqlite3.Connection, courier: Courier, base: str) -> None:
        self.store = PredictionStore(db)
        self.base = base
        self.on_queued: Callable[[Prediction], None] = lambda _prediction: None
        self.on_ended: Callable[[Prediction], None] = lambda _prediction: None
        self._db = db
        self._courier = courier
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def create(self, prediction: Prediction) -> None:
        """Accept it. When this returns, it is on disk."""
        self.store.add(prediction)
        log.info("prediction %s for %s is queued", prediction.id, prediction.model)
        self.on_queued(prediction)

    def start(self, prediction_id: str) -> bool:
        """The model begins. False if the prediction has ended meanwhile."""
        if not self.store.start(prediction_id):
            return False
        self._tell("start", prediction_id)
        return True

    def progress(self, prediction_id: str, logs: str, output: Any) -> None:
        """The logs and the output of a running prediction so far."""
        before = self.store.get(prediction_id)
        if before is None or not self.store.progress(prediction_id, logs, output):
            return
        event = "output" if output != before.output else "logs"
        if event in before.events and not self._courier.throttled(prediction_id):
            self._tell(event, prediction_id)

    def finish(self, prediction_id: str, result: Result) -> bool:
        """The end, whose webhook is committed with it. False if it had ended before."""
        with transaction(self._db):
            if not self.store.finish(prediction_id, _timed(result, self.get(prediction_id))):
                return False
            ended = self.get(prediction_id)
            if ended.webhook and "completed" in ended.events:
                self._courier.keep(ended.webhook, self._body(ended))
        log.info("prediction %s %s", prediction_id, ended.status)
        self._courier.forget(prediction_id)
        self._courier.wake()
        for event in self._waiting.get(prediction_id, ()):
            event.set()
        self.on_ended(ended)
        return True

    def died(self, prediction_id: str, reason: str) -> None:
        """Its model died: once more, or the end."""
        prediction = self.get(prediction_id)
        if prediction.deaths + 1 >= TRIES:
            error = f"The model stopped {TRIES} times while it ran this prediction: {reason}"
            self.finish(prediction_id, Result("failed", error=error))
        elif self.store.requeue(prediction_id):
            log.info("prediction %s is queued again: %s", prediction_id, reason)

    def put_back(self, prediction_id: str) -> None:
        """Its model did not take it: it stays first in the queue."""
        self.store.requeue(prediction_id, deaths=0)

    def cancel(self, prediction_id: str) -> None:
        """End it now, if it has not ended. Its model learns of it by `on_ended`."""
        self.finish(prediction_id, Result("canceled"))

    def get(self, prediction_id: str) -> Prediction:
        """The prediction, which must exist."""
        prediction = self.store.get(prediction_id)
        if prediction is None:
            raise LookupError(prediction_id)
        return prediction

    async def wait(self, prediction_id: str, seconds: float) -> Prediction:
        """The prediction when it has ended, or as it is after so many seconds."""
        ended = asyncio.Event()
        self._waiting[prediction_id].add(ended)
        try:
            if not self.get(prediction_id).finished:
                await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting[prediction_id].discard(ended)
            if not self._waiting[prediction_id]:
                del self._waiting[prediction_id]
        return self.get(prediction_id)

    def _tell(self, event: str, prediction_id: str) -> None:
        prediction = self.get(prediction_id)
        if prediction.webhook and event in prediction.events:
            self._courier.send_once(prediction.webhook, self._body(prediction))

    def _body(self, prediction: Prediction) -> bytes:
        return json.dumps(prediction_payload(prediction, self.base)).encode()


def _timed(result: Result, before: Prediction) -> Result:
    """The result with the times that its metrics must have."""
    now = datetime.now(UTC)
    metrics = dict(result.metrics)
    metrics["total_time"] = _seconds(before.created_at, now)
    if before.started_at:
        metrics.setdefault("predict_time", _seconds(before.started_at, now))
    return Result(result.status, result.output, result.error, result.logs, metrics)


def _seconds(since: str, now: datetime) -> float:
    return round((now - datetime.fromisoformat(since)).total_seconds(), 6)

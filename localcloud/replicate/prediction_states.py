"""The state changes of predictions: each is committed before waiters and webhooks hear of it."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.replicate.payloads import prediction_payload
from localcloud.replicate.prediction_store import Prediction, PredictionStore, Result
from localcloud.replicate.webhook_sender import Courier
from localcloud.sqlite import transaction

log = logging.getLogger("localcloud.replicate")

# Runs of a prediction whose model keeps dying, including the first.
MAX_RUNS = 4


class Predictions:
    """Makes all changes of predictions."""

    def __init__(self, db: sqlite3.Connection, courier: Courier, base: str) -> None:
        self.store = PredictionStore(db)
        self.base = base
        self.on_queued: Callable[[Prediction], None] = lambda _prediction: None
        self.on_ended: Callable[[Prediction], None] = lambda _prediction: None
        self._db = db
        self._courier = courier
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def create(self, prediction: Prediction) -> None:
        """Store a new prediction durably and queue it."""
        self.store.add(prediction)
        log.info("prediction %s for %s is queued", prediction.id, prediction.model)
        self.on_queued(prediction)

    def start(self, prediction_id: str) -> bool:
        """Mark a prediction as running. False if it has already ended."""
        return self.store.start(prediction_id)

    def progress(self, prediction_id: str, logs: str, output: Any) -> None:
        """Store the logs and the output of a running prediction so far."""
        self.store.progress(prediction_id, logs, output)

    def finish(self, prediction_id: str, result: Result) -> bool:
        """End a prediction, and store its final webhook with it. False if it has already ended."""
        with transaction(self._db):
            if not self.store.finish(prediction_id, _timed(result, self.get(prediction_id))):
                return False
            ended = self.get(prediction_id)
            if ended.webhook:
                self._courier.store(ended.webhook, self._body(ended))
        log.info("prediction %s %s", prediction_id, ended.status)
        self._courier.wake()
        for event in self._waiting.get(prediction_id, ()):
            event.set()
        self.on_ended(ended)
        return True

    def died(self, prediction_id: str, reason: str) -> None:
        """Queue a prediction whose model died again, or end it after MAX_RUNS."""
        prediction = self.get(prediction_id)
        if prediction.deaths + 1 >= MAX_RUNS:
            error = f"The model stopped {MAX_RUNS} times while it ran this prediction: {reason}"
            self.finish(prediction_id, Result("failed", error=error))
        elif self.store.requeue(prediction_id):
            log.info("prediction %s is queued again: %s", prediction_id, reason)

    def put_back(self, prediction_id: str) -> None:
        """Return a prediction that its model did not accept to the front of the queue."""
        self.store.requeue(prediction_id, deaths=0)

    def cancel(self, prediction_id: str) -> None:
        """Cancel a prediction unless it has ended. `on_ended` stops its model."""
        self.finish(prediction_id, Result("canceled"))

    def end_overdue(self, now: datetime) -> None:
        """End the predictions whose deadline has passed: Replicate calls it `aborted` if the model
        had not begun."""
        for prediction in self.store.overdue(now):
            begun = prediction.status == "processing"
            self.finish(prediction.id, Result("canceled" if begun else "aborted"))

    def get(self, prediction_id: str) -> Prediction:
        """A prediction that must exist."""
        prediction = self.store.get(prediction_id)
        if prediction is None:
            raise LookupError(prediction_id)
        return prediction

    async def wait(self, prediction_id: str, seconds: float) -> Prediction:
        """Wait for the end of a prediction, at most that many seconds, and return it."""
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

    def _body(self, prediction: Prediction) -> bytes:
        return json.dumps(prediction_payload(prediction, self.base)).encode()


def _timed(result: Result, before: Prediction) -> Result:
    """The result with `total_time` and `predict_time` in its metrics."""
    now = datetime.now(UTC)
    metrics = dict(result.metrics)
    metrics["total_time"] = _seconds(before.created_at, now)
    if before.started_at:
        metrics.setdefault("predict_time", _seconds(before.started_at, now))
    return Result(result.status, result.output, result.error, result.logs, metrics)


def _seconds(since: str, now: datetime) -> float:
    return round((now - datetime.fromisoformat(since)).total_seconds(), 6)

"""The queue of one model: first come, first served, and who waits on the line goes first.

A prediction asked for with `Prefer: wait` runs before all that were asked for without it, so
that a search does not wait behind a long document; it does not interrupt what runs.
"""

from __future__ import annotations

import asyncio
import logging

from .inputs import InputFailed, Inputs
from .predictions import Predictions
from .runner import CogModel, ModelAway, ModelDied
from .store import Prediction, Result

log = logging.getLogger("localcloud.replicate")

FETCHED_AHEAD = 4
"""So many predictions of a model may hold fetched files, the running one included."""
GRACE = 10.0
"""Seconds that a model has to let go of a cancelled prediction."""
_LOOK_AHEAD = 64


class ModelQueue:
    """Runs a model's predictions, one at a time."""

    def __init__(self, model: CogModel, predictions: Predictions, inputs: Inputs) -> None:
        self.model = model
        self._predictions = predictions
        self._inputs = inputs
        self._document = model.staged.document
        self._changed = asyncio.Event()
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._fetched: set[str] = set()
        self._running: str | None = None
        self._stopping: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is a new prediction."""
        self._changed.set()

    def ended(self, prediction: Prediction) -> None:
        """A prediction has ended, perhaps by a cancel: let go of all that it holds."""
        if task := self._fetching.get(prediction.id):
            task.cancel()
        if prediction.id == self._running:
            if prediction.status == "canceled":
                stop = self.model.cancel(prediction.id, GRACE)
                self._stopping = asyncio.create_task(stop)
        else:
            self._let_go(prediction.id)
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                self._changed.clear()
                queued = self._predictions.store.queued(self.model.model.version, _LOOK_AHEAD)
                self._fetch_ahead([name for name, fetches in queued if fetches])
                ready = [name for name, fetches in queued if not fetches or name in self._fetched]
                if not ready:
                    await self._changed.wait()
                elif not self.model.ready.is_set():
                    await self._wait_for_model()
                else:
                    await self._run_one(ready[0])
        finally:
            for task in self._fetching.values():
                task.cancel()

    async def _wait_for_model(self) -> None:
        """Until the model is ready, or a change lets something be fetched meanwhile."""
        waits = [
            asyncio.ensure_future(self.model.ready.wait()),
            asyncio.ensure_future(self._changed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _run_one(self, prediction_id: str) -> None:
        if not self._predictions.start(prediction_id):
            return
        self._running = prediction_id
        try:
            result = await self._predict(self._predictions.get(prediction_id))
        except ModelDied as death:
            self._predictions.died(prediction_id, str(death))
        except ModelAway:
            self.model.ready.clear()
            self._predictions.put_back(prediction_id)
        else:
            self._predictions.finish(prediction_id, result)
        finally:
            self._running = None
            if self._predictions.get(prediction_id).finished:
                self._let_go(prediction_id)

    async def _predict(self, prediction: Prediction) -> Result:
        def progress(logs: str, output: object) -> None:
            self._predictions.progress(prediction.id, logs, output)

        given = self._inputs.for_cog(prediction, self._document)
        quick = prediction.urgent and not prediction.webhook
        return await self.model.predict(prediction.id, given, quick=quick, progress=progress)

    def _fetch_ahead(self, names: list[str]) -> None:
        for name in names:
            if len(self._fetching) + len(self._fetched) >= FETCHED_AHEAD:
                return
            if name not in self._fetching and name not in self._fetched:
                self._fetching[name] = asyncio.create_task(self._fetch(name))

    async def _fetch(self, name: str) -> None:
        try:
            await self._inputs.fetch(self._predictions.get(name), self._document)
            self._fetched.add(name)
        except InputFailed as failure:
            self._predictions.finish(name, Result("failed", error=str(failure)))
        finally:
            del self._fetching[name]
            if self._predictions.get(name).finished:
                self._let_go(name)
            self._changed.set()

    def _let_go(self, prediction_id: str) -> None:
        self._fetched.discard(prediction_id)
        self._inputs.release(prediction_id)

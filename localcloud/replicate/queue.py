"""The queue of one model: first come, first served, and who waits on the line goes first.

A prediction asked for with `Prefer: wait` runs before all that were asked for without it, so
that a search does not wait behind a long document; it does not interrupt what runs.
"""

from __future__ import annotations

import asyncio
import functools
import logging

from localcloud.replicate.inputs import InputFailed, Inputs
from localcloud.replicate.predictions import Predictions
from localcloud.replicate.runner import CogModel, ModelAway, ModelDied
from localcloud.replicate.store import Prediction, Result

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
        model.on_broken = self.wake

    def wake(self) -> None:
        """There may be something new to do."""
        self._fetch_ahead()
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
        self.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        self.wake()
        try:
            while True:
                self._changed.clear()
                ready = [
                    name for name, fetch in self._queued() if not fetch or name in self._fetched
                ]
                if ready and self.model.ready.is_set():
                    await self._run_guarded(ready[0])
                elif ready and self.model.broken:
                    self._predictions.finish(ready[0], Result("failed", error=self.model.broken))
                elif ready:
                    await self._wait_for_model()
                else:
                    await self._changed.wait()
        finally:
            for task in self._fetching.values():
                task.cancel()

    async def _run_guarded(self, prediction_id: str) -> None:
        task = asyncio.create_task(self._run_one(prediction_id))
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        self._blame(prediction_id, task)

    def _blame(self, prediction_id: str, task: asyncio.Task[None]) -> None:
        """A fault of ours fails the prediction that met it; the queue goes on."""
        if task.cancelled() or (fault := task.exception()) is None:
            return
        log.error("prediction %s met a fault", prediction_id, exc_info=fault)
        error = f"The server failed: {type(fault).__name__}"
        self._predictions.finish(prediction_id, Result("failed", error=error))

    async def _wait_for_model(self) -> None:
        """Until the model is ready, or something changes."""
        waits = [
            asyncio.create_task(self.model.ready.wait()),
            asyncio.create_task(self._changed.wait()),
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

    def _queued(self) -> list[tuple[str, bool]]:
        return self._predictions.store.queued(self.model.model.version, _LOOK_AHEAD)

    def _fetch_ahead(self) -> None:
        for name, fetches in self._queued():
            if len(self._fetching) + len(self._fetched) >= FETCHED_AHEAD:
                return
            if fetches and name not in self._fetching and name not in self._fetched:
                self._fetching[name] = task = asyncio.create_task(self._fetch(name))
                task.add_done_callback(functools.partial(self._fetch_ended, name))

    async def _fetch(self, name: str) -> None:
        try:
            await self._inputs.fetch(self._predictions.get(name), self._document)
        except InputFailed as failure:
            self._predictions.finish(name, Result("failed", error=str(failure)))
        else:
            self._fetched.add(name)

    def _fetch_ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._fetching[name]
        self._blame(name, task)
        if self._predictions.get(name).finished:
            self._let_go(name)
        self.wake()

    def _let_go(self, prediction_id: str) -> None:
        self._fetched.discard(prediction_id)
        self._inputs.release(prediction_id)

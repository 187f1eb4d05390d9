"""The queue of one model, which runs its predictions one at a time.

Predictions with `Prefer: wait` run before those without, so that a search does not wait behind a
long document. They do not interrupt the prediction that runs.
"""

from __future__ import annotations

import asyncio
import functools
import logging

from localcloud.replicate.input_files import InputFailed, InputFiles
from localcloud.replicate.prediction_states import Predictions
from localcloud.replicate.prediction_store import Prediction, Result
from localcloud.replicate.runner import CogModel, ModelAway, ModelDied

log = logging.getLogger("localcloud.replicate")

# Predictions of a model whose files may be fetched at a time, including the running one.
MAX_FETCHED = 4
# Seconds after which a model that does not stop a cancelled prediction is killed.
CANCEL_SECONDS = 10.0
# Predictions at the front of the queue that are considered to be run or fetched.
_LOOK_AHEAD = 64


class ModelQueue:
    """Runs a model's predictions, one at a time."""

    def __init__(self, model: CogModel, predictions: Predictions, inputs: InputFiles) -> None:
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
        """Look for something new to do."""
        self._fetch_ahead()
        self._changed.set()

    def ended(self, prediction: Prediction) -> None:
        """Release everything that an ended prediction holds. Stop the model if it was cancelled."""
        if task := self._fetching.get(prediction.id):
            task.cancel()
        if prediction.id == self._running:
            if prediction.status == "canceled":
                stop = self.model.cancel(prediction.id, CANCEL_SECONDS)
                self._stopping = asyncio.create_task(stop)
        else:
            self._release(prediction.id)
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
        """Fail the prediction in which a bug of this server showed, and go on with the queue."""
        if task.cancelled() or (bug := task.exception()) is None:
            return
        log.error("prediction %s failed by a bug of this server", prediction_id, exc_info=bug)
        error = f"The server failed: {type(bug).__name__}"
        self._predictions.finish(prediction_id, Result("failed", error=error))

    async def _wait_for_model(self) -> None:
        """Wait until the model is ready or the queue changes."""
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
                self._release(prediction_id)

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
            if len(self._fetching) + len(self._fetched) >= MAX_FETCHED:
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
            self._release(name)
        self.wake()

    def _release(self, prediction_id: str) -> None:
        self._fetched.discard(prediction_id)
        self._inputs.release(prediction_id)

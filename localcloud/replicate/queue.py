"""The queue of one model, which runs as many predictions at once as the model takes.

Predictions with `Prefer: wait` run before those without, so that a search does not wait behind a
long document. They do not interrupt the predictions that run.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from localcloud.replicate.downloads import Downloads
from localcloud.replicate.input_files import InputFailed, InputFiles, host_of
from localcloud.replicate.prediction_states import Predictions
from localcloud.replicate.prediction_store import Following, Prediction, Result
from localcloud.replicate.runner import CogModel, ModelAway, ModelDied, OutOfMemory
from localcloud.sqlite import is_disk_full

log = logging.getLogger("localcloud.replicate")

# Seconds after which a model that does not stop a cancelled prediction is killed.
CANCEL_SECONDS = 10.0
# Seconds between two attempts to write to a full disk.
ROOM_SECONDS = 1.0
# Seconds for which the files of a prediction wait for room. They may be larger than the disk.
ROOM_PATIENCE = 600.0


class ModelQueue:
    """Runs a model's predictions.

    One whose model died runs alone, so that it can end no other.
    """

    def __init__(self, model: CogModel, predictions: Predictions, inputs: InputFiles) -> None:
        self.model = model
        self._predictions = predictions
        self._inputs = inputs
        self._document = model.staged.document
        self._changed = asyncio.Event()
        self._downloads = Downloads(self._fetch, inputs.size, self._download_changed)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._alone = False  # whether the running one may have no other beside it
        self._stopping: set[asyncio.Task[None]] = set()
        model.on_broken = self.wake

    def wake(self) -> None:
        """Look for something new to do."""
        self._begin_downloads()
        self._changed.set()

    def queued(self, prediction: Prediction) -> None:
        """Run a new prediction when it is its turn, after its files have been fetched."""
        if prediction.fetches:
            self._downloads.add(prediction.id, self._host_of(prediction))
        self.wake()

    def ended(self, prediction: Prediction) -> None:
        """Release everything that an ended prediction holds. Stop the model if it was cancelled."""
        if prediction.id in self._running:
            if prediction.status == "canceled":
                stop = asyncio.create_task(self.model.cancel(prediction.id, CANCEL_SECONDS))
                self._stopping.add(stop)
                stop.add_done_callback(self._stopping.discard)
        else:
            self._release(prediction)
        self.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        for prediction in self._predictions.store.to_fetch(self.model.model.version):
            self._downloads.add(prediction.id, self._host_of(prediction))
        try:
            while True:
                self._changed.clear()
                self._begin_downloads()
                following = self._following()
                if following is None or not self._has_room(following):
                    await self._changed.wait()
                elif self.model.ready.is_set():
                    await self._begin(following)
                elif self.model.broken:
                    self._predictions.finish(
                        following.id, Result("failed", error=self.model.broken)
                    )
                else:
                    await self._wait_for_model()
        finally:
            self._downloads.stop()
            for task in self._running.values():
                task.cancel()

    def _begin_downloads(self) -> None:
        if self._downloads.waiting:
            self._downloads.begin(idle=not self._running and self._following() is None)

    def _following(self) -> Following | None:
        """The prediction that can run next."""
        fetched = self._downloads.fetched
        return self._predictions.store.following(self.model.model.version, fetched)

    def _has_room(self, following: Following) -> bool:
        """Whether the prediction may run beside those that run."""
        if following.id in self._running:  # its start waits for room on the disk
            return False
        if following.deaths or self._alone:
            return not self._running
        # The last place is kept for a prediction that somebody waits for.
        kept = 1 if self.model.concurrency > 1 and not following.urgent else 0
        return len(self._running) < self.model.concurrency - kept

    async def _begin(self, following: Following) -> None:
        self._alone = following.deaths > 0
        task = asyncio.create_task(self._run_guarded(following.id))
        self._running[following.id] = task
        await asyncio.sleep(0)  # until the prediction is no longer the one that follows

    async def _run_guarded(self, prediction_id: str) -> None:
        """Run a prediction to its end. A fault of this server ends no other one."""
        try:
            await self._run_one(prediction_id)
        except Exception as bug:  # noqa: BLE001 - logged, and told in the prediction
            if is_disk_full(bug):
                await self._run_later(prediction_id, bug)
            else:
                self._blame(prediction_id, bug)
        finally:
            del self._running[prediction_id]
            self._release_finished(prediction_id)
            self.wake()

    async def _run_later(self, prediction_id: str, full: BaseException) -> None:
        """Return a prediction whose change could not be stored to the queue, when there is room."""
        log.error("prediction %s waits for room on the disk: %s", prediction_id, full)
        while True:
            try:
                self._predictions.put_back(prediction_id)
            except sqlite3.OperationalError:
                await asyncio.sleep(ROOM_SECONDS)
            else:
                return

    def _blame(self, prediction_id: str, bug: BaseException) -> None:
        """Fail the prediction in which a bug of this server showed, and go on with the queue."""
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
        try:
            result = await self._predict(self._predictions.get(prediction_id))
        except ModelDied as death:
            self._predictions.died(prediction_id, str(death))
        except OutOfMemory as error:
            self._predictions.finish(prediction_id, Result("failed", error=str(error)))
        except ModelAway:
            self.model.away()
            self._predictions.put_back(prediction_id)
        else:
            self._predictions.finish(prediction_id, result)

    async def _predict(self, prediction: Prediction) -> Result:
        def progress(logs: str, output: object) -> None:
            self._predictions.progress(prediction.id, logs, output)

        given = self._inputs.for_cog(prediction, self._document)
        # A model that runs several at once is asked in the cheaper way.
        several = self.model.concurrency > 1
        quick = several or (prediction.urgent and not prediction.webhook)
        return await self.model.predict(prediction.id, given, quick=quick, progress=progress)

    async def _fetch(self, prediction_id: str) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + ROOM_PATIENCE
        while True:
            try:
                await self._fetch_or_fail(prediction_id, patient=clock() < deadline)
                return
            except Exception as bug:  # noqa: BLE001 - logged, and told in the prediction
                if not is_disk_full(bug):
                    self._blame(prediction_id, bug)
                    return
                log.error("prediction %s waits for room on the disk: %s", prediction_id, bug)
            await asyncio.sleep(ROOM_SECONDS)

    async def _fetch_or_fail(self, prediction_id: str, *, patient: bool) -> None:
        """Fetch the files, or fail the prediction. Raises OSError if patient with a full disk."""
        try:
            await self._inputs.fetch(self._predictions.get(prediction_id), self._document)
        except InputFailed as failure:
            self._predictions.finish(prediction_id, Result("failed", error=str(failure)))
        except OSError as error:
            if patient and is_disk_full(error):
                raise
            told = f"could not store the input: {error.strerror}"
            self._predictions.finish(prediction_id, Result("failed", error=told))

    def _download_changed(self, prediction_id: str | None) -> None:
        if prediction_id is not None:
            self._release_finished(prediction_id)
        self.wake()

    def _release_finished(self, prediction_id: str) -> None:
        prediction = self._predictions.get(prediction_id)
        if prediction.finished:
            self._release(prediction)

    def _release(self, prediction: Prediction) -> None:
        self._downloads.drop(prediction.id, self._host_of(prediction))
        self._inputs.release(prediction.id)

    def _host_of(self, prediction: Prediction) -> str:
        return host_of(self._document, prediction.input)

"""Takes up assets that stopped half-way, after a crash or when a callback never came.

Any number of reconcilers may run: each acts only on assets that it has leased, and every step is
a compare-and-set.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from typing import TypeVar

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, IndexingError, ServiceUnavailable, UnusableThing
from allthethings.mongo import Stores
from allthethings.pipeline.pipeline import Stages
from allthethings.pipeline.turns import Turns
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction
from allthethings.store.deletions import Deletion
from allthethings.store.documents import now

log = logging.getLogger(__name__)

S = AssetStatus
E = ErrorCode
T = TypeVar("T")
# Assets taken up in one pass.
LIMIT = 100
# Assets taken up with one list of predictions.
GROUP = 20
# Those taken up side by side. Each waits most of the time: for its server, Replicate, the database.
AT_ONCE = 4
# Seconds between two looks for leases whose owners have ended: each look reads all that waits.
SHORTEN_EVERY = 5.0
# A thing that waits long is asked for seldom: after as long as it has waited, and after so many
# times the patience at most.
SELDOM = 10
# What went wrong, where no other module has a sentence for it.
SENTENCES: Mapping[ErrorCode, str] = {
    E.UNFORESEEN: "Something went wrong in this app; the worker's log has the details.",
    E.VECTORS_NOT_REQUESTED: "Vectors of its passages are missing, and none are being made.",
    E.PREDICTION_LOST: "Replicate no longer knows the prediction.",
    E.PREDICTION_TIMED_OUT: "The model did not finish in time; the prediction was cancelled.",
    E.OUTPUT_EXPIRED: "Replicate deleted the model's output before it was fetched.",
}


class Reconciler:
    """`callback_patience`: how long a callback may be late before Replicate is asked;
    `deadline`: how long a prediction may take before it is given up."""

    def __init__(
        self,
        database: Stores,
        replicate: ReplicateClient,
        pipeline: Stages,
        callback_patience: timedelta,
        deadline: timedelta,
    ) -> None:
        self._leases = database.leases
        self._deletions = database.deletions
        self._passages = database.passages
        self._replicate = replicate
        self._pipeline = pipeline
        self._failures = pipeline.failures
        self._callback_patience = callback_patience
        self._deadline = deadline
        self._turns = Turns(AT_ONCE, spare=0)
        # When leases of owners that have ended were looked for, on the monotonic clock.
        self._shortened = -math.inf

    def reconcile(self, limit: int = LIMIT, stopping: Callable[[], bool] = lambda: False) -> int:
        """Take up the assets that nobody works on, until `stopping`. Returns how many there
        were."""
        for deletion in self._deletions.pending(limit):
            if stopping():
                return 0
            self._finish(deletion)
        if time.monotonic() >= self._shortened + SHORTEN_EVERY:
            self._leases.shorten()
            self._shortened = time.monotonic()
        waiting, taken = self._leases.unfinished(limit), 0
        while waiting and not stopping():
            taken += self._take_some(waiting[:GROUP], stopping)
            waiting = waiting[GROUP:]
        return taken

    def _finish(self, deletion: Deletion) -> None:
        """Complete a deletion. A fault in one keeps nothing else waiting."""
        try:
            self._pipeline.lifecycle.finish_deletion(deletion)
        except ServiceUnavailable as error:
            log.warning("asset %s is not deleted yet: %s", deletion.asset_id, error)
        except Exception:
            log.exception("asset %s could not be deleted", deletion.asset_id)

    def _take_some(self, assets: Sequence[Asset], stopping: Callable[[], bool]) -> int:
        """Take up the assets that are still free. Returns how many that were. All are claimed
        first, so that one list of Replicate's predictions serves them all."""
        claims = self._side_by_side(
            lambda asset: self._leases.claim(asset.id, asset.status), assets
        )
        with self._replicate.one_list():
            claimed = [asset for asset in claims if asset is not None]
            return sum(self._side_by_side(partial(self._take_one, stopping), claimed))

    def _side_by_side(self, step: Callable[[Asset], T], assets: Sequence[Asset]) -> list[T]:
        """What the step returns of each, done in several threads within this context."""
        steps = [
            self._turns.submit("", "", partial(copy_context().run, step, asset)) for asset in assets
        ]
        wait(steps)
        return [each.result() for each in steps]

    def _take_one(self, stopping: Callable[[], bool], asset: Asset) -> bool:
        """Take up a claimed asset that is still the caller's. Whether that is so."""
        if stopping():
            self._leases.give_back(asset)
            return False
        # The others may have taken longer than a lease; another worker may have it now.
        if not self._leases.hold(asset):
            return False
        self._try(asset)
        return True

    def _try(self, asset: Asset) -> None:
        """Take up an asset. A fault in it does not stop the others from being taken up."""
        try:
            self._take_up(asset)
        except ServiceUnavailable as error:
            self._failures.wait(asset, error)
        except IndexingError as error:
            self._failures.record(asset, error)
        except Exception:
            log.exception("asset %s could not be taken up", asset.id)
            self._failures.record(asset, _error(E.UNFORESEEN), stay=True)

    def _take_up(self, asset: Asset) -> None:
        if asset.status is S.SUBMITTED:
            self._pipeline.text.process(asset, look_for_lost=True)
        elif asset.status is S.PROCESSING and asset.reading is not None:
            self._pipeline.pages.take_up(asset, self._deadline)
        elif asset.status is S.PROCESSING:
            self._ask_for_text(asset)
        elif asset.status is S.PROCESSED:
            if asset.reading is not None:  # the worker died that had read its last page
                self._pipeline.pages.forget(asset.id)
            self._pipeline.embeddings.request_missing(asset, look_for_lost=True)
        elif not self._pipeline.embeddings.finish(asset.id):
            self._ask_for_embeddings(asset)

    def _ask_for_text(self, asset: Asset) -> None:
        """Ask Replicate for the prediction: its callback is late, or was lost."""
        prediction = self._replicate.get(asset.replicate_process_id or "")
        if self._came_to_an_end(asset, prediction) and prediction:
            self._pipeline.text.arrived(asset, prediction)
        self._await(asset)

    def _ask_for_embeddings(self, asset: Asset) -> None:
        """As `_ask_for_text`, for each prediction that still owes vectors."""
        owed = self._passages.owed(asset.id)
        # A callback may just have brought the last vectors.
        if not owed and not self._pipeline.embeddings.finish(asset.id):
            self._failures.record(asset, _error(E.VECTORS_NOT_REQUESTED))
        for prediction_id, first, last in owed:
            prediction = self._replicate.get(prediction_id)
            if self._came_to_an_end(asset, prediction) and prediction:
                self._pipeline.embeddings.arrived(asset, first, last, prediction)
            elif prediction and prediction.lost_its_output:
                break  # the asset began again, with all predictions that had ended
        self._await(asset)

    def _await(self, asset: Asset) -> None:
        """Leave the asset to its callbacks, unless it has moved on."""
        patience = self._callback_patience
        hold_off = max(patience, min(now() - asset.updated_at, SELDOM * patience))
        self._leases.release_to_model(asset, hold_off)

    def _came_to_an_end(self, asset: Asset, prediction: Prediction | None) -> bool:
        """Whether there is an outcome to record. A prediction that Replicate has lost, or that is
        stuck, fails the asset; one whose output has expired is asked for again."""
        if prediction is None:
            self._failures.record(asset, _error(E.PREDICTION_LOST))
            return False
        if prediction.lost_its_output:
            self._ask_again(asset, prediction)
            return False
        if prediction.finished:
            return True
        # A prediction that is still queued is not stuck, however long the queue.
        if prediction.started_at and now() - prediction.started_at > self._deadline:
            # In this order: the callback of a cancelled prediction tells no reason.
            unwanted, stuck = self._pipeline.unwanted, [prediction.id]
            with unwanted.held(stuck, asset.found_process_ids):
                self._failures.record(asset, _error(E.PREDICTION_TIMED_OUT))
                unwanted.give_up(asset.id, stuck, asset.found_process_ids)
        return False

    def _ask_again(self, asset: Asset, prediction: Prediction) -> None:
        """Ask for a new prediction at once, as the next attempt."""
        log.warning("asset %s: the output of %s has expired", asset.id, prediction.id)
        expired = _error(E.OUTPUT_EXPIRED)
        if self._failures.can_try_again(asset):
            self._pipeline.lifecycle.start_again(asset, expired)
        else:
            self._failures.record(asset, expired)


def _error(code: ErrorCode) -> IndexingError:
    return UnusableThing(SENTENCES[code], code)

"""What becomes of an asset when a step fails: another attempt, a wait, or an end.

A passing fault of the asset's server, of a model or of a parser is an attempt that failed: there
are a handful of them, at growing intervals. A service of the app's own that is away is nobody's
failed attempt: the asset waits until it answers. Everything else ends the asset as failed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.errors import ErrorCode, IndexingError, UnusableThing
from allthethings.mongo import Stores
from allthethings.pipeline.attempts import INTERVALS, OUTAGE_LIMIT, wait_after
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.store.documents import now

log = logging.getLogger(__name__)

S = AssetStatus
# What is told of a fault of the app's own.
UNFORESEEN = UnusableThing(
    "Something went wrong in this app; the worker's log has the details.", ErrorCode.UNFORESEEN
)
# How long an asset rests when a service of the app's own was away, or when the database was full.
HOLD_OFF = timedelta(seconds=5)
FULL_HOLD_OFF = timedelta(seconds=20)


class Failures:
    """Records failures. `intervals` are the waits before each further attempt."""

    def __init__(
        self,
        database: Stores,
        unwanted: UnwantedPredictions,
        intervals: Sequence[timedelta] = INTERVALS,
    ) -> None:
        self._unwanted = unwanted
        self._transitions = database.transitions
        self._leases = database.leases
        self._intervals = intervals

    def record(
        self,
        asset: Asset,
        error: IndexingError,
        prediction_id: str | None = None,
        *,
        stay: bool = False,
    ) -> bool:
        """An attempt failed: plan the next one, or end the asset as failed.

        `prediction_id` is the prediction that failed, if one did: its replay changes nothing. The
        next attempt begins at the beginning of the stage, or where the asset is if it is to
        `stay`. What has ended stays as it is. Returns whether this call made the change.
        """
        if asset.finished:
            return False
        wait = wait_after(asset.attempt, self._intervals) if error.retryable else None
        if wait is None:
            return self._end(asset, error, prediction_id)
        given_up = [prediction_id] if prediction_id else []
        begin = asset.status if stay else beginning(asset.status)
        planned = self._transitions.plan_attempt(asset, begin, error, wait, given_up)
        if planned:
            log.warning("asset %s, attempt %d failed: %s", asset.id, asset.attempt, error)
        return planned

    def can_try_again(self, asset: Asset) -> bool:
        """Whether its present attempt is not the last one."""
        return wait_after(asset.attempt, self._intervals) is not None

    def wait(self, asset: Asset, error: IndexingError) -> None:
        """Give back an asset, leased to the caller, that waits for a service of the app's own."""
        since = asset.outage_since or now()
        if now() - since > OUTAGE_LIMIT:
            self._end(asset, error, None)
            return
        log.warning("asset %s waits: %s", asset.id, error)
        hold_off = FULL_HOLD_OFF if error.code is ErrorCode.DATABASE_FULL else HOLD_OFF
        self._leases.release_in_outage(asset, hold_off, error, since)

    def _end(self, asset: Asset, error: IndexingError, prediction_id: str | None) -> bool:
        before_text = asset.status in COMES_FROM[S.PROCESSING_ERROR]
        ended = self._transitions.move(
            asset.id,
            S.PROCESSING_ERROR if before_text else S.EMBEDDINGS_ERROR,
            same_try=asset,
            prediction_id=prediction_id if before_text else None,
            failure=error,
            note={"attempt": asset.attempt},
        )
        if ended and asset.copy:
            self._unwanted.remove_files([asset.copy.id])
        return ended


def beginning(status: AssetStatus) -> AssetStatus:
    """The status at which the stage begins that an asset is in, or failed in."""
    text_stage = COMES_FROM[S.PROCESSING_ERROR] | {S.PROCESSING_ERROR}
    return S.SUBMITTED if status in text_stage else S.PROCESSED

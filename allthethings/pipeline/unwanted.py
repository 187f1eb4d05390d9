"""Predictions whose results are not wanted any more."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from allthethings.errors import IndexingError
from allthethings.mongo import Database
from allthethings.replicate.client import ReplicateClient

log = logging.getLogger(__name__)


class UnwantedPredictions:
    """Cancels predictions and forgets them."""

    def __init__(self, database: Database, replicate: ReplicateClient) -> None:
        self._transitions = database.transitions
        self._passages = database.passages
        self._replicate = replicate

    def give_up(self, asset_id: str, prediction_ids: Iterable[str]) -> None:
        """Cancel predictions and ignore their results: those must neither end another try of the
        asset nor be waited for by it."""
        ids = list(prediction_ids)
        self._transitions.give_up(asset_id, ids)
        self._passages.forget_requests(asset_id, ids)
        self.cancel(ids)

    def cancel(self, prediction_ids: Iterable[str]) -> None:
        """Cancel predictions at Replicate. One that cannot be cancelled does no harm."""
        for prediction_id in prediction_ids:
            try:
                self._replicate.cancel(prediction_id)
            except IndexingError as error:
                log.warning("prediction %s is not cancelled: %s", prediction_id, error)
                if error.retryable:
                    return  # Replicate is away: the others would wait for its timeout too

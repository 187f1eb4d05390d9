"""From text to SEARCHABLE: vectors for all passages are requested, and stored when they come."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import (
    MalformedPrediction,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.generators import AsyncEmbeddingsGenerator, texts_of
from allthethings.mongo import Database
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.replicate.failures import code_of
from allthethings.replicate.predictions import Prediction, parse_embeddings, parse_prediction
from allthethings.store.documents import Document
from allthethings.store.passages import model_text

log = logging.getLogger(__name__)

S = AssetStatus
# Passages in one prediction: a few seconds of work, so that assets share the model.
BATCH = 32
# The largest position of a passage: a text has fewer passages than characters.
MAX_POSITION = 4_000_000


class EmbeddingStage:
    """Embeds the passages of assets. One serves any number of threads."""

    def __init__(
        self,
        database: Database,
        generator: AsyncEmbeddingsGenerator,
        unwanted: UnwantedPredictions,
        failures: Failures,
        callback_patience: timedelta,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._leases = database.leases
        self._passages = database.passages
        self._generator = generator
        self._unwanted = unwanted
        self._failures = failures
        self._callback_patience = callback_patience

    def request(self, asset_id: str, *, look_for_lost: bool = False) -> None:
        """Request the vectors that nobody has requested yet, unless another worker is at it.

        Raises ServiceUnavailable; the asset stays PROCESSED then, to be tried again.
        """
        asset = self._leases.claim(asset_id, S.PROCESSED)
        if asset is not None:
            self.request_missing(asset, look_for_lost=look_for_lost)

    def request_missing(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """As `request`, for a PROCESSED asset whose lease the caller holds."""
        asked: list[str] = []
        try:
            self._request_batches(asset, look_for_lost, asked)
        except RequestRefused as error:
            moved = self._failures.record(asset, error)
        except ServiceUnavailable as error:
            self._failures.wait(asset, error)
            raise
        else:
            moved = self._transitions.move(
                asset.id,
                S.GENERATING_EMBEDDINGS,
                same_try=asset,
                hold_off=self._callback_patience,
            )
        if asked and not moved and self._assets.same_try(asset) is None:
            self._unwanted.give_up(asset.id, asked)

    def _request_batches(self, asset: Asset, look_for_lost: bool, asked: list[str]) -> None:
        """Request batch by batch, as long as the caller holds the asset. Adds the ids of the
        predictions to `asked`."""
        if asset.replaced_process_ids:
            self._passages.forget_requests(asset.id, asset.replaced_process_ids)
        rows = [
            row
            for row in self._passages.of(asset.id)
            if not row["embedded"] and row["replicate_embedding_id"] is None
        ]
        for batch in _runs(rows, BATCH):
            first = batch[0]["position"]
            texts = [model_text(row["before"], row["text"]) for row in batch]
            found = self._generator.find(asset, texts) if look_for_lost else None
            prediction_id = found or self._generator.generate(asset, first, texts)
            asked.append(prediction_id)
            ours = self._leases.renew(asset)
            if not ours and self._assets.same_try(asset) is None:
                return
            self._passages.requested(asset.id, first, batch[-1]["position"], prediction_id)
            if not ours:  # finished, or failed in the meantime
                return

    def record(self, asset_id: str, first: int, last: int, payload: object) -> None:
        """Record a callback of the embedding model for the passages first..last.

        Raises NoSuchAsset, MalformedPrediction, ServiceUnavailable; returns when there is
        nothing left to do, also when it was done before.
        """
        prediction = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not 0 <= first <= last <= MAX_POSITION:
            raise MalformedPrediction("The path names no passages.")
        if not prediction.finished or prediction.id in asset.replaced_process_ids:
            return
        # Where another batch has failed, the vectors of this one are kept for the next try.
        if asset.status in (S.PROCESSED, S.GENERATING_EMBEDDINGS, S.EMBEDDINGS_ERROR):
            self.arrived(asset, first, last, prediction)

    def arrived(self, asset: Asset, first: int, last: int, prediction: Prediction) -> None:
        """Record a finished prediction for the passages first..last, however it ended. Passages
        of another text than it embeds are left alone."""
        texts = texts_of(prediction)
        if self._passages.waiting(asset.id, first, last, prediction.id, texts):
            try:
                if not prediction.succeeded:
                    raise UnusableThing(prediction.why_it_failed(), code_of(prediction))
                vectors = parse_embeddings(prediction.output, last - first + 1)
            except UnusableThing as error:
                self._failed(asset, prediction.id, error)
                return
            self._passages.embed(asset.id, first, vectors, prediction.id, texts)
        self.finish(asset.id)

    def _failed(self, asset: Asset, prediction_id: str, error: UnusableThing) -> None:
        """Record that a prediction failed. Where others of the same attempt failed before it, its
        passages are requested in the next attempt too, and no further attempt is counted."""
        again = error.retryable and not asset.finished
        planned = asset.status is S.PROCESSED and asset.next_attempt_at is not None
        counted = again and planned
        recorded = not counted and self._failures.record(asset, error, prediction_id)
        if again and not recorded:
            self._transitions.give_up(asset.id, [prediction_id])

    def finish(self, asset_id: str) -> bool:
        """Make the asset SEARCHABLE if every passage has its vector; whether that is so."""
        embedded, total = self._passages.progress(asset_id)
        if not total or embedded < total:
            return False
        if self._transitions.move(asset_id, S.SEARCHABLE):
            log.info("asset %s searchable", asset_id)
        return True


def _runs(rows: Sequence[Document], longest: int) -> Iterator[list[Document]]:
    """Split at gaps in the positions, and after `longest` rows."""
    run: list[Document] = []
    for row in rows:
        if run and (len(run) == longest or row["position"] != run[-1]["position"] + 1):
            yield run
            run = []
        run.append(row)
    if run:
        yield run

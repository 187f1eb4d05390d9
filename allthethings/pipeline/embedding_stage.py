"""From text to SEARCHABLE: vectors for all passages are requested, and stored when they come."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import (
    ErrorCode,
    MalformedPrediction,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.generators import AsyncEmbeddingsGenerator, texts_of
from allthethings.mongo import Stores
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.handover import Handover
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.replicate.failures import code_of
from allthethings.replicate.predictions import Prediction, parse_embeddings, parse_prediction
from allthethings.store.documents import Document
from allthethings.store.passage_documents import model_text

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
        database: Stores,
        generator: AsyncEmbeddingsGenerator,
        unwanted: UnwantedPredictions,
        failures: Failures,
        hand_over: Handover,
        callback_patience: timedelta,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._leases = database.leases
        self._passages = database.passages
        self._generator = generator
        self._unwanted = unwanted
        self._failures = failures
        self._hand_over = hand_over
        self._callback_patience = callback_patience

    def request(self, asset_id: str, *, look_for_lost: bool = False) -> None:
        """Request the vectors that nobody has requested yet, unless another worker is at it.

        Raises ServiceUnavailable; the asset stays PROCESSED then, to be tried again.
        """
        asset = self._leases.claim(asset_id, S.PROCESSED)
        if asset is not None:
            self.request_or_wait(asset, look_for_lost=look_for_lost)

    def request_or_wait(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """As `request`, for a PROCESSED asset whose lease the caller holds."""
        try:
            self.request_missing(asset, look_for_lost=look_for_lost)
        except ServiceUnavailable as error:
            self._failures.wait(asset, error)
            raise

    def request_missing(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """As `request_or_wait`, but the caller keeps the lease if ServiceUnavailable is raised.

        The first batch is requested here. Most things have no other; the others are handed over:
        a book has a hundred, and somebody may wait for an answer.
        """
        if asset.unchecked or self._request(asset, look_for_lost, most=1):
            self.go_on(asset, look_for_lost=look_for_lost)

    def go_on(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """Hand over a PROCESSED asset, leased to the caller, whose vectors are to be requested."""
        self._hand_over(asset, partial(self._request_all, look_for_lost=look_for_lost))

    def _request_all(self, asset: Asset, *, look_for_lost: bool) -> None:
        try:
            with self._generator.one_list():
                self._request(asset, look_for_lost)
        except ServiceUnavailable as error:
            self._failures.wait(asset, error)

    def _request(self, asset: Asset, look_for_lost: bool, most: int | None = None) -> bool:
        """Request vectors, of so many batches at most. Returns whether batches are left that the
        caller may request. Raises ServiceUnavailable."""
        asked: dict[str, bool] = {}
        try:
            checked = self._checked(asset)
            if checked is None:
                return False
            left = self._request_batches(checked, look_for_lost, asked, most)
        except RequestRefused as error:
            left, moved = False, self._failures.record(asset, error)
        else:
            moved = not left and self._transitions.move(
                asset.id,
                S.GENERATING_EMBEDDINGS,
                same_try=asset,
                hold_off=self._callback_patience,
            )
            if moved and not asked:
                self.finish(asset.id)  # all vectors may have come before
        if asked and not moved and not left and self._assets.same_try(asset) is None:
            found = {prediction_id for prediction_id, was_found in asked.items() if was_found}
            self._unwanted.give_up(asset.id, asked, found)
        return left

    def _checked(self, asset: Asset) -> Asset | None:
        """The asset, which has given up the predictions that ended without vectors, if that had yet
        to be done. None if the caller does not hold it any more."""
        if not asset.unchecked:
            return asset
        ended: list[str] = []
        running: list[str] = []
        for prediction_id, first, last in self._passages.owed(asset.id):
            prediction = self._generator.get(prediction_id)
            if prediction and prediction.succeeded and not prediction.lost_its_output:
                self.arrived(asset, first, last, prediction)  # its callback is late, or was lost
            gone = prediction is None or prediction.finished
            (ended if gone else running).append(prediction_id)
            if not self._leases.renew(asset):
                return None
        self._transitions.checked(asset, ended)
        # Until here the callbacks of those that failed were left to this step.
        for prediction_id in running:
            prediction = self._generator.get(prediction_id)
            if prediction is None or (prediction.finished and not prediction.succeeded):
                self._transitions.give_up(asset.id, [prediction_id])
                ended.append(prediction_id)
            if not self._leases.renew(asset):
                return None
        return replace(asset, replaced_process_ids=(*asset.replaced_process_ids, *ended))

    def _request_batches(
        self, asset: Asset, look_for_lost: bool, asked: dict[str, bool], most: int | None
    ) -> bool:
        """Request batch by batch, as long as the caller holds the asset. Adds the ids of the
        predictions to `asked`, each with whether it was found at Replicate. Returns whether it
        ended because these were `most`, and not all."""
        if asset.replaced_process_ids:
            self._passages.forget_requests(asset.id, asset.replaced_process_ids)
        rows = [
            row
            for row in self._passages.of(asset.id)
            if not row["embedded"] and row["replicate_embedding_id"] is None
        ]
        batches = list(_runs(rows, BATCH))
        for number, batch in enumerate(batches):
            if number == most:
                return True
            first = batch[0]["position"]
            texts = [model_text(row["before"], row["text"]) for row in batch]
            found = self._generator.find(asset, texts) if look_for_lost else None
            if found:
                self._transitions.found(asset.id, found)
            prediction_id = found or self._generator.generate(asset, first, texts)
            asked[prediction_id] = found is not None
            # After the last one the asset is moved, which tells as much as a renewal.
            is_last = number == len(batches) - 1
            ours = self._leases.hold(asset) if is_last else self._leases.renew(asset)
            if not ours and self._assets.same_try(asset) is None:
                return False
            self._passages.requested(asset.id, first, batch[-1]["position"], prediction_id)
            if not ours:  # finished, or failed in the meantime
                return False
        return False

    def record(self, asset_id: str, first: int, last: int, payload: object) -> None:
        """Record a callback of the embedding model for the passages first..last.

        Raises NoSuchAsset, MalformedPrediction, ServiceUnavailable; returns when there is
        nothing left to do, also when it was done before.
        """
        told = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not 0 <= first <= last <= MAX_POSITION:
            raise MalformedPrediction("The path names no passages.")
        if not told.finished or told.id in asset.replaced_process_ids:
            return
        # Where another batch has failed, the vectors of this one are kept for the next try.
        if asset.status not in (S.PROCESSED, S.GENERATING_EMBEDDINGS, S.EMBEDDINGS_ERROR):
            return
        if self._embed_awaited(asset, first, last, told):
            self.finish(asset.id, some=True)
            return
        prediction = self._of_its_passages(asset, first, last, told)
        if prediction is None:
            log.warning("asset %s did not ask for prediction %s", asset_id, told.id)
            return
        self.arrived(asset, first, last, prediction)

    def _embed_awaited(self, asset: Asset, first: int, last: int, told: Prediction) -> bool:
        """Keep the vectors of the passages, if each of them is known to wait for this prediction,
        as is usual. Whether that is so."""
        count = last - first + 1
        try:
            vectors = parse_embeddings(told.output, count) if told.succeeded else ()
        except UnusableThing:
            return False
        texts = texts_of(told)
        return bool(vectors) and count == self._passages.embed(
            asset.id, first, vectors, told.id, texts, only_awaited=True
        )

    def _of_its_passages(
        self, asset: Asset, first: int, last: int, told: Prediction
    ) -> Prediction | None:
        """The finished prediction that a callback tells of, if it may embed these passages.

        Where its id is not recorded, because the callback overtook the record or the record was
        lost, it is as Replicate tells it: that has the texts, which `arrived` compares.
        """
        if self._passages.await_prediction(asset.id, first, last, told.id):
            return told
        found = self._generator.look_up(told.id)
        if found is None or not found.finished:
            return None
        return found if len(texts_of(found) or ()) == last - first + 1 else None

    def arrived(self, asset: Asset, first: int, last: int, prediction: Prediction) -> None:
        """Record a finished prediction for the passages first..last, however it ended. Passages
        of another text than it embeds are left alone."""
        texts = texts_of(prediction)
        try:
            if not prediction.succeeded:
                raise _failure(asset, prediction)
            vectors = parse_embeddings(prediction.output, last - first + 1)
        except UnusableThing as error:
            if asset.unchecked:  # the step that checks these predictions gives it up
                return
            if self._passages.waiting(asset.id, first, last, prediction.id, texts):
                self._failed(asset, prediction.id, error)
                return
        else:
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

    def finish(self, asset_id: str, *, some: bool = False) -> bool:
        """Make the asset SEARCHABLE if every passage has its vector; whether that is so. With
        `some` there are passages, as the caller knows."""
        if not self._passages.complete(asset_id, some=some):
            return False
        if self._transitions.move(asset_id, S.SEARCHABLE):
            log.info("asset %s searchable", asset_id)
        return True


def _failure(asset: Asset, prediction: Prediction) -> UnusableThing:
    """Why a prediction brought no vectors. Who cancelled one that the asset has found may have
    cancelled another thing, so that is no reason to give the asset up."""
    if prediction.status == "canceled" and prediction.id in asset.found_process_ids:
        return UnusableThing(
            "The prediction was cancelled with another thing that has the same text.",
            ErrorCode.MODEL_INTERRUPTED,
        )
    return UnusableThing(prediction.why_it_failed(), code_of(prediction))


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

"""What people do with assets: try again, cancel, delete."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.errors import BadInput, ErrorCode, IndexingError, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.later import if_available
from allthethings.pipeline.text_stage import TextStage
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.replicate.client import ReplicateClient
from allthethings.store.deletions import Deletion

log = logging.getLogger(__name__)

S = AssetStatus
# The statuses of the stage that makes the text.
TEXT_STAGE = COMES_FROM[S.PROCESSING_ERROR] | {S.PROCESSING_ERROR}
CANCELLED = "Cancelled by you."


class Lifecycle:
    """Ends assets and starts them again. One serves any number of threads."""

    def __init__(
        self,
        database: Database,
        replicate: ReplicateClient,
        text: TextStage,
        embeddings: EmbeddingStage,
        unwanted: UnwantedPredictions,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._deletions = database.deletions
        self._passages = database.passages
        self._replicate = replicate
        self._text = text
        self._embeddings = embeddings
        self._unwanted = unwanted

    def retry(self, asset_id: str) -> Asset:
        """Go on with an asset from the stage that failed, also where another attempt is planned;
        the asset as it is then. Its attempts are counted anew.

        Where the text is there, vectors are requested only for passages that have none and wait
        for none. Raises NoSuchAsset, BadInput, ServiceUnavailable.
        """
        asset = self._assets.existing(asset_id)
        if not asset.failed and asset.next_attempt_at is None:
            raise BadInput("Only a thing that failed or waits can be retried.")
        self.start_again(asset)
        return self._assets.existing(asset_id)

    def start_again(self, asset: Asset, failed: IndexingError | None = None) -> None:
        """Go back to the beginning of the stage that the asset is in, or failed in. With `failed`
        it is the next attempt, without it the first one. Raises ServiceUnavailable."""
        if asset.status in TEXT_STAGE:
            given_up = [asset.replicate_process_id] if asset.replicate_process_id else []
            if started := self._transitions.start_again(asset, S.SUBMITTED, given_up, failed):
                if not asset.cancelled:  # it may run on, such as after an outage of a day
                    self._unwanted.cancel(given_up)
                self._text.process(started)
            return
        given_up = self._ended_without_vectors(asset)
        if started := self._transitions.start_again(asset, S.PROCESSED, given_up, failed):
            with if_available(asset.id):
                self._embeddings.request_missing(started)
                self._embeddings.finish(asset.id)  # all vectors may have come after the failure

    def _ended_without_vectors(self, asset: Asset) -> list[str]:
        """The predictions that passages wait for in vain."""
        owing = self._owing(asset.id)
        if asset.cancelled:  # so are they, or will be: the model takes its time
            return owing
        found = {prediction_id: self._replicate.get(prediction_id) for prediction_id in owing}
        return [each for each, prediction in found.items() if not prediction or prediction.finished]

    def cancel(self, asset_id: str) -> Asset:
        """End an asset that is under way, as failed; it can be tried again. The asset as it is
        then. Raises NoSuchAsset, BadInput, ServiceUnavailable."""
        asset = self._assets.existing(asset_id)
        while not asset.finished:
            before_text = asset.status in TEXT_STAGE
            failure = S.PROCESSING_ERROR if before_text else S.EMBEDDINGS_ERROR
            # In this order: the callback of a cancelled prediction knows no reason.
            ended_so = IndexingError(CANCELLED, ErrorCode.CANCELLED)
            if self._transitions.move(
                asset_id, failure, failure=ended_so, note={"cancelled": True}
            ):
                log.info("asset %s cancelled", asset_id)
                ended = self._assets.state(asset_id) or asset
                mine = ended.replicate_process_id if before_text else None
                self._unwanted.cancel([*([mine] if mine else []), *self._owing(asset_id)])
                return ended
            asset = self._assets.existing(asset_id)  # it went on in between
        raise BadInput("Only a thing that is under way can be cancelled.")

    def delete(self, asset_id: str) -> None:
        """Remove an asset at any stage, for good. Raises NoSuchAsset."""
        self.finish_deletion(self._deletions.begin(self._assets.existing(asset_id)))
        log.info("asset %s deleted", asset_id)

    def finish_deletion(self, deletion: Deletion) -> None:
        """Remove what is to be deleted, and cancel what runs for it."""
        running = self._deletions.remove_asset(deletion)
        self._unwanted.cancel([*sorted(running), *self._owing(deletion.asset_id)])
        self._passages.delete(deletion.asset_id)
        self._deletions.end(deletion)

    def note_delivery(self, asset_id: str, delivery: Mapping[str, Any]) -> None:
        """Keep how a callback was delivered. Called when its content is recorded, so that the
        callback is answered well even if this cannot be kept."""
        try:
            self._transitions.note_delivery(asset_id, delivery)
        except ServiceUnavailable as error:
            log.warning("a delivery for asset %s is not noted: %s", asset_id, error)

    def _owing(self, asset_id: str) -> list[str]:
        """The predictions that passages wait for."""
        return [prediction_id for prediction_id, _, _ in self._passages.owed(asset_id)]

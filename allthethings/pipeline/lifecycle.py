"""What people do with assets: try again, cancel, delete, name a video."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.errors import BadInput, ErrorCode, IndexingError
from allthethings.mongo import Stores
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.handover import Handover
from allthethings.pipeline.page_stage import PageStage
from allthethings.pipeline.text_stage import TextStage
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.pipeline.videos import video_of
from allthethings.processors import processor_class
from allthethings.store.deletions import Deletion
from allthethings.store.lists import ListStore

log = logging.getLogger(__name__)

S = AssetStatus
# The statuses of the stage that makes the text.
TEXT_STAGE = COMES_FROM[S.PROCESSING_ERROR] | {S.PROCESSING_ERROR}
CANCELLED = "Cancelled by you."


class Lifecycle:
    """Ends assets and starts them again. One serves any number of threads."""

    def __init__(
        self,
        database: Stores,
        lists: ListStore,
        text: TextStage,
        pages: PageStage,
        embeddings: EmbeddingStage,
        unwanted: UnwantedPredictions,
        hand_over: Handover,
        forget: Callable[[str], None] | None = None,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._deletions = database.deletions
        self._lists = lists
        self._passages = database.passages
        self._text = text
        self._pages = pages
        self._embeddings = embeddings
        self._unwanted = unwanted
        self._hand_over = hand_over
        # Removes what is kept of an asset elsewhere; called when it is deleted.
        self._forget = forget

    def retry(self, asset_id: str) -> Asset:
        """Go on with an asset from the stage that failed, also where another attempt is planned;
        the asset as it is then. Its attempts are counted anew.

        What is to be asked of Replicate then is handed over. Where the text is there, vectors are
        requested only for passages that have none and wait for none. Raises NoSuchAsset, BadInput,
        ServiceUnavailable.
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
            # After a cancel it is stopped; else it may run on, such as after an outage of a day.
            running = [] if asset.cancelled else given_up
            with self._unwanted.held(running):
                started = self._transitions.start_again(asset, S.SUBMITTED, given_up, failed)
                if started:
                    self._unwanted.cancel(running)
            if started:
                self._hand_over(started, self._text.process)
            return
        # After a cancel, so are all predictions, or will be: the model takes its time.
        given_up = self._owing(asset.id) if asset.cancelled else []
        if started := self._transitions.start_again(
            asset, S.PROCESSED, given_up, failed, unchecked=not asset.cancelled
        ):
            self._embeddings.go_on(started)

    def cancel(self, asset_id: str) -> Asset:
        """End an asset that is under way, as failed; it can be tried again. The asset as it is
        then. Raises NoSuchAsset, BadInput, ServiceUnavailable."""
        asset = self._assets.existing(asset_id)
        while not asset.finished:
            with self._unwanted.held(self._running(asset), asset.found_process_ids):
                ended = self._cancelled(asset)
            if ended is not None:
                return ended
            asset = self._assets.existing(asset_id)  # it went on in between
        raise BadInput("Only a thing that is under way can be cancelled.")

    def _cancelled(self, asset: Asset) -> Asset | None:
        """The asset, ended as failed with what runs for it; None if it has finished."""
        failure = S.PROCESSING_ERROR if asset.status in TEXT_STAGE else S.EMBEDDINGS_ERROR
        # In this order: the callback of a cancelled prediction knows no reason.
        ended_so = IndexingError(CANCELLED, ErrorCode.CANCELLED)
        if not self._transitions.move(
            asset.id, failure, failure=ended_so, note={"cancelled": True}
        ):
            return None
        log.info("asset %s cancelled", asset.id)
        ended = self._assets.state(asset.id) or asset
        if ended.reading is not None:
            self._pages.forget(asset.id, ended.reading)
        self._unwanted.cancel(self._running(ended), ended.found_process_ids)
        self._unwanted.remove_files([ended.copy.id] if ended.copy else [])
        return ended

    def delete(self, asset_id: str, *, with_things: bool = False) -> None:
        """Remove an asset at any stage, for good; of a list, with the things that it has added, if
        those are in no other list. The files in an archive always go with it. Raises
        NoSuchAsset."""
        asset = self._assets.existing(asset_id)
        with_things = with_things or processor_class(asset.content_type).has_members
        self.finish_deletion(self._deletions.begin(asset, with_things=with_things))
        log.info("asset %s deleted", asset_id)

    def name_video(self, asset_id: str, text: str) -> Asset:
        """Say of which video an asset is the subtitles; with an empty text, of none. The asset as
        it is then. Raises NoSuchAsset, BadInput, ServiceUnavailable."""
        asset = self._assets.existing(asset_id)
        video_url = video_of(text, asset.content_type)
        self._transitions.name_video(asset_id, video_url)
        return replace(asset, video_url=video_url)

    def finish_deletion(self, deletion: Deletion) -> None:
        """Remove what is to be deleted, and cancel what runs for it."""
        running = self._deletions.remove_asset(deletion)
        owing = self._owing(deletion.asset_id)
        self._unwanted.cancel([*sorted(running), *owing], deletion.found_process_ids)
        self._unwanted.remove_files([deletion.copy_id] if deletion.copy_id else [])
        if self._forget:
            self._forget(deletion.asset_id)
        self._pages.forget(deletion.asset_id)
        self._passages.delete(deletion.asset_id)
        self._lists.begin_removal(deletion.asset_id, with_things=deletion.with_things)
        self._deletions.end(deletion)

    def note_delivery(self, asset_id: str, delivery: Mapping[str, Any]) -> None:
        """Keep how a callback was delivered. Called when its content is recorded, so that the
        callback is answered well even if this cannot be kept."""
        try:
            self._transitions.note_delivery(asset_id, delivery)
        except IndexingError as error:
            log.warning("a delivery for asset %s is not noted: %s", asset_id, error)

    def _running(self, asset: Asset) -> list[str]:
        """The predictions that make an asset's text or vectors, or read its pages."""
        mine = asset.replicate_process_id if asset.status in TEXT_STAGE else None
        pages = self._pages.running(asset.id, asset.reading) if asset.reading else []
        return [*([mine] if mine else []), *pages, *self._owing(asset.id)]

    def _owing(self, asset_id: str) -> list[str]:
        """The predictions that passages wait for."""
        return [prediction_id for prediction_id, _, _ in self._passages.owed(asset_id)]

"""From SUBMITTED to PROCESSED: an asset becomes text, and the text is cut into passages."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import (
    ErrorCode,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.mongo import Stores
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.later import if_available
from allthethings.pipeline.page_stage import PageStage
from allthethings.pipeline.text_keeper import TextKeeper
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.processors import (
    Content,
    Processor,
    Requested,
    Tools,
    get_asset_processor,
    processor_class,
)
from allthethings.processors.document_processor import PagedProcessor
from allthethings.replicate.predictions import Prediction, parse_prediction
from allthethings.replicate.records import request_in
from allthethings.store.documents import now

log = logging.getLogger(__name__)

S = AssetStatus


class TextStage:
    """Turns assets into text. One serves any number of threads."""

    def __init__(
        self,
        database: Stores,
        tools: Tools,
        keeper: TextKeeper,
        pages: PageStage,
        embeddings: EmbeddingStage,
        unwanted: UnwantedPredictions,
        failures: Failures,
        callback_patience: timedelta,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._tools = tools
        self._keeper = keeper
        self._pages = pages
        self._embeddings = embeddings
        self._unwanted = unwanted
        self._failures = failures
        self._callback_patience = callback_patience

    def process(
        self, asset: Asset, *, look_for_lost: bool = False, content: Content | None = None
    ) -> None:
        """Take a SUBMITTED asset, leased to the caller, as far as it goes without waiting.
        `content` is what it says, where the caller has read it already."""
        with if_available(asset.id):
            try:
                self._process(asset, look_for_lost, content)
            except ServiceUnavailable as error:
                self._failures.wait(asset, error)

    def _process(self, asset: Asset, look_for_lost: bool, content: Content | None) -> None:
        try:
            processor = self._processor(asset)
            # In this order: while Replicate is away, the thing's server is left alone.
            lost = processor.find(asset) if look_for_lost else None
            if lost is None and not _has_told(asset):
                self._tell(asset, processor)
            outcome = content or lost or processor.process(asset)
        except (UnusableThing, RequestRefused) as error:
            self._failures.record(asset, error)
            return
        if isinstance(outcome, Requested):
            self._record_request(asset, outcome)
        elif outcome.scanned and isinstance(processor, PagedProcessor):
            self._pages.begin(asset, processor, outcome)
        else:
            self._keeper.keep(asset, outcome)
            self._tools.forget(asset)

    def _tell(self, asset: Asset, processor: Processor) -> None:
        """Keep what the thing tells of itself. Its text does without."""
        try:
            told = processor.facts(asset).told()
        except UnusableThing as error:
            log.info("asset %s tells nothing of itself: %s", asset.id, error)
            return
        if told:
            self._transitions.tell(asset, told)

    def record(self, asset_id: str, payload: object) -> None:
        """Record a callback of the model that turns an asset into text.

        Raises NoSuchAsset, MalformedPrediction, ServiceUnavailable; returns when there is
        nothing left to do, also when it was done before.
        """
        told = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not told.finished or asset.finished:
            return
        if asset.reading is not None and asset.status is S.PROCESSING:
            self._pages.record(asset, told)
            return
        prediction = self._of_its_text(asset, told)
        if prediction is None:
            log.warning("asset %s did not ask for prediction %s", asset_id, told.id)
            return
        if asset.status is S.PROCESSED:  # its text is stored, but no vectors are requested
            self._embeddings.request(asset.id, look_for_lost=True)
        elif asset.status in (S.SUBMITTED, S.PROCESSING):
            self.arrived(asset, prediction)

    def _of_its_text(self, asset: Asset, told: Prediction) -> Prediction | None:
        """The finished prediction that a callback tells of, if it is that of the asset's text.

        Where no id is recorded, because the callback overtook the record or the record was lost,
        it is as Replicate tells it, and only if it was asked for this asset. Raises
        ServiceUnavailable.
        """
        if processor_class(asset.content_type).model is None or not asset.awaits(told.id):
            return None
        if asset.replicate_process_id is not None:
            return told
        found = self._tools.replicate.look_up(told.id)
        if found is None or not found.finished:
            return None
        return found if self._processor(asset).asked_for(asset, found) else None

    def arrived(self, asset: Asset, prediction: Prediction) -> None:
        """Record a finished prediction of the asset's text, however it ended."""
        if told := _told(asset, prediction):
            self._transitions.tell(asset, told)
        try:
            _refuse_expired(asset, prediction)
            outcome = self._processor(asset).arrived(asset, prediction)
        except (UnusableThing, RequestRefused) as error:
            self._failures.record(asset, error, prediction.id)
            return
        if isinstance(outcome, Requested):
            self._record_further_request(asset, prediction.id, outcome)
        else:
            self._keeper.keep(asset, outcome, prediction.id)
            self._tools.forget(asset)

    def _processor(self, asset: Asset) -> Processor:
        processor = get_asset_processor(asset.content_type, self._tools)
        if processor is None:
            raise UnusableThing(
                f"Things of type {asset.content_type} are no longer supported.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        return processor

    def _record_request(self, asset: Asset, requested: Requested) -> None:
        noted = self._transitions.move(
            asset.id,
            S.PROCESSING,
            same_try=asset,
            prediction_id=requested.prediction_id,
            hold_off=self._callback_patience,
            note={"prediction": requested.prediction_id},
            replicate_request=dict(requested.request),
        )
        if noted:
            return
        asset_now = self._assets.same_try(asset)
        if asset_now is None or not asset_now.awaits(requested.prediction_id):
            self._unwanted.give_up(asset.id, [requested.prediction_id])

    def _record_further_request(self, asset: Asset, ended: str, requested: Requested) -> None:
        noted = self._transitions.follow(
            asset,
            ended,
            requested.prediction_id,
            self._callback_patience,
            requested.draft or "",
            replicate_request=dict(requested.request),
        )
        if not noted:  # the same callback came twice, or the asset has moved on
            self._unwanted.give_up(asset.id, [requested.prediction_id])


def _told(asset: Asset, prediction: Prediction) -> dict[str, Any]:
    """The fields of an asset that say what Replicate told of its prediction. Where the record of
    the request was lost, that is what was asked for, too."""
    if not prediction.told:
        return {}
    response = {"replicate_response": dict(prediction.told)}
    if asset.replicate_process_id is not None:
        return response
    return {**response, "replicate_request": request_in(prediction.told)}


def _has_told(asset: Asset) -> bool:
    """Whether an asset that waits for a service has told of itself in this try."""
    return bool(asset.outage_since and (asset.duration or asset.picture_size))


def _refuse_expired(asset: Asset, prediction: Prediction) -> None:
    """Raises UnusableThing for a prediction that may have failed because the copy of the thing had
    expired before the model got to it: another attempt makes another copy."""
    copy = asset.copy
    if copy and copy.expires_at and copy.expires_at <= now() and not prediction.succeeded:
        raise UnusableThing(
            "The file uploaded to Replicate has expired.", ErrorCode.MODEL_INTERRUPTED
        )

"""From SUBMITTED to PROCESSED: an asset becomes text, and the text is cut into passages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.assets.passages import CountTokens, Passage, Shape, cut
from allthethings.assets.transcripts import from_locators, pack
from allthethings.errors import (
    ErrorCode,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.mongo import Database
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.later import if_available
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.processors import (
    Content,
    Processor,
    Requested,
    Tools,
    about,
    get_asset_processor,
)
from allthethings.replicate.failures import code_of
from allthethings.replicate.predictions import Prediction, parse_prediction

log = logging.getLogger(__name__)

S = AssetStatus
# The longest text that is stored, in characters: a MongoDB document holds 16 MiB.
MAX_TEXT = 4_000_000


@dataclass(frozen=True)
class Cutter:
    """Cuts texts into passages."""

    count_tokens: CountTokens
    shape: Shape

    def cut(self, content: Content) -> list[Passage]:
        """The passages of a thing's text. Raises UnusableThing."""
        if len(content.text) > MAX_TEXT:
            raise UnusableThing(
                f"Its text is too long: more than {MAX_TEXT:,} characters.",
                ErrorCode.TEXT_TOO_LONG,
            )
        passages = cut(content.pieces, self.count_tokens, self.shape, content.title)
        if not passages:
            raise UnusableThing("It contains no text.", ErrorCode.NO_TEXT)
        return passages


class TextStage:
    """Turns assets into text. One serves any number of threads."""

    def __init__(
        self,
        database: Database,
        tools: Tools,
        cutter: Cutter,
        embeddings: EmbeddingStage,
        unwanted: UnwantedPredictions,
        failures: Failures,
        callback_patience: timedelta,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._leases = database.leases
        self._passages = database.passages
        self._tools = tools
        self._cutter = cutter
        self._embeddings = embeddings
        self._unwanted = unwanted
        self._failures = failures
        self._callback_patience = callback_patience

    def process(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """Take a SUBMITTED asset, leased to the caller, as far as it goes without waiting."""
        with if_available(asset.id):
            try:
                self._process(asset, look_for_lost)
            except ServiceUnavailable as error:
                self._failures.wait(asset, error)

    def _process(self, asset: Asset, look_for_lost: bool) -> None:
        try:
            processor = self._processor(asset)
            outcome = (processor.find(asset) if look_for_lost else None) or processor.process(asset)
        except (UnusableThing, RequestRefused) as error:
            self._failures.record(asset, error)
            return
        if isinstance(outcome, Requested):
            self._record_request(asset, outcome)
        else:
            self._record_content(asset, outcome)

    def record(self, asset_id: str, payload: object) -> None:
        """Record a callback of the model that turns an asset into text.

        Raises NoSuchAsset, MalformedPrediction, ServiceUnavailable; returns when there is
        nothing left to do, also when it was done before.
        """
        prediction = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not prediction.finished or not asset.awaits(prediction.id):
            return
        if asset.status is S.PROCESSED:  # its text is stored, but no vectors are requested
            self._embeddings.request(asset.id, look_for_lost=True)
        elif asset.status in (S.SUBMITTED, S.PROCESSING):
            self.arrived(asset, prediction)

    def arrived(self, asset: Asset, prediction: Prediction) -> None:
        """Record a finished prediction of the asset's text, however it ended."""
        try:
            if not prediction.succeeded:
                raise UnusableThing(prediction.why_it_failed(), code_of(prediction))
            content = self._processor(asset).read(prediction.output)
        except UnusableThing as error:
            self._failures.record(asset, error, prediction.id)
            return
        self._record_content(asset, content, prediction.id)

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

    def _record_content(
        self, asset: Asset, content: Content, prediction_id: str | None = None
    ) -> None:
        if not self._still_ours(asset):
            return
        try:
            passages = self._cutter.cut(content)
        except UnusableThing as error:
            self._failures.record(asset, error, prediction_id)
            return
        if not self._still_ours(asset):
            return
        description = about(asset, content.title)
        if not self._passages.put(asset.id, description, passages, asset.tries or 0):
            return
        lines = from_locators((piece.text, piece.locator) for piece in content.pieces)
        moved = self._transitions.move(
            asset.id,
            S.PROCESSED,
            same_try=asset,
            prediction_id=prediction_id,
            text=content.text,
            title=content.title,
            segments=pack(content.text, lines),
            note={"passages": len(passages)},
        )
        if moved:
            log.info("asset %s processed, %d passages", asset.id, len(passages))
            self._embeddings.request(asset.id)
        elif self._assets.state(asset.id) is None:  # deleted in the meantime
            self._passages.delete(asset.id)

    def _still_ours(self, asset: Asset) -> bool:
        """Whether the asset still waits for this text. Renews the lease where the caller holds
        it: a download, a parse and a cut may take most of a lease each."""
        if asset.lease_owner is not None and not self._leases.renew(asset):
            return False
        asset_now = self._assets.same_try(asset)
        return asset_now is not None and asset_now.status in COMES_FROM[S.PROCESSED]

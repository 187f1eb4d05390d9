"""The journey of a thing: submitted, turned into text, cut, embedded, searchable.

Every step may be repeated and may be interrupted: what it does it does once, by compare and
set, and what it left half done the reconciler finishes. Who acts on a thing outside a callback
holds its lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.assets.passages import CountTokens, Shape, cut
from allthethings.assets.transcripts import from_locators, pack
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import (
    BadInput,
    ErrorCode,
    IndexingError,
    MalformedPrediction,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database
from allthethings.processors import (
    Content,
    Processor,
    Requested,
    Tools,
    about,
    get_asset_processor,
    kinds,
    processor_class,
    sniff,
)
from allthethings.replicate.predictions import Prediction, parse_embeddings, parse_prediction
from allthethings.sources.fetch import ONE_ANSWER, Probe, beginning, probe, within
from allthethings.store.deletions import Deletion
from allthethings.store.documents import Document
from allthethings.store.transitions import AlreadyIndexed
from guardedfetch import Fetcher

log = logging.getLogger(__name__)

S = AssetStatus
BATCH = 32
"""Passages in one embedding prediction: a few seconds of work, so that things share the model."""
MAX_TEXT = 4_000_000
"""Characters; a MongoDB document holds 16 MiB."""
CANCELLED = "Cancelled by you."
HOLD_OFF = timedelta(seconds=5)
"""How long a thing rests when a service was away."""


@dataclass(frozen=True)
class Preview:
    """What a URL would become; `content_length` is bytes, if told."""

    url: str
    kind: str
    content_length: int | None
    title: str | None


class Pipeline:
    """The steps of the journey. One serves any number of threads."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        tools: Tools,
        generator: AsyncEmbeddingsGenerator,
        count_tokens: CountTokens,
        callback_patience: timedelta,
        shape: Shape,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._leases = database.leases
        self._deletions = database.deletions
        self._passages = database.passages
        self._fetcher = fetcher
        self._tools = tools
        self._replicate = tools.replicate
        self._generator = generator
        self._count_tokens = count_tokens
        self._callback_patience = callback_patience
        self._shape = shape

    # -- submitting

    @within(ONE_ANSWER)
    def submit(self, text: str) -> Asset:
        """Index the thing at this URL. Raises AlreadyIndexed, BadInput, UnusableThing, or
        ServiceUnavailable when nothing could be kept."""
        url, key, seen = self._look(text)
        kind = processor_class(seen.content_type).kind
        asset = self._transitions.insert(url, key, kind, seen.content_type, seen.content_length)
        log.info("asset %s submitted, %s", asset.id, seen.content_type)
        self.process(asset)
        return asset

    @within(ONE_ANSWER)
    def check(self, text: str) -> Preview:
        """What `submit` would make of it; nothing is kept. Raises what that raises."""
        url, _key, seen = self._look(text)
        processor = processor_class(seen.content_type)
        return Preview(url, processor.kind, seen.content_length, self._title(processor, url))

    def _look(self, text: str) -> tuple[str, str, Probe]:
        """The URL as it is asked for, its key, and what its server says of it."""
        url = clean_url(text)
        key = url_key(url)
        existing = self._assets.find_url(key)
        if existing is not None:  # saves the request; the unique index decides in the end
            raise AlreadyIndexed(existing)
        seen = probe(self._fetcher, url, sniff)
        if get_asset_processor(seen.content_type, self._tools) is None:
            raise UnusableThing(
                f"This is of type {seen.content_type}. The kinds that work: {', '.join(kinds())}.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        return url, key, seen

    def _title(self, processor: type[Processor], url: str) -> str | None:
        """The title that a thing gives itself, if it is quick to be had."""
        try:
            return processor.title(lambda: beginning(self._fetcher, url))
        except UnusableThing:  # what that means, indexing it will tell
            return None

    def process(self, asset: Asset, *, look_for_lost: bool = False) -> None:
        """Take a SUBMITTED thing, leased to the caller, as far as it goes without waiting."""
        try:
            processor = self._processor(asset)
            outcome = (processor.find(asset) if look_for_lost else None) or processor.process(asset)
        except (UnusableThing, RequestRefused) as error:
            self._transitions.move(asset.id, S.PROCESSING_ERROR, same_try=asset, error=str(error))
        except ServiceUnavailable as error:
            log.warning("asset %s waits: %s", asset.id, error)
            self._leases.release(asset, hold_off=HOLD_OFF, error=str(error))
        else:
            if isinstance(outcome, Requested):
                self._record_request(asset, outcome)
            else:
                self._soon(asset.id, lambda: self._record_content(asset, outcome))

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
            self.give_up(asset.id, [requested.prediction_id])

    def _soon(self, asset_id: str, step: Callable[[], None]) -> None:
        """A step that the reconciler takes up when a service is away now."""
        try:
            step()
        except ServiceUnavailable as error:
            log.warning("asset %s waits: %s", asset_id, error)

    def _processor(self, asset: Asset) -> Processor:
        processor = get_asset_processor(asset.content_type, self._tools)
        if processor is None:
            raise UnusableThing(
                f"Things of type {asset.content_type} are not processed any more.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        return processor

    # -- text

    def record_text(self, asset_id: str, payload: object) -> None:
        """A callback of the model that turns a thing into text.

        Raises NoSuchAsset, MalformedPrediction, ServiceUnavailable; returns when there is
        nothing left to do, be it because it was done before.
        """
        prediction = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not prediction.finished or not asset.awaits(prediction.id):
            return
        if asset.status is S.PROCESSED:  # its text is there, but the embeddings were not asked for
            self.request_embeddings(asset.id, look_for_lost=True)
        elif asset.status in (S.SUBMITTED, S.PROCESSING):
            self.text_arrived(asset, prediction)

    def text_arrived(self, asset: Asset, prediction: Prediction) -> None:
        """Record a finished prediction of the asset's text, well or badly ended."""
        try:
            if not prediction.succeeded:
                raise UnusableThing(prediction.why_it_failed())
            content = self._processor(asset).read(prediction.output)
        except UnusableThing as error:
            self._transitions.move(
                asset.id,
                S.PROCESSING_ERROR,
                same_try=asset,
                prediction_id=prediction.id,
                error=str(error),
            )
            return
        self._record_content(asset, content, prediction.id)

    def _record_content(
        self, asset: Asset, content: Content, prediction_id: str | None = None
    ) -> None:
        too_long = len(content.text) > MAX_TEXT
        passages = (
            [] if too_long else cut(content.pieces, self._count_tokens, self._shape, content.title)
        )
        if not passages:
            reason = "There is no text in it."
            if too_long:
                reason = f"Its text is too long: more than {MAX_TEXT:,} characters."
            self._transitions.move(
                asset.id,
                S.PROCESSING_ERROR,
                same_try=asset,
                prediction_id=prediction_id,
                error=reason,
            )
            return
        asset_now = self._assets.same_try(asset)
        if asset_now is None or asset_now.status not in COMES_FROM[S.PROCESSED]:
            return  # another was first
        self._passages.put(asset.id, about(asset, content.title), passages)
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
            self.request_embeddings(asset.id)
        elif self._assets.state(asset.id) is None:  # deleted in the meantime
            self._passages.delete(asset.id)

    # -- embeddings

    def request_embeddings(self, asset_id: str, *, look_for_lost: bool = False) -> None:
        """Ask for the vectors that nobody asked for yet, unless somebody is just doing so.

        Raises ServiceUnavailable; the thing stays PROCESSED then, to be tried again.
        """
        asset = self._leases.claim(asset_id, S.PROCESSED)
        if asset is not None:
            self.request_missing(asset, look_for_lost=look_for_lost)

    def request_missing(self, asset: Asset, *, look_for_lost: bool) -> None:
        """As `request_embeddings`, for a PROCESSED thing whose lease the caller holds."""
        asked: list[str] = []
        try:
            self._request_batches(asset, look_for_lost, asked)
        except RequestRefused as error:
            moved = self._transitions.move(
                asset.id, S.EMBEDDINGS_ERROR, same_try=asset, error=str(error)
            )
        except ServiceUnavailable as error:
            self._leases.release(asset, hold_off=HOLD_OFF, error=str(error))
            raise
        else:
            moved = self._transitions.move(
                asset.id,
                S.GENERATING_EMBEDDINGS,
                same_try=asset,
                hold_off=self._callback_patience,
            )
        if asked and not moved and self._assets.same_try(asset) is None:
            self.give_up(asset.id, asked)

    def _request_batches(self, asset: Asset, look_for_lost: bool, asked: list[str]) -> None:
        """Ask batch by batch, as long as the asset is the caller's; `asked` gets the ids."""
        if asset.replaced_process_ids:
            self._passages.forget_requests(asset.id, asset.replaced_process_ids)
        rows = [
            row
            for row in self._passages.of(asset.id)
            if not row["embedded"] and row["replicate_embedding_id"] is None
        ]
        for batch in _runs(rows, BATCH):
            first = batch[0]["position"]
            texts = [f"{row['before']} {row['text']}".strip() for row in batch]
            found = self._generator.find(asset, texts) if look_for_lost else None
            prediction_id = found or self._generator.generate(asset, first, texts)
            asked.append(prediction_id)
            ours = self._leases.renew(asset)
            if not ours and self._assets.same_try(asset) is None:
                return
            self._passages.requested(asset.id, first, batch[-1]["position"], prediction_id)
            if not ours:  # finished, or failed in the meantime
                return

    def record_embeddings(self, asset_id: str, first: int, last: int, payload: object) -> None:
        """A callback of the embedding model for the passages first..last; raises as above."""
        prediction = parse_prediction(payload)
        asset = self._assets.existing(asset_id)
        if not 0 <= first <= last <= MAX_TEXT:
            raise MalformedPrediction("The path names no passages.")
        if not prediction.finished or prediction.id in asset.replaced_process_ids:
            return
        # Where another batch has failed, what this one brings is kept for the next try.
        if asset.status in (S.PROCESSED, S.GENERATING_EMBEDDINGS, S.EMBEDDINGS_ERROR):
            self.embeddings_arrived(asset, first, last, prediction)

    def embeddings_arrived(
        self, asset: Asset, first: int, last: int, prediction: Prediction
    ) -> None:
        if self._passages.waiting(asset.id, first, last, prediction.id):
            try:
                if not prediction.succeeded:
                    raise UnusableThing(prediction.why_it_failed())
                vectors = parse_embeddings(prediction.output, last - first + 1)
            except UnusableThing as error:
                self._transitions.move(
                    asset.id, S.EMBEDDINGS_ERROR, same_try=asset, error=str(error)
                )
                return
            self._passages.embed(asset.id, first, vectors, prediction.id)
        self.finish(asset.id)

    def finish(self, asset_id: str) -> bool:
        """Make it SEARCHABLE if every passage has its vector; whether that is so."""
        embedded, total = self._passages.progress(asset_id)
        if not total or embedded < total:
            return False
        if self._transitions.move(asset_id, S.SEARCHABLE):
            log.info("asset %s searchable", asset_id)
        return True

    def note_delivery(self, asset_id: str, delivery: Mapping[str, Any]) -> None:
        """Keep how a callback came, after what it brought was recorded: its answer stands."""
        try:
            self._transitions.note_delivery(asset_id, delivery)
        except ServiceUnavailable as error:
            log.warning("a delivery for asset %s is not noted: %s", asset_id, error)

    # -- again, and away

    def retry(self, asset_id: str) -> Asset:
        """Go on with a failed thing from the stage that failed; the asset as it is then. Raises
        NoSuchAsset, BadInput.

        What came before is not asked for again: a text that is there is embedded anew, and only
        its passages that have no vector and wait for none. Raises ServiceUnavailable too.
        """
        asset = self._assets.existing(asset_id)
        if not asset.failed:
            raise BadInput("Only what has failed can be tried again.")
        self.begin_again(asset)
        return self._assets.existing(asset_id)

    def begin_again(self, asset: Asset) -> None:
        """Go back to the beginning of the stage that the asset is in, or failed in. Raises
        ServiceUnavailable."""
        if asset.status in COMES_FROM[S.PROCESSING_ERROR] | {S.PROCESSING_ERROR}:
            given_up = [asset.replicate_process_id] if asset.replicate_process_id else []
            if begun := self._transitions.start_again(asset, S.SUBMITTED, given_up):
                self.process(begun)
            return
        given_up = self._ended_without_vectors(asset)
        if begun := self._transitions.start_again(asset, S.PROCESSED, given_up):
            self._soon(asset.id, lambda: self._embed_again(begun))

    def _ended_without_vectors(self, asset: Asset) -> list[str]:
        """The predictions that passages wait for in vain."""
        if asset.cancelled:  # so are they, or will be: the model takes its time
            return self._owing(asset.id)
        ended = []
        for prediction_id in self._owing(asset.id):
            prediction = self._replicate.get(prediction_id)
            if prediction is None or prediction.finished:
                ended.append(prediction_id)
        return ended

    def _embed_again(self, asset: Asset) -> None:
        self.request_missing(asset, look_for_lost=False)
        self.finish(asset.id)  # all vectors may have come after the failure

    def cancel(self, asset_id: str) -> Asset:
        """End a thing that is under way, as failed; it can be tried again. The asset as it is
        then. Raises NoSuchAsset, BadInput, ServiceUnavailable."""
        asset = self._assets.existing(asset_id)
        while not asset.finished:
            before_text = asset.status in COMES_FROM[S.PROCESSING_ERROR]
            failure = S.PROCESSING_ERROR if before_text else S.EMBEDDINGS_ERROR
            # In this order: the callback of a cancelled prediction knows no reason.
            if self._transitions.move(asset_id, failure, error=CANCELLED, note={"cancelled": True}):
                log.info("asset %s cancelled", asset_id)
                ended = self._assets.state(asset_id) or asset
                mine = ended.replicate_process_id if before_text else None
                self._cancel(*([mine] if mine else []), *self._owing(asset_id))
                return ended
            asset = self._assets.existing(asset_id)  # it went on in between
        raise BadInput("Only what is under way can be cancelled.")

    def delete(self, asset_id: str) -> None:
        """Remove a thing at any stage, for good. Raises NoSuchAsset."""
        self.finish_deletion(self._deletions.begin(self._assets.existing(asset_id)))
        log.info("asset %s deleted", asset_id)

    def finish_deletion(self, deletion: Deletion) -> None:
        """Remove what is to be deleted, and cancel what runs for it."""
        running = self._deletions.remove_asset(deletion)
        self._cancel(*sorted(running), *self._owing(deletion.asset_id))
        self._passages.delete(deletion.asset_id)
        self._deletions.end(deletion)

    def give_up(self, asset_id: str, prediction_ids: Sequence[str]) -> None:
        """Wait no more for these predictions, and cancel them: what comes of them must neither
        end another try nor be waited for by it."""
        self._transitions.give_up(asset_id, prediction_ids)
        self._passages.forget_requests(asset_id, prediction_ids)
        self._cancel(*prediction_ids)

    def _owing(self, asset_id: str) -> list[str]:
        """The predictions that passages wait for."""
        return [prediction_id for prediction_id, _, _ in self._passages.owed(asset_id)]

    def _cancel(self, *prediction_ids: str) -> None:
        """Their results are not wanted any more; they do no harm if they run on."""
        for prediction_id in prediction_ids:
            try:
                self._replicate.cancel(prediction_id)
            except IndexingError as error:
                log.warning("prediction %s is not cancelled: %s", prediction_id, error)
                if error.retryable:
                    return  # nor are the others: each would be waited for in vain


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

"""Pages of documents that are pictures of text: a model reads them one by one.

The asset is PROCESSING meanwhile. Its pages are drawn and uploaded a few at a time, outside of
callbacks, by who holds its lease. A callback stores the text of its page and asks for the next
page. The last page brings the content.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, RequestRefused, ServiceUnavailable, UnusableThing
from allthethings.mongo import Stores
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.page_content import packed, unpacked
from allthethings.pipeline.page_pictures import PagePictures
from allthethings.pipeline.text_keeper import TextKeeper
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.processors import Content, Tools, get_asset_processor
from allthethings.processors.document_processor import PagedProcessor
from allthethings.replicate.failures import output_of
from allthethings.replicate.predictions import Prediction
from allthethings.store.documents import now
from allthethings.store.scans import Scan

log = logging.getLogger(__name__)

S = AssetStatus
E = ErrorCode
# Predictions of one document under way at a time: other things share the model.
IN_FLIGHT = 4
# Pages that are uploaded before they are asked for. For each such stock the document is downloaded
# once more.
AHEAD = 20
# Predictions of one page that may fail of a passing fault.
PAGE_ATTEMPTS = 3
# How long the request for a prediction may take, before it counts as lost.
ASKING = timedelta(seconds=60)
# For pages of which none can be late.
NO_DEADLINE = timedelta.max
# The most characters of a page: a model that says more does not read.
MAX_PAGE = 200_000


class PageStage:
    """Reads the pages of documents. One serves any number of threads."""

    def __init__(
        self,
        database: Stores,
        tools: Tools,
        keeper: TextKeeper,
        unwanted: UnwantedPredictions,
        failures: Failures,
        callback_patience: timedelta,
    ) -> None:
        self._assets = database.assets
        self._scans = database.scans
        self._transitions = database.transitions
        self._leases = database.leases
        self._tools = tools
        self._replicate = tools.replicate
        self._keeper = keeper
        self._unwanted = unwanted
        self._failures = failures
        self._pictures = PagePictures(database, tools.replicate, failures)
        self._callback_patience = callback_patience

    def begin(self, asset: Asset, processor: PagedProcessor, content: Content) -> None:
        """Let a SUBMITTED asset, leased to the caller, wait for its scanned pages. The first of
        them are drawn at once. Raises ServiceUnavailable."""
        if not self._keeper.still_ours(asset):
            return
        try:
            begun = self._begun(asset, content)
        except UnusableThing as error:  # what it says besides is too long to be stored
            self._failures.record(asset, error)
            return
        if begun is not None:
            try:
                self._take_up(begun, processor, NO_DEADLINE, IN_FLIGHT)
            except ServiceUnavailable as error:
                self._failures.wait(begun, error)

    def _begun(self, asset: Asset, content: Content) -> Asset | None:
        """The asset, PROCESSING and leased anew; None if it has moved on or others have it."""
        reading = self._scans.begin(asset.id, content.scanned, packed(content))
        moved = self._transitions.move(
            asset.id,
            S.PROCESSING,
            same_try=asset,
            reading=reading,
            note={"scanned": len(content.scanned)},
        )
        if not moved:
            self._scans.remove(asset.id, only=reading)
            return None
        self._end_running(self._scans.remove(asset.id, but=reading))
        return self._leases.claim(asset.id, S.PROCESSING)

    def take_up(self, asset: Asset, deadline: timedelta) -> None:
        """Go on with an asset whose pages are being read and that is leased to the caller, and
        give it back. A prediction that is longer at work than the deadline is given up. Raises
        ServiceUnavailable."""
        self._take_up(asset, self._processor(asset), deadline, AHEAD)

    def _take_up(
        self, asset: Asset, processor: PagedProcessor, deadline: timedelta, most: int
    ) -> None:
        if not self._pages(asset):
            lost = UnusableThing("The text read so far was lost.", E.UNFORESEEN)
            self._failures.record(asset, lost)
            return
        self._look_after(asset, processor, deadline)
        try:
            self._pictures.stock_up(
                asset, processor, most, lambda: self._ask_some(asset, processor)
            )
        except UnusableThing as error:  # a passing fault: what was read stays
            self._failures.record(asset, error, stay=True)
            return
        self._go_on(asset, processor)
        soon = self._pictures.lacks(asset)
        self._leases.release_to_model(asset, timedelta(0) if soon else self._callback_patience)

    def record(self, asset: Asset, told: Prediction) -> None:
        """Record a finished prediction that a callback tells of, if it is of one of the pages.
        Raises ServiceUnavailable."""
        processor = self._processor(asset)
        scan, prediction = self._page_of(asset, processor, told)
        if scan is None or prediction is None:
            log.warning("asset %s did not ask for prediction %s", asset.id, told.id)
            return
        self._end(scan, processor, prediction)
        self._go_on(asset, processor)
        if self._pictures.lacks(asset):
            self._leases.wake(asset)

    def running(self, asset_id: str, reading: str) -> list[str]:
        """The predictions that read its pages."""
        scans = self._scans.pages(asset_id, reading)
        return [each.prediction_id for each in scans if each.prediction_id and not each.ended]

    def forget(self, asset_id: str, reading: str | None = None) -> None:
        """End a reading, or all those of an asset, with what runs for it."""
        self._end_running(self._scans.remove(asset_id, only=reading))

    def _end_running(self, scans: Sequence[Scan]) -> None:
        self._unwanted.cancel([each.prediction_id for each in scans if each.prediction_id])
        self._unwanted.remove_files([each.file_id for each in scans if each.file_id])

    # -- predictions

    def _go_on(self, asset: Asset, processor: PagedProcessor) -> None:
        """Ask for the next pages, or keep the content once all have ended."""
        self._ask_some(asset, processor)
        pages = self._pages(asset)
        if not all(each.ended for each in pages):
            return
        reading = self._scans.read(asset.id, asset.reading or "")
        if reading.rest:  # otherwise another worker has kept it
            try:
                self._keeper.keep(asset, unpacked(reading, processor))
            except UnusableThing as error:
                self._failures.record(asset, error)
        now_is = self._assets.state(asset.id)
        if now_is is None or now_is.status is not S.PROCESSING or now_is.reading != asset.reading:
            self.forget(asset.id, asset.reading)
            self._tools.forget(asset)

    def _ask_some(self, asset: Asset, processor: PagedProcessor) -> None:
        under_way = sum(bool(each.asked_at) and not each.ended for each in self._pages(asset))
        for _ in range(under_way, IN_FLIGHT):
            scan = self._scans.claim(asset.id, asset.reading or "")
            if scan is None:
                return
            self._ask(asset, processor, scan)

    def _ask(self, asset: Asset, processor: PagedProcessor, scan: Scan) -> None:
        model = processor.page_model
        webhook = f"{self._tools.webhook_urls[model.webhook]}/{asset.id}"
        given = {model.url_input: scan.url}
        try:
            prediction = self._replicate.create(model.version, given, webhook)
        except RequestRefused as error:  # so will the others be
            self._scans.failed(scan, error)
            self._scans.fail_rest(asset.id, asset.reading or "", error)
            return
        if not self._scans.asked(scan, prediction.id):
            self._unwanted.cancel([prediction.id])

    def _page_of(
        self, asset: Asset, processor: PagedProcessor, told: Prediction
    ) -> tuple[Scan | None, Prediction | None]:
        """The page that a finished prediction reads. Where its id is not recorded, because the
        callback overtook the record or the record was lost, the prediction is as Replicate tells
        it, and the picture in its input names the page. Raises ServiceUnavailable."""
        pages = self._pages(asset)
        for each in pages:
            if each.prediction_id == told.id:
                return each, told
        if not any(each.asked_at and not each.prediction_id for each in pages):
            return None, None
        found, model = self._replicate.look_up(told.id), processor.page_model
        if found is None or not found.finished or found.version != model.version:
            return None, None
        url = found.input.get(model.url_input)
        return next((each for each in pages if each.url and each.url == url), None), found

    def _end(self, scan: Scan, processor: PagedProcessor, prediction: Prediction) -> None:
        """Record how the prediction of a page ended."""
        try:
            text = processor.text_in(output_of(prediction))
            if len(text) > MAX_PAGE:
                raise UnusableThing("The model's answer was too long.", E.MODEL_OUTPUT_UNUSABLE)
        except UnusableThing as error:
            self._failed(scan, error)
            return
        if self._scans.ended(scan, prediction.id, text):
            self._pictures.discard(scan)

    def _failed(self, scan: Scan, error: UnusableThing) -> None:
        """Read a page again after a passing fault, or when its picture has expired."""
        passing = error.retryable or error.code in (E.NOT_FOUND, E.PREDICTION_LOST)
        if passing and scan.attempt < PAGE_ATTEMPTS:
            changed = self._scans.again(scan)
        else:
            changed = self._scans.failed(scan, error)
        if changed:
            log.warning("page %d, attempt %d failed: %s", scan.page, scan.attempt, error)
            self._pictures.discard(scan)

    def _look_after(self, asset: Asset, processor: PagedProcessor, deadline: timedelta) -> None:
        """Ask what became of the predictions whose callbacks are late or lost."""
        for scan in self._pages(asset):
            if scan.ended or scan.asked_at is None:
                continue
            waits = now() - scan.asked_at
            if scan.prediction_id is None and waits > ASKING:
                self._look_for(scan, processor)
            elif scan.prediction_id is not None and waits > self._callback_patience:
                self._look_at(scan, scan.prediction_id, processor, deadline)

    def _look_at(
        self, scan: Scan, prediction_id: str, processor: PagedProcessor, deadline: timedelta
    ) -> None:
        prediction = self._replicate.get(prediction_id)
        if prediction is None:
            self._failed(scan, UnusableThing("Replicate lost the request.", E.PREDICTION_LOST))
        elif prediction.lost_its_output:
            self._failed(scan, UnusableThing("Its text has expired.", E.OUTPUT_EXPIRED))
        elif prediction.finished:
            self._end(scan, processor, prediction)
        elif prediction.started_at and now() - prediction.started_at > deadline:
            too_long = UnusableThing("The model took too long.", E.PREDICTION_TIMED_OUT)
            with self._unwanted.held([prediction.id]):
                self._failed(scan, too_long)
                self._unwanted.cancel([prediction.id])

    def _look_for(self, scan: Scan, processor: PagedProcessor) -> None:
        """Find the prediction whose record was lost, or ask for it again. No model has failed."""
        model = processor.page_model
        found = self._replicate.find(
            model.version,
            scan.asked_at or now(),
            lambda values: values.get(model.url_input) == scan.url,
        )
        if found:
            self._scans.asked(scan, found.id)
        else:
            self._scans.unasked(scan)

    def _processor(self, asset: Asset) -> PagedProcessor:
        processor = get_asset_processor(asset.content_type, self._tools)
        if not isinstance(processor, PagedProcessor):
            raise UnusableThing("Its pages are no longer read.", E.UNSUPPORTED_TYPE)
        return processor

    def _pages(self, asset: Asset) -> list[Scan]:
        return self._scans.pages(asset.id, asset.reading or "")

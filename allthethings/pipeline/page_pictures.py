"""Pictures of the pages that a model reads: drawn, uploaded where it can read them, and removed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from allthethings.assets.asset import Asset
from allthethings.errors import IndexingError, RequestRefused, UnusableThing
from allthethings.mongo import Stores
from allthethings.pipeline.failures import Failures
from allthethings.processors.document_processor import PagedProcessor, PageNotDrawn
from allthethings.replicate.client import ReplicateClient
from allthethings.store.scans import Scan

log = logging.getLogger(__name__)

# Pages in stock below which more are drawn.
LOW = 4
# Seconds of drawing and uploading after which other things have their turn.
TOGETHER = 5.0
# Pages that may resist being drawn before the rest of a document is not tried.
UNDRAWN = 3


class PagePictures:
    """Keeps pages of documents in stock: drawn, uploaded, and not yet asked for."""

    def __init__(self, database: Stores, replicate: ReplicateClient, failures: Failures) -> None:
        self._scans = database.scans
        self._leases = database.leases
        self._replicate = replicate
        self._failures = failures

    def stock_up(
        self, asset: Asset, processor: PagedProcessor, most: int, uploaded: Callable[[], None]
    ) -> None:
        """Draw and upload pages until there are `most` in stock, or it takes too long; `uploaded`
        is called after each. The caller holds the asset's lease. Raises UnusableThing for a
        passing fault."""
        pages = self._pages(asset)
        wanted = [each for each in pages if not each.ended and each.file_id is None]
        began, undrawn = time.monotonic(), 0
        for each in wanted[: max(0, most - _in_stock(pages))]:
            if time.monotonic() - began > TOGETHER or not self._leases.renew(asset):
                return
            try:
                undrawn += not self._show(asset, processor, each)
            except (UnusableThing, RequestRefused) as error:  # so it is with all pages
                self._give_up_rest(asset, error)
                return
            if undrawn == UNDRAWN:
                self._give_up_rest(asset, UnusableThing("Several pages could not be rendered."))
                return
            uploaded()

    def lacks(self, asset: Asset) -> bool:
        """Whether few pages are in stock, and more can be drawn."""
        pages = self._pages(asset)
        missing = any(not each.ended and each.file_id is None for each in pages)
        return missing and _in_stock(pages) < LOW

    def discard(self, scan: Scan) -> None:
        """Remove the picture of a page. One that is left expires by itself."""
        if scan.file_id is None:
            return
        try:
            self._replicate.remove(scan.file_id)
        except IndexingError as error:
            log.info("the picture of page %d is left: %s", scan.page, error)

    def _show(self, asset: Asset, processor: PagedProcessor, scan: Scan) -> bool:
        """Put the picture of a page where the model can read it; whether it can be drawn."""
        try:
            picture = processor.draw(asset, scan.page)
        except PageNotDrawn as error:
            self._scans.failed(scan, UnusableThing(str(error)))
            return False
        file = self._replicate.upload(picture, f"page-{scan.page}.jpg", "image/jpeg")
        if not self._scans.uploaded(scan, file.id, file.url):  # it has ended meanwhile
            self._replicate.remove(file.id)
        return True

    def _give_up_rest(self, asset: Asset, error: IndexingError) -> None:
        """Do without the pages that nobody has asked for, unless another attempt may help."""
        if error.retryable and self._failures.can_try_again(asset):
            raise error
        self._scans.fail_rest(asset.id, asset.reading or "", error)

    def _pages(self, asset: Asset) -> list[Scan]:
        return self._scans.pages(asset.id, asset.reading or "")


def _in_stock(pages: Sequence[Scan]) -> int:
    return sum(
        not each.ended and each.file_id is not None and each.asked_at is None for each in pages
    )

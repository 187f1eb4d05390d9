"""Looks at lists again, for new entries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset
from allthethings.assets.imports import Import
from allthethings.assets.looks import Outcome, Version
from allthethings.assets.members import is_member
from allthethings.assets.urls import host_of
from allthethings.errors import (
    ErrorCode,
    IndexingError,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.mongo import Database
from allthethings.pipeline.failures import UNFORESEEN
from allthethings.pipeline.list_entries import LONGEST, OF_OTHERS, ListEntries, wait_of
from allthethings.processors import Tools, get_asset_processor, recognise
from allthethings.processors.lists import ListProcessor
from allthethings.sources.again import download_again
from allthethings.sources.fetch import ONE_ANSWER, AskedToWait, within
from allthethings.store.documents import now
from allthethings.store.imports import to_import
from guardedfetch import Fetcher

log = logging.getLogger(__name__)

# Seconds between two looks at a list that fails, at most.
LONGEST_FAILING = 86_400.0


class Following:
    """Looks at lists. A look is claimed, so that of many processes one does it. One serves any
    number of threads."""

    def __init__(
        self, database: Database, fetcher: Fetcher, tools: Tools, entries: ListEntries
    ) -> None:
        self._assets = database.assets
        self._schedule = database.lists.schedule
        self._fetcher = fetcher
        self._tools = tools
        self._entries = entries

    def due(self, limit: int) -> Sequence[tuple[str, str]]:
        """The ids of lists whose look is due, each with the host that it asks."""
        ids = [str(each["_id"]) for each in self._schedule.due(limit)]
        found = self._assets.many(ids)
        return [(each, host_of(found[each].url) if each in found else "") for each in ids]

    def take(self, asset_id: str) -> None:
        """Look at a list whose look is due, unless another worker does. Raises
        ServiceUnavailable; the look is due again then."""
        claim = self._schedule.claim(ObjectId(asset_id), due=True)
        if claim is None:
            return
        made, asset = to_import(claim.document), self._assets.state(asset_id)
        if asset is None or is_member(asset.url):  # it is being deleted, or stays as it is
            self._schedule.end(claim, None, {})
            return
        try:
            wait, fields = self._look(asset, made, Version.read(claim.document.get("version")))
        except ServiceUnavailable:
            raise
        except (UnusableThing, RequestRefused) as error:
            log.info("list %s: the look failed: %s", asset_id, error)
            wait, fields = _failed(made, error)
        except Exception:  # or else it would be due again at once
            log.exception("list %s could not be looked at", asset_id)
            wait, fields = _failed(made, UNFORESEEN)
        self._schedule.end(claim, now() + timedelta(seconds=wait), fields)

    @within(ONE_ANSWER)
    def _look(self, asset: Asset, made: Import, known: Version) -> tuple[float, dict[str, Any]]:
        """Add new entries. Returns the seconds until the next look, and what is to be kept. Raises
        UnusableThing, RequestRefused."""
        limit = ListProcessor.max_bytes
        seen = download_again(self._fetcher, asset.url, limit, known, recognise)
        wait, new = made.wait or OF_OTHERS, 0
        processor = get_asset_processor(asset.content_type, self._tools)
        if not seen.unchanged and seen.document and processor:
            document = replace(seen.document, content_type=asset.content_type)
            try:
                listing = processor.read(document).listing
            except UnusableThing as error:
                if error.code is not ErrorCode.NO_ENTRIES:
                    raise
                listing = None
            if listing:
                wait, new = wait_of(listing), self._entries.add(made, asset, listing)
        self._entries.wake(made.id)  # a worker may have died before it did
        outcome = Outcome.CHANGED if new else Outcome.UNCHANGED
        looks = made.looks.succeeded(outcome, now(), None)
        told = {
            "looks": looks.stored(),
            "version": seen.version.stored(),
            "wait": wait,
            "new": new,
        }
        return wait, told


def _failed(made: Import, error: IndexingError) -> tuple[float, dict[str, Any]]:
    """As `_look`, where that failed."""
    looks = made.looks.failed(error, now())
    return _wait_after(made, error, looks.failures), {"looks": looks.stored()}


def _wait_after(made: Import, error: IndexingError, failures: int) -> float:
    """Seconds until a list is looked at again that has failed so often: what its server asks for,
    or ever longer."""
    wait = made.wait or OF_OTHERS
    longer = max(wait, min(wait * 2.0 ** min(failures, 16), LONGEST_FAILING))
    asked = error.seconds if isinstance(error, AskedToWait) else 0.0
    return max(longer, min(asked, LONGEST))

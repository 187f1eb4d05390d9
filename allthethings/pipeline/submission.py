"""A URL becomes an asset."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from allthethings.assets.asset import Asset
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.text_stage import TextStage
from allthethings.processors import (
    Processor,
    Tools,
    get_asset_processor,
    kinds,
    processor_class,
    sniff,
)
from allthethings.sources.fetch import ONE_ANSWER, Probe, beginning, probe, within
from allthethings.store.transitions import AlreadyIndexed
from guardedfetch import Fetcher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """What a URL would become; `content_length` is bytes, if told."""

    url: str
    kind: str
    content_length: int | None
    title: str | None


class Submission:
    """Takes URLs. One serves any number of threads."""

    def __init__(self, database: Database, fetcher: Fetcher, tools: Tools, text: TextStage) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._fetcher = fetcher
        self._tools = tools
        self._text = text

    @within(ONE_ANSWER)
    def submit(self, text: str) -> Asset:
        """Index the thing at this URL. Raises AlreadyIndexed, BadInput, UnusableThing, or
        ServiceUnavailable when nothing could be kept."""
        url, key, seen = self._look(text)
        kind = processor_class(seen.content_type).kind
        asset = self._transitions.insert(url, key, kind, seen.content_type, seen.content_length)
        log.info("asset %s submitted, %s", asset.id, seen.content_type)
        self._text.process(asset)
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
                f"This is of type {seen.content_type}. Accepted are: {', '.join(kinds())}.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        return url, key, seen

    def _title(self, processor: type[Processor], url: str) -> str | None:
        """The title that a thing gives itself, if it is quick to be had."""
        try:
            return processor.title(lambda: beginning(self._fetcher, url))
        except UnusableThing:  # what that means, indexing it will tell
            return None

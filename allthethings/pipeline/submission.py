"""A URL becomes an asset."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from allthethings.assets.asset import Asset
from allthethings.assets.imports import MAX_DEPTH, Line
from allthethings.assets.members import is_member, member_key
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, ErrorCode, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.identity import key_of_thing
from allthethings.pipeline.text_stage import TextStage
from allthethings.pipeline.videos import video_of
from allthethings.processors import (
    Processor,
    Tools,
    get_asset_processor,
    kinds,
    processor_class,
    recognise,
)
from allthethings.processors.html import HtmlProcessor
from allthethings.processors.lists import LINKS, LINKS_OF_HOST, ListProcessor
from allthethings.sources.fetch import ONE_ANSWER, Probe, beginning, probe, within
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.members import StoredMember
from guardedfetch import Fetcher

log = logging.getLogger(__name__)

# Seconds for the requests that tell the canonical URL of a page, besides ONE_ANSWER.
FOR_ITS_KEY = 1.5
WITHOUT_LINKS = (
    "These links were not indexed with it. To index them, delete the thing on its page first."
)
LIST_IN_LIST = "This list is nested too deeply. Index it by itself."


class Links(StrEnum):
    """Whether what a web page links to is indexed: nothing, what is on the same host, or all."""

    NONE = ""
    OF_HOST = "host"
    ALL = "all"


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
        self._members = database.members
        self._transitions = database.transitions
        self._fetcher = fetcher
        self._tools = tools
        self._text = text

    @within(ONE_ANSWER)
    def submit(self, text: str, links: Links = Links.NONE, video: str = "") -> Asset:
        """Index the thing at this URL, and with `links` what the page at it links to. `video` is
        the URL of the video of which it is the subtitles; a thing that is indexed already gets it
        too. Raises AlreadyIndexed, BadInput, UnusableThing, or ServiceUnavailable when nothing
        could be kept."""
        try:
            url, key, seen = self._look(text)
            followed = _followed(seen.content_type, links)
            video_url = video_of(video, seen.content_type)
            asset = self._insert(url, key, replace(seen, content_type=followed), None, video_url)
        except AlreadyIndexed as known:
            _require_links(known, links)
            if video_url := video_of(video, known.asset.content_type):
                self._transitions.name_video(known.asset.id, video_url)
                known.asset = replace(known.asset, video_url=video_url)
            raise
        self._text.process(asset)
        return asset

    @within(ONE_ANSWER)
    def take(self, line: Line) -> Asset:
        """As `submit`, for a line of an import; the reconciler makes its text."""
        url, key, seen = self._look(line.url)
        too_deep = line.depth is not None and line.depth >= MAX_DEPTH
        if too_deep and processor_class(seen.content_type) is ListProcessor:
            raise UnusableThing(LIST_IN_LIST, ErrorCode.UNSUPPORTED_TYPE)
        return self._insert(url, key, seen, line)

    @within(ONE_ANSWER)
    def check(self, text: str) -> Preview:
        """What `submit` would make of it; nothing is kept. Raises what that raises."""
        url, _key, seen = self._look(text)
        processor = processor_class(seen.content_type)
        return Preview(url, processor.kind, seen.content_length, self._title(processor, url))

    def _insert(
        self,
        url: str,
        key: str,
        seen: Probe,
        line: Line | None = None,
        video_url: str | None = None,
    ) -> Asset:
        kind = processor_class(seen.content_type).kind
        member = self._members.find(url) if is_member(url) else None
        asset = self._transitions.insert(
            url,
            key,
            kind,
            seen.content_type,
            seen.content_length,
            line.import_id if line else None,
            line.told if line and line.depth is not None else None,
            seen.version,
            video_url,
            member.archive_id if member else None,
        )
        log.info("asset %s submitted, %s", asset.id, seen.content_type)
        return asset

    def _look(self, text: str) -> tuple[str, str, Probe]:
        """The URL as it is asked for, its key, and what its server says of it; of a member of an
        archive, what was found when that was unpacked."""
        if member := self._members.find(text) if is_member(text) else None:
            return self._taken_out(member)
        url = clean_url(text)
        existing = self._assets.find_url(url)
        if existing is not None:  # saves the request; the unique index decides in the end
            raise AlreadyIndexed(existing)
        seen = probe(self._fetcher, url, recognise)
        if get_asset_processor(seen.content_type, self._tools) is None:
            raise UnusableThing(
                f"{_what_it_is(seen)} Accepted are: {', '.join(kinds())}.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        with within(FOR_ITS_KEY):  # apart, so that all the time is left for what a thing needs
            key = key_of_thing(seen, partial(beginning, self._fetcher))
        if key != url_key(url) and (existing := self._assets.find_key(key)):
            raise AlreadyIndexed(existing, elsewhere=True)
        return url, key, seen

    def _taken_out(self, member: StoredMember) -> tuple[str, str, Probe]:
        if member.refusal:
            raise UnusableThing(member.refusal, member.code)
        key = member_key(member.url)
        if existing := self._assets.find_key(key):
            raise AlreadyIndexed(existing)
        return member.url, key, Probe(member.url, member.content_type, member.size)

    def _title(self, processor: type[Processor], url: str) -> str | None:
        """The title that a thing gives itself, if it is quick to be had."""
        try:
            return processor.title(lambda: beginning(self._fetcher, url))
        except UnusableThing:  # what that means, indexing it will tell
            return None


def _followed(content_type: str, links: Links) -> str:
    """The content type of a thing whose links are wanted. Lists have no others. Raises
    BadInput."""
    processor = processor_class(content_type)
    if links is Links.NONE or processor is ListProcessor:
        return content_type
    if processor is not HtmlProcessor:
        raise BadInput(f"This is of the kind {processor.kind}. Only web pages have links to index.")
    return LINKS_OF_HOST if links is Links.OF_HOST else LINKS


def _require_links(known: AlreadyIndexed, links: Links) -> None:
    """Raises BadInput where an indexed thing has no such links, or was indexed without them."""
    there = known.asset.content_type
    only_host = there == LINKS_OF_HOST and links is Links.ALL
    if only_host or _followed(there, links) != there:
        raise BadInput(f"{known} {WITHOUT_LINKS}")


def _what_it_is(seen: Probe) -> str:
    if seen.misnamed:
        return f"Its server calls this {seen.misnamed}, but it is {seen.content_type}."
    return f"This is of type {seen.content_type}."

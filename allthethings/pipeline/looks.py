"""Looks again at things: asks their servers whether they have changed.

A look is claimed, so that of many processes one does it. It costs a conditional request where the
server answers 304, and no more than a download where bytes or text are the same. Another text
becomes a revision.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.looks import Looks, Outcome, Schedule, Version, next_look
from allthethings.assets.members import is_member
from allthethings.assets.urls import host_of, url_key
from allthethings.errors import (
    BadInput,
    ErrorCode,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
)
from allthethings.mongo import Database
from allthethings.pipeline.failures import UNFORESEEN
from allthethings.pipeline.revisions import Revisions, same_text
from allthethings.processors import (
    Content,
    Processor,
    Tools,
    get_asset_processor,
    processor_class,
    recognise,
)
from allthethings.sources.again import Seen, ask_again, download_again, sample
from allthethings.sources.fetch import DOWNLOAD, ONE_ANSWER, AskedToWait, within
from allthethings.store.asset_documents import to_asset
from allthethings.store.documents import now
from allthethings.store.schedule import Claim
from guardedfetch import Fetcher

log = logging.getLogger(__name__)

# Things whose first look is planned in one step.
PLANNED = 200
# Why a thing is asked for where permanent redirects led once: its own URL leads nowhere.
NOWHERE = frozenset({ErrorCode.NOT_FOUND, ErrorCode.NAME_NOT_FOUND, ErrorCode.UNREACHABLE})
# Seconds that a server may ask to be left alone.
LONGEST_WAIT = 7 * 86_400.0
NOT_YET = "Only a thing that is searchable can be checked again."


@dataclass(frozen=True)
class _Found:
    """What a look found. `version` is the one to remember, if the thing stays as it is. `revision`
    is begun and leased to the caller; `content` is what it says, if that was read already."""

    looks: Looks
    version: Version | None = None
    revision: Asset | None = None
    content: Content | None = None


class LookAgain:
    """Looks again at searchable things. `default` is the schedule of those for which nobody has
    chosen one. One serves any number of threads."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        tools: Tools,
        revisions: Revisions,
        default: Schedule,
    ) -> None:
        self._assets = database.assets
        self._schedule = database.look_schedule
        self._store = database.revisions
        self._fetcher = fetcher
        self._tools = tools
        self._revisions = revisions
        self.default = default

    @within(ONE_ANSWER)
    def ask(self, asset_id: str) -> Asset:
        """Look again now, while a person waits; the thing as it is then. Raises NoSuchAsset,
        BadInput, ServiceUnavailable."""
        _require_lookable(self._assets.existing(asset_id))
        if self._store.of_thing(asset_id):
            raise BadInput("It has changed, and its new version is being made.")
        claim = self._schedule.claim(ObjectId(asset_id), due=False)
        if claim is None:
            raise BadInput("It is being checked now.")
        self._look(claim)
        return self._assets.existing(asset_id)

    def choose(self, asset_id: str, schedule: Schedule | None) -> Asset:
        """Look at a thing so often from now on; None is the default. Raises NoSuchAsset, BadInput,
        ServiceUnavailable."""
        _require_lookable(self._assets.existing(asset_id))
        if not self._schedule.choose(ObjectId(asset_id), schedule, self.default):
            raise BadInput(NOT_YET)
        return self._assets.existing(asset_id)

    def due(self, limit: int) -> Sequence[tuple[str, str]]:
        """The ids of things whose look is due, each with the host that it asks. Plans looks of
        things that are new."""
        self._schedule.plan(self.default, PLANNED)
        return [(str(each["_id"]), host_of(each["url"])) for each in self._schedule.due(limit)]

    def take(self, asset_id: str) -> None:
        """Look at a thing whose look is due, unless another worker does. Raises
        ServiceUnavailable; the look is due again then."""
        claim = self._schedule.claim(ObjectId(asset_id), due=True)
        if claim is None:
            return
        if self._interval_is_over(claim):
            self._look(claim)

    def _interval_is_over(self, claim: Claim) -> bool:
        """Not for a thing that is looked at no more since the setting has changed, or never is, nor
        while its new version is made."""
        thing = to_asset(claim.document)
        schedule = thing.schedule or self.default
        if schedule.interval and is_looked_at(thing) and self._store.of_thing(thing.id) is None:
            return True
        self._schedule.end(claim, next_look(schedule, now()), {})
        return False

    def _look(self, claim: Claim) -> None:
        thing, asked_to_wait = to_asset(claim.document), 0.0
        try:
            found = self._found(thing, claim.document)
        except ServiceUnavailable:
            raise
        except (UnusableThing, RequestRefused) as error:
            log.info("asset %s: the look failed: %s", thing.id, error)
            found = _Found(thing.looks.failed(error, now()))
            asked_to_wait = error.seconds if isinstance(error, AskedToWait) else 0.0
        except Exception:  # or else it would be due again at once
            log.exception("asset %s could not be looked at", thing.id)
            found = _Found(thing.looks.failed(UNFORESEEN, now()))
        fields: dict[str, Any] = {"looks": found.looks.stored()}
        if found.version:
            fields["version"] = found.version.stored()
        passing = found.looks.error_code
        soon = found.looks.failures if passing and passing.retryable else 0
        following = next_look(thing.schedule or self.default, now(), soon)
        if following and asked_to_wait:
            asked = timedelta(seconds=min(asked_to_wait, LONGEST_WAIT))
            following = max(following, now() + asked)
        self._schedule.end(claim, following, fields)
        if found.revision:  # not earlier: what becomes of it is told in `looks` too
            self._revisions.make(found.revision, found.content)

    def _found(self, thing: Asset, document: Mapping[str, Any]) -> _Found:
        """Look. Raises UnusableThing, in words."""
        processor = get_asset_processor(thing.content_type, self._tools)
        if processor is None:
            raise UnusableThing(
                "Things of this type are no longer supported.", ErrorCode.UNSUPPORTED_TYPE
            )
        seen = self._see(thing, processor)
        moved_to = _moved_to(seen, thing, document.get("url_key"))
        unchanged = _Found(thing.looks.succeeded(Outcome.UNCHANGED, now(), moved_to), seen.version)
        if seen.unchanged:
            return unchanged
        _require_kind(seen, processor)
        content = self._read(processor, seen)
        if content and self._says_already(thing.id, content):
            return unchanged
        looks = thing.looks.succeeded(Outcome.CHANGED, now(), moved_to)
        content_type = seen.document.content_type if seen.document else thing.content_type
        revision = self._store.begin(thing, seen.url, seen.version, content_type)
        return _Found(looks, revision=revision, content=content)

    def _see(self, thing: Asset, processor: Processor) -> Seen:
        """Ask the server, and where its URL leads nowhere, the one that it had moved to."""
        try:
            return self._ask(processor, thing.url, thing.version)
        except UnusableThing as error:
            elsewhere = thing.looks.moved_to
            if elsewhere is None or error.code not in NOWHERE:
                raise
            with contextlib.suppress(UnusableThing):
                return self._ask(processor, elsewhere, thing.version)
            raise

    def _ask(self, processor: Processor, url: str, known: Version) -> Seen:
        if processor.model is None:
            limit = processor.max_bytes or DOWNLOAD.max_bytes
            return download_again(self._fetcher, url, limit, known, recognise)
        seen = ask_again(self._fetcher, url, known)
        if seen.unchanged is not None:
            return seen
        digest = sample(self._fetcher, url)
        version = replace(seen.version, digest=digest)
        return replace(seen, version=version, unchanged=digest == known.digest)

    def _read(self, processor: Processor, seen: Seen) -> Content | None:
        """What a document says; None for what a model is to read."""
        if seen.document is None:
            return None
        return replace(processor.read(seen.document), version=seen.version)

    def _says_already(self, asset_id: str, content: Content) -> bool:
        thing = self._assets.get(asset_id)
        return thing is not None and same_text(thing, content.text, content.title)


def is_looked_at(thing: Asset) -> bool:
    """Whether it is of a kind that is looked at again: archives and their members are not, and
    lists are by `following`."""
    return processor_class(thing.content_type).looked_at_again and not is_member(thing.url)


def _require_lookable(thing: Asset) -> None:
    if not is_looked_at(thing):
        raise BadInput("Things of this kind cannot be checked again.")
    if thing.status is not AssetStatus.SEARCHABLE:
        raise BadInput(NOT_YET)


def _require_kind(seen: Seen, processor: Processor) -> None:
    """Raises UnusableThing where a thing of another kind is at the URL now, such as a login form in
    place of a recording."""
    told = processor_class(seen.content_type)
    if told.accepts and not processor.takes(seen.content_type):
        raise UnusableThing(
            f"Its server sends {seen.content_type} now, not {_a(processor.kind)}.",
            ErrorCode.MISLABELLED,
        )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _moved_to(seen: Seen, thing: Asset, key: str | None) -> str | None:
    """Where permanent redirects led, unless the thing is known by that URL."""
    led_to = url_key(seen.permanent_url)
    return None if led_to in (key, url_key(thing.url)) else led_to

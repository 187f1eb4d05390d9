"""A thing that was submitted, and the states it goes through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from allthethings.assets.looks import Looks, Schedule, Version
from allthethings.errors import ErrorCode

_ID = re.compile(r"[0-9a-f]{24}")


class AssetStatus(StrEnum):
    """The tutorial's statuses."""

    SUBMITTED = "SUBMITTED"
    PROCESSING = "PROCESSING"
    PROCESSED = "PROCESSED"
    GENERATING_EMBEDDINGS = "GENERATING_EMBEDDINGS"
    SEARCHABLE = "SEARCHABLE"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    EMBEDDINGS_ERROR = "EMBEDDINGS_ERROR"


S = AssetStatus

FAILED = frozenset({S.PROCESSING_ERROR, S.EMBEDDINGS_ERROR})
FINISHED = FAILED | {S.SEARCHABLE}
UNFINISHED = frozenset(AssetStatus) - FINISHED

# A callback may overtake the record of the request that caused it, so each state can be
# reached from before that record too.
COMES_FROM: Mapping[AssetStatus, frozenset[AssetStatus]] = MappingProxyType(
    {
        S.PROCESSING: frozenset({S.SUBMITTED}),
        S.PROCESSED: frozenset({S.SUBMITTED, S.PROCESSING}),
        S.GENERATING_EMBEDDINGS: frozenset({S.PROCESSED}),
        S.SEARCHABLE: frozenset({S.PROCESSED, S.GENERATING_EMBEDDINGS}),
        S.PROCESSING_ERROR: frozenset({S.SUBMITTED, S.PROCESSING}),
        S.EMBEDDINGS_ERROR: frozenset({S.PROCESSED, S.GENERATING_EMBEDDINGS}),
    }
)


@dataclass(frozen=True)
class Copy:
    """A copy at Replicate of a thing that no URL leads to: the id of the file and its URL, and when
    it expires, if that is told."""

    id: str
    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Asset:
    """One thing. `id` is 24 hex digits; times are UTC; `content_length` is bytes, if told;
    `segments` are as transcripts.pack makes them; nobody takes it up before `lease_until`;
    `tries` counts how often it was started again, None: never; `lease_owner` is the token of its
    lease, only where the caller holds that. `author`, `dated`, a year, month or day (ISO 8601), and
    `duration`, in seconds, are what it tells of itself; `language` is that of its text (ISO 639);
    `video_url` is the video of which it is the subtitles, if that is told;
    `picture_size` is the width and height in pixels of the small picture that shows it; `draft` is
    what an earlier model brought while a further one is at work, and `reading` the token of the
    reading of its pages that are pictures; `remark` tells people what its text lacks.

    `error`, `error_code` and `retryable` tell why it failed, or why it waits; one that failed
    before there were codes has none. `attempt` is the number of its present attempt at its stage,
    counted from 1: until `next_attempt_at` it waits for that attempt to begin. `outage_since` is
    since when it waits for a service of the app's own. `replicate_request` and
    `replicate_response` are what Replicate told of the latest prediction of its text, without the
    output: when it was asked for, and when it had ended. `found_process_ids` are predictions that
    it found at Replicate when it looked for a lost record: another asset of the same text may wait
    for them too. `unchecked` says that it has to be found out what became of the predictions of its
    passages, before vectors are requested. `copy` is the file at Replicate that its model gets for
    its URL. `import_id` is the import that added it, None if a person did; `list_ids` are the lists
    that have it.

    `revision` counts how often its text was replaced, None: never. `schedule` is how often it is
    looked at again, None: as often as the setting says; `look_again_at` is when, and until
    `looking_until` somebody does. `looks` is what was found; `version` is what its server said of
    the version that was read."""

    id: str
    url: str
    status: AssetStatus
    content_type: str
    content_length: int | None
    created_at: datetime
    updated_at: datetime
    title: str | None = None
    author: str | None = None
    dated: str | None = None
    duration: float | None = None
    picture_size: tuple[int, int] | None = None
    language: str | None = None
    remark: str | None = None
    video_url: str | None = None
    text: str | None = None
    draft: str | None = None
    reading: str | None = None
    error: str | None = None
    error_code: ErrorCode | None = None
    retryable: bool = False
    attempt: int = 1
    next_attempt_at: datetime | None = None
    outage_since: datetime | None = None
    replicate_process_id: str | None = None
    replicate_request: Mapping[str, Any] | None = field(default=None, repr=False)
    replicate_response: Mapping[str, Any] | None = field(default=None, repr=False)
    replaced_process_ids: tuple[str, ...] = ()
    found_process_ids: tuple[str, ...] = ()
    unchecked: bool | None = None
    copy: Copy | None = None
    history: tuple[Mapping[str, Any], ...] = field(default=())
    deliveries: tuple[Mapping[str, Any], ...] = field(default=())
    segments: bytes | None = field(default=None, repr=False)
    lease_until: datetime | None = None
    tries: int | None = None
    lease_owner: str | None = field(default=None, repr=False)
    import_id: str | None = None
    list_ids: tuple[str, ...] = ()
    revision: int | None = None
    schedule: Schedule | None = None
    look_again_at: datetime | None = None
    looking_until: datetime | None = None
    looks: Looks = field(default_factory=Looks)
    version: Version = field(default_factory=Version)

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in FINISHED

    @property
    def failed(self) -> bool:
        return self.status in FAILED

    @property
    def cancelled(self) -> bool:
        """Whether a person ended it. Needs the history."""
        return self.failed and bool(self.history) and bool(self.history[-1].get("cancelled"))

    @property
    def url_for_model(self) -> str:
        """The URL at which its model gets it."""
        return self.copy.url if self.copy else self.url

    def awaits(self, prediction_id: str) -> bool:
        """Whether this may be the prediction of its text: its own, or one that came back before
        its id was noted; not one that was given up."""
        if self.replicate_process_id is not None:
            return self.replicate_process_id == prediction_id
        return prediction_id not in self.replaced_process_ids


def is_asset_id(text: str) -> bool:
    """Whether it is written as the ids of assets are."""
    return _ID.fullmatch(text) is not None

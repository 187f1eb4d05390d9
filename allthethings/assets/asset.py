"""A thing that was submitted, and the states it goes through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

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
class Asset:
    """One thing. `id` is 24 hex digits; times are UTC; `content_length` is bytes, if told;
    `segments` are as transcripts.pack makes them; nobody takes it up before `lease_until`;
    `tries` counts how often it was started again, None: never; `lease_owner` is the token of its
    lease, only where the caller holds that.

    `error`, `error_code` and `retryable` tell why it failed, or why it waits; one that failed
    before there were codes has none. `attempt` is the number of its present attempt at its stage,
    counted from 1: until `next_attempt_at` it waits for that attempt to begin. `outage_since` is
    since when it waits for a service of the app's own."""

    id: str
    url: str
    status: AssetStatus
    content_type: str
    content_length: int | None
    created_at: datetime
    updated_at: datetime
    title: str | None = None
    text: str | None = None
    error: str | None = None
    error_code: ErrorCode | None = None
    retryable: bool = False
    attempt: int = 1
    next_attempt_at: datetime | None = None
    outage_since: datetime | None = None
    replicate_process_id: str | None = None
    replaced_process_ids: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = field(default=())
    deliveries: tuple[Mapping[str, Any], ...] = field(default=())
    segments: bytes | None = field(default=None, repr=False)
    lease_until: datetime | None = None
    tries: int | None = None
    lease_owner: str | None = field(default=None, repr=False)

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

    def awaits(self, prediction_id: str) -> bool:
        """Whether this may be the prediction of its text: its own, or one that came back before
        its id was noted; not one that was given up."""
        if self.replicate_process_id is not None:
            return self.replicate_process_id == prediction_id
        return prediction_id not in self.replaced_process_ids


def is_asset_id(text: str) -> bool:
    """Whether it is written as the ids of assets are."""
    return _ID.fullmatch(text) is not None

"""How an asset is written as a document, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, IndexingError
from allthethings.store.documents import Document

# Leaves out what can be megabytes, for callers that show or move many assets.
WITHOUT_TEXT: Document = {"text": 0, "segments": 0, "deliveries": 0}


def to_asset(document: Mapping[str, Any], lease_owner: str | None = None) -> Asset:
    """The asset in a document. `lease_owner` is the caller's token, if it holds the lease."""
    return Asset(
        id=str(document["_id"]),
        url=document["url"],
        status=AssetStatus(document["status"]),
        content_type=document["content_type"],
        tries=document.get("tries"),
        content_length=document.get("content_length"),
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        title=document.get("title"),
        text=document.get("text"),
        error=document.get("error"),
        error_code=_code(document.get("error_code")),
        retryable=bool(document.get("retryable")),
        attempt=document.get("attempt", 1),
        next_attempt_at=document.get("next_attempt_at"),
        outage_since=document.get("outage_since"),
        replicate_process_id=document.get("replicate_process_id"),
        replaced_process_ids=tuple(document.get("replaced_process_ids", ())),
        history=tuple(document.get("history", ())),
        deliveries=tuple(document.get("deliveries", ())),
        segments=document.get("segments"),
        lease_until=document.get("lease_until"),
        lease_owner=lease_owner,
    )


def error_fields(error: IndexingError | None) -> Document:
    """The fields that tell why an asset failed, or why it waits; None clears them."""
    if error is None:
        return {"error": None, "error_code": None, "retryable": None}
    return {"error": str(error), "error_code": error.code.value, "retryable": error.retryable}


def _code(value: str | None) -> ErrorCode | None:
    """None also for a code that this version does not know."""
    return ErrorCode(value) if value in frozenset(ErrorCode) else None


def in_status(statuses: Iterable[AssetStatus]) -> Any:
    """The condition on the field `status` that any of these meets."""
    values = sorted(status.value for status in statuses)
    return values[0] if len(values) == 1 else {"$in": values}


def in_try(asset: Asset) -> Document:
    """A filter for the asset until it is started again. Once the caller holds its lease, also
    until somebody else takes that."""
    query: Document = {"_id": ObjectId(asset.id), "tries": asset.tries}
    if asset.lease_owner is not None:
        query["lease_owner"] = asset.lease_owner
    return query

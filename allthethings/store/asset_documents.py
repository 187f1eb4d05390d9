"""How an asset is written as a document, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset, AssetStatus, Copy
from allthethings.assets.looks import Looks, Version
from allthethings.errors import ErrorCode, IndexingError
from allthethings.store.documents import Document, now
from allthethings.store.schedule import schedule_of

# Leaves out what can be large, for callers that show or move many assets.
WITHOUT_TEXT: Document = {
    **dict.fromkeys(("text", "segments", "deliveries", "picture.file"), 0),
    **dict.fromkeys(("replicate_request", "replicate_response"), 0),
}


# The fields that an asset has as its document has them, or None.
AS_STORED = (
    *("tries", "content_length", "title", "author", "dated", "duration", "language", "remark"),
    *("text", "segments", "draft", "reading", "error", "next_attempt_at", "outage_since"),
    *("replicate_request", "replicate_response"),
    *("replicate_process_id", "lease_until", "import_id", "revision"),
    *("look_again_at", "looking_until", "unchecked", "video_url"),
)
# Those of which there may be several.
SEVERAL = ("replaced_process_ids", "found_process_ids", "history", "deliveries", "list_ids")


def new_document(
    url: str, key: str, kind: str, content_type: str, content_length: int | None
) -> Document:
    """An asset that is SUBMITTED now, without the fields of its lease."""
    moment = now()
    return {
        "_id": ObjectId(),
        "url": url,
        "url_key": key,
        "kind": kind,
        "content_type": content_type,
        "content_length": content_length,
        "status": AssetStatus.SUBMITTED.value,
        "created_at": moment,
        "updated_at": moment,
        "history": [{"status": AssetStatus.SUBMITTED.value, "at": moment}],
    }


def to_asset(document: Mapping[str, Any], lease_owner: str | None = None) -> Asset:
    """The asset in a document. `lease_owner` is the caller's token, if it holds the lease."""
    plain: dict[str, Any] = {
        **{name: document.get(name) for name in AS_STORED},
        **{name: tuple(document.get(name, ())) for name in SEVERAL},
    }
    return Asset(
        **plain,
        id=str(document["_id"]),
        url=document["url"],
        status=AssetStatus(document["status"]),
        content_type=document["content_type"],
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        picture_size=_size(document.get("picture")),
        error_code=code_of(document.get("error_code")),
        retryable=bool(document.get("retryable")),
        attempt=document.get("attempt", 1),
        copy=_copy(document.get("copy")),
        lease_owner=lease_owner,
        schedule=schedule_of(document),
        looks=Looks.read(document.get("looks")),
        version=Version.read(document.get("version")),
    )


def _copy(told: Mapping[str, Any] | None) -> Copy | None:
    return Copy(told["id"], told["url"], told.get("expires_at")) if told else None


def _size(picture: Mapping[str, Any] | None) -> tuple[int, int] | None:
    return (picture["width"], picture["height"]) if picture else None


def error_fields(error: IndexingError | None) -> Document:
    """The fields that tell why an asset failed, or why it waits; None clears them."""
    if error is None:
        return {"error": None, "error_code": None, "retryable": None}
    return {"error": str(error), "error_code": error.code.value, "retryable": error.retryable}


def code_of(value: str | None) -> ErrorCode | None:
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

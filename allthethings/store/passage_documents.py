"""The documents of passages: their ids, their fields, and the filter of a thing's passages."""

from __future__ import annotations

import hashlib

from bson import ObjectId

from allthethings.assets import places
from allthethings.assets.passages import Passage
from allthethings.store.documents import Document


def model_text(before: str, text: str) -> str:
    """What the embedding model reads for a passage."""
    return f"{before} {text}".strip()


def digest(text: str) -> str:
    """A short hash of what the embedding model reads."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def passage_id(asset_id: str, revision: int | None, position: int) -> str:
    """The `_id` of a passage. Those of a revision have ids of their own, so that they can stand
    beside those that they are to replace."""
    return f"{asset_id}:{position}" if revision is None else f"{asset_id}:{revision}:{position}"


def of_revision(asset_id: str, revision: int | None) -> Document:
    """A filter for the passages of that revision of a thing."""
    return {"asset_id": ObjectId(asset_id), "revision": revision}


def fields_of(passage: Passage) -> Document:
    """The fields of a passage that waits for its vector, but for those of its thing."""
    return {
        "position": passage.position,
        "text": passage.text,
        "before": passage.before,
        "digest": digest(model_text(passage.before, passage.text)),
        "locator": passage.locator.stored(),
        "places": places.stored(passage.places),
        "replicate_embedding_id": None,
    }

"""Documents of assets, as any MongoDB client may insert them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from bson import ObjectId

from allthethings.mongo import Database

THEN = datetime(2025, 3, 1, tzinfo=UTC)
fresh = count()


def document(**fields: Any) -> dict[str, Any]:
    """An asset with the fields of the data model, and no others."""
    number = next(fresh)
    return {
        "_id": ObjectId(),
        "url": f"https://x.test/{number}",
        "url_key": f"https://x.test/{number}",
        "content_type": "text/html",
        "status": "SEARCHABLE",
        "created_at": THEN + timedelta(minutes=number),
        "updated_at": THEN + timedelta(minutes=number),
        **fields,
    }


def insert(database: Database, **fields: Any) -> str:
    """The id of a new asset with these fields."""
    made = document(**fields)
    database.assets.collection.insert_one(made)
    return str(made["_id"])

"""Things that wait for their callbacks, and that nobody else takes up for a day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from tests.faults.things import Document

A_DAY = timedelta(days=1)
TEXTS = (
    "The kestrel hangs in the wind above the verge and watches the grass for a vole.",
    "The heron stands in the shallows without a movement until a fish forgets it.",
)


@dataclass(frozen=True)
class Waiting:
    """An asset under way; `path` is where its callback goes, `payload` what it would bring."""

    asset_id: str
    path: str
    payload: Document
    asset: Document
    passages: tuple[Document, ...] = ()

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    def put(self, database: Database[Document]) -> None:
        """Make it what it was in the beginning."""
        database["passages"].delete_many({"asset_id": self.asset["_id"]})
        if self.passages:
            database["passages"].insert_many(self.passages)
        database["assets"].replace_one({"_id": self.asset["_id"]}, self.asset, upsert=True)

    def now(self, database: Database[Document]) -> list[Any]:
        """All that is kept of it."""
        return [
            database["assets"].find_one({"_id": self.asset["_id"]}),
            *database["passages"].find({"asset_id": self.asset["_id"]}).sort("position"),
        ]


def recording(name: str) -> Waiting:
    """A recording that waits for its text."""
    key = ObjectId()
    segments = [{"start": 5.0 * n, "end": 5.0 * n + 5, "text": t} for n, t in enumerate(TEXTS)]
    output = {"transcription": " ".join(TEXTS), "segments": segments, "translation": None}
    payload = {
        "id": f"prediction-of-{name}",
        "status": "succeeded",
        "input": {"audio": f"http://127.0.0.1/{name}"},
        "output": output,
        "error": None,
    }
    asset = _asset(key, name, "PROCESSING", replicate_process_id=payload["id"])
    return Waiting(str(key), f"audio/{key}", payload, asset)


def text(name: str) -> Waiting:
    """A text that waits for the vectors of its passages."""
    key = ObjectId()
    identity = f"prediction-of-{name}"
    last = len(TEXTS) - 1
    passages = tuple(
        {
            "_id": f"{key}:{position}",
            "asset_id": key,
            "position": position,
            "text": f"{one} ({name})",
            "locator": {},
            "content_type": "audio/mpeg",
            "replicate_embedding_id": identity,
            "replicate_embedding_range": [0, last],
        }
        for position, one in enumerate(TEXTS)
    )
    vectors = [{"embedding": [0.5, 0.25, -0.125, 1] * 192} for _ in TEXTS]
    payload = {"id": identity, "status": "succeeded", "output": vectors, "error": None}
    asset = _asset(key, name, "GENERATING_EMBEDDINGS", text=" ".join(TEXTS))
    return Waiting(str(key), f"embedding/{key}/0-{last}", payload, asset, passages)


def _asset(key: ObjectId, name: str, status: str, **fields: Any) -> Document:
    moment = datetime.now(UTC).replace(microsecond=0)
    return {
        "_id": key,
        "url": f"http://127.0.0.1/{name}",
        "url_key": f"http://127.0.0.1/{name}",
        "content_type": "audio/mpeg",
        "content_length": None,
        "status": status,
        "created_at": moment,
        "updated_at": moment,
        "lease_until": moment + A_DAY,
        "history": [{"status": status, "at": moment}],
        **fields,
    }

"""The app's own steps, on a database that the copy's reconciler does not look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset
from allthethings.assets.locators import WHOLE
from allthethings.assets.passages import Passage, Shape
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS
from allthethings.pipeline.pipeline import Pipeline, create_pipeline
from allthethings.processors import Tools, about
from allthethings.replicate.client import ReplicateClient
from allthethings.sources.fetch import download
from guardedfetch import Fetcher, parse_allow
from tools.harness.cloud import Cloud

PATIENCE = timedelta(seconds=30)


class OwnReplicate(ReplicateClient):
    """Another client of the copy's Replicate."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(
            cloud.endpoints["REPLICATE_API_TOKEN"], cloud.endpoints["REPLICATE_BASE_URL"]
        )

    def close(self) -> None:
        self._sdk._client.close()  # the SDK has no other way


@contextmanager
def own_database(cloud: Cloud, name: str) -> Iterator[Database]:
    """A database beside the app's; it is dropped afterwards."""
    database = Database(cloud.endpoints["MONGODB_CONNECTION_URI"], name)
    try:
        yield database
    finally:
        database.client.drop_database(name)
        database.close()


def pipeline_of(
    database: Database,
    replicate: ReplicateClient,
    callbacks: str,
    allow: str = "",
    intervals: Sequence[timedelta] = INTERVALS,
    patience: timedelta = PATIENCE,
) -> Pipeline:
    """The steps; Replicate is told to call back to that URL. `allow` are the hosts that may be
    fetched, `intervals` the waits before each further attempt, `patience` how late a callback may
    be."""
    fetcher = Fetcher(parse_allow(allow))
    return create_pipeline(
        database,
        fetcher,
        Tools(replicate, partial(download, fetcher), {"audio": callbacks}),
        AsyncEmbeddingsGenerator(replicate, callbacks),
        lambda texts: [len(text.split()) for text in texts],
        patience,
        Shape(),
        intervals,
    )


def left(database: Database, status: str, ago: timedelta, **fields: Any) -> str:
    """An asset in that status for so long, which nobody holds."""
    then = datetime.now(UTC) - ago
    key = ObjectId()
    database.assets.collection.insert_one(
        {
            "_id": key,
            "url": "http://127.0.0.1/left",
            "url_key": "http://127.0.0.1/left",
            "content_type": "audio/mpeg",
            "status": status,
            "created_at": then,
            "updated_at": then,
            "lease_until": then,
            "history": [{"status": status, "at": then}],
            **fields,
        }
    )
    return str(key)


def in_parts(database: Database, number: int, url: str = "http://127.0.0.1/parts") -> str:
    """A thing whose text is there, in so many passages; the model waits with their vectors."""
    ago = timedelta(minutes=1)
    asset_id = left(database, "PROCESSED", ago, url=url, url_key=url, text="vectors:wait")
    parts = [Passage(position, f"vectors:wait {position}", WHOLE) for position in range(number)]
    database.passages.put(asset_id, about(existing(database, asset_id), None), parts)
    return asset_id


def existing(database: Database, asset_id: str) -> Asset:
    """The asset, which must be there."""
    asset = database.assets.get(asset_id)
    assert asset is not None
    return asset

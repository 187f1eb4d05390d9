"""The app's own steps, on a database that the copy's reconciler does not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId

from allthethings.assets.asset import Asset
from allthethings.assets.locators import WHOLE
from allthethings.assets.passages import Passage, Shape
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS
from allthethings.pipeline.members import Sources
from allthethings.pipeline.pipeline import Pipeline, create_pipeline
from allthethings.processors import Tools, about
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import Prediction
from guardedfetch import Fetcher, parse_allow
from tools.harness.cloud import Cloud

PATIENCE = timedelta(seconds=30)
# Where callbacks go that no test waits for.
NOWHERE = "http://127.0.0.1:9/nobody"


class OwnReplicate(ReplicateClient):
    """Another client of the copy's Replicate."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(
            cloud.endpoints["REPLICATE_API_TOKEN"], cloud.endpoints["REPLICATE_BASE_URL"]
        )


def nothing(*_: object) -> None:
    """Nothing happens in between."""


def as_it_is(prediction: Prediction) -> Prediction:
    return prediction


class Watched(OwnReplicate):
    """Something happens when a prediction was created, or was looked at; all end with the test."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.created: list[str] = []
        self.after_create: Callable[[int], object] = nothing
        self.seen: Callable[[Prediction], Prediction] = as_it_is

    def create(self, version: str, values: Any, webhook: str) -> Prediction:
        prediction = super().create(version, values, webhook)
        self.created.append(prediction.id)
        self.after_create(len(self.created))
        return prediction

    def get(self, prediction_id: str) -> Prediction | None:
        prediction = super().get(prediction_id)
        return self.seen(prediction) if prediction else None

    def status(self, prediction_id: str) -> str:
        prediction = super().get(prediction_id)
        return prediction.status if prediction else "unknown"

    def close(self) -> None:
        for prediction_id in self.created:
            self.cancel(prediction_id)
        super().close()


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
    sources = Sources(database, fetcher, replicate)
    return create_pipeline(
        database,
        fetcher,
        Tools(
            replicate,
            sources.download,
            sources.part,
            dict.fromkeys(("audio", "image"), callbacks),
            sources.unpack,
            sources.lend,
            sources.forget,
        ),
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


def in_parts(
    database: Database, number: int, url: str = "http://127.0.0.1/parts", ending: str = "wait"
) -> str:
    """A thing whose text is there, in so many passages. The model waits with their vectors, or does
    what else is told behind `vectors:`."""
    ago = timedelta(minutes=1)
    asset_id = left(database, "PROCESSED", ago, url=url, url_key=url, text="vectors:wait")
    parts = [Passage(position, f"vectors:{ending} {position}", WHOLE) for position in range(number)]
    database.passages.put(asset_id, about(existing(database, asset_id), None), parts)
    return asset_id


def existing(database: Database, asset_id: str) -> Asset:
    """The asset, which must be there."""
    asset = database.assets.get(asset_id)
    assert asset is not None
    return asset

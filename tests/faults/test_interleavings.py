"""The reconciler and a callback act on one thing at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from allthethings.fetch import download
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database
from allthethings.passage_store import PassageStore
from allthethings.passages import Shape
from allthethings.pipeline import Pipeline
from allthethings.processors import Tools
from allthethings.reconciler import Reconciler
from allthethings.replicate_client import ReplicateClient
from guardedfetch import Fetcher
from tests.support.cloud import Cloud

NAME = "interleaved"
"""A database of its own, which the copy's reconciler does not look at."""


class LastMoment(PassageStore):
    """A callback brings all vectors just before it is asked which are still owed."""

    def owed(self, asset_id: str) -> list[tuple[str, int, int]]:
        self.embed(asset_id, 0, [[0.5] * 768], "p1")
        return super().owed(asset_id)


@pytest.fixture
def database(cloud: Cloud) -> Iterator[Database]:
    database = Database(cloud.endpoints["MONGODB_CONNECTION_URI"], NAME)
    database.passages = LastMoment(database.passages.collection)
    yield database
    database.client.drop_database(NAME)
    database.close()


@pytest.fixture
def reconciler(cloud: Cloud, database: Database) -> Reconciler:
    replicate = ReplicateClient(
        cloud.endpoints["REPLICATE_API_TOKEN"], cloud.endpoints["REPLICATE_BASE_URL"]
    )
    fetcher = Fetcher()
    pipeline = Pipeline(
        database,
        fetcher,
        Tools(replicate, lambda url: download(fetcher, url), ""),
        AsyncEmbeddingsGenerator(replicate, ""),
        lambda texts: [len(text.split()) for text in texts],
        timedelta(seconds=30),
        Shape(),
    )
    return Reconciler(database, replicate, pipeline, timedelta(seconds=30), timedelta(hours=1))


def test_vectors_that_come_while_they_are_asked_after(
    database: Database, reconciler: Reconciler
) -> None:
    key, then = ObjectId(), datetime.now(UTC) - timedelta(minutes=1)
    database.assets.collection.insert_one(
        {
            "_id": key,
            "url": "http://127.0.0.1/late",
            "url_key": "http://127.0.0.1/late",
            "content_type": "text/html",
            "status": "GENERATING_EMBEDDINGS",
            "created_at": then,
            "updated_at": then,
            "lease_until": then,
            "history": [{"status": "GENERATING_EMBEDDINGS", "at": then}],
        }
    )
    database.passages.collection.insert_one(
        {
            "_id": f"{key}:0",
            "asset_id": key,
            "position": 0,
            "text": "It came late.",
            "locator": {},
            "replicate_embedding_id": "p1",
            "replicate_embedding_range": [0, 0],
        }
    )
    assert reconciler.reconcile() == 1
    asset = database.assets.get(str(key))
    assert asset is not None
    assert (asset.status, asset.error) == ("SEARCHABLE", None)

"""MongoDB: one client a process, and the stores over it."""

from __future__ import annotations

from pymongo import MongoClient

from allthethings.asset_store import AssetStore
from allthethings.documents import Document, available
from allthethings.passage_store import PassageStore

TIMEOUT_MS = 5_000


class Database:
    """The client of this process, made once, and the stores over it."""

    def __init__(self, uri: str, name: str) -> None:
        self.client: MongoClient[Document] = MongoClient(
            uri,
            tz_aware=True,
            appname="index-all-the-things",
            serverSelectionTimeoutMS=TIMEOUT_MS,
            connectTimeoutMS=TIMEOUT_MS,
            socketTimeoutMS=4 * TIMEOUT_MS,
        )
        database = self.client[name]
        self.assets = AssetStore(database["assets"])
        self.passages = PassageStore(database["passages"])

    def ping(self) -> None:
        """Raises ServiceUnavailable when the server does not answer."""
        with available():
            self.client.admin.command("ping")

    def close(self) -> None:
        self.client.close()

"""MongoDB: one client a process, and the stores over it."""

from __future__ import annotations

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from allthethings.errors import BadInput
from allthethings.store.assets import Assets
from allthethings.store.deletions import Deletions
from allthethings.store.documents import Document, available
from allthethings.store.leases import Leases
from allthethings.store.passage_index import PassageIndex
from allthethings.store.passages import PassageStore
from allthethings.store.transitions import Transitions

TIMEOUT_MS = 5_000


class Database:
    """The client of this process, made once, and the stores over it.

    Raises BadInput when the connection string cannot be read.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.client = _client(uri)
        self.database = database = self.client[name]
        self.assets = Assets(database["assets"])
        self.transitions = Transitions(database["assets"])
        self.leases = Leases(database["assets"])
        self.deletions = Deletions(database["deletions"], database["assets"])
        self.passages = PassageStore(database["passages"])
        self.passage_index = PassageIndex(database["passages"])

    def ping(self) -> None:
        """Raises ServiceUnavailable when the server does not answer."""
        with available():
            self.client.admin.command("ping")

    def close(self) -> None:
        self.client.close()


def _client(uri: str) -> MongoClient[Document]:
    try:
        return MongoClient(
            uri,
            tz_aware=True,
            appname="index-all-the-things",
            serverSelectionTimeoutMS=TIMEOUT_MS,
            connectTimeoutMS=TIMEOUT_MS,
            socketTimeoutMS=4 * TIMEOUT_MS,
        )
    except (PyMongoError, ValueError):
        # The driver's words, and so the cause, may quote a piece of the password.
        raise BadInput(
            "MONGODB_CONNECTION_URI cannot be read. It begins with mongodb:// or mongodb+srv://, "
            "and a user name or password in it is percent-encoded."
        ) from None

"""The client by which the indexes read from the server behind the proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.change_stream import ChangeStream, CollectionChangeStream
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from localcloud.atlas.wire.messages import LOSSLESS

# Milliseconds that the server waits for a change before it answers with none.
AWAIT_MS = 500
# The same for a stream whose follower has nothing to do until a change comes.
IDLE_AWAIT_MS = 5_000
# Documents in each batch of a scan.
SCAN_BATCH = 500
# Milliseconds after which an unreachable server counts as away.
SELECTION_TIMEOUT_MS = 2_000
# Milliseconds after which a server that does not answer counts as away.
SOCKET_TIMEOUT_MS = 30_000

Document = dict[str, Any]
Token = Mapping[str, Any]


@dataclass(frozen=True)
class Namespace:
    """The name of a collection with its database's."""

    db: str
    collection: str

    def __str__(self) -> str:
        return f"{self.db}.{self.collection}"


class WriteClock:
    """Counts the writes that went through the proxy and that the server has executed.

    Each collection has its own count, so that a search need not wait for writes elsewhere.
    Collections of the same name in different databases share one.
    """

    def __init__(self) -> None:
        self._everywhere = 0
        self._of: dict[str, int] = {}

    def tick(self, collection: str | None) -> None:
        """Count a write; None if it may concern any collection.

        Only the proxy's event loop may call this.
        """
        if collection is None:
            self._everywhere += 1
        else:
            self._of[collection] = self._of.get(collection, 0) + 1

    def count(self, collection: str) -> int:
        """The number of writes that may concern the collection. It never falls."""
        return self._everywhere + self._of.get(collection, 0)


@dataclass(frozen=True)
class Pending:
    """The events that a change stream has yet to deliver.

    `first` is the time of its next event, None if there is none, and `now` the time of the
    server's last write.
    """

    first: Timestamp | None
    now: Timestamp


class Upstream:
    """The server on 127.0.0.1. Every method raises pymongo's errors while it is away."""

    def __init__(self, port: int) -> None:
        self._client: MongoClient[Document] = MongoClient(
            "127.0.0.1",
            port,
            directConnection=True,
            serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
            socketTimeoutMS=SOCKET_TIMEOUT_MS,
            serverMonitoringMode="poll",  # a stream of heartbeats takes two threads that wake often
            maxPoolSize=None,  # every collection with an index keeps a connection at its changes
        )

    def close(self) -> None:
        self._client.close()

    def _collection(self, namespace: Namespace) -> Collection[Document]:
        return self._client.get_database(namespace.db, LOSSLESS)[namespace.collection]

    def uuid(self, namespace: Namespace) -> bytes | None:
        """The collection's uuid; None if it does not exist or is a view."""
        reply = self._client[namespace.db].command(
            "listCollections", filter={"name": namespace.collection}
        )
        for found in reply["cursor"]["firstBatch"]:
            uuid = found.get("info", {}).get("uuid")
            if found["name"] == namespace.collection and uuid is not None:
                return bytes(uuid)
        return None

    def watch(
        self, namespace: Namespace, token: Token | None, await_ms: int = AWAIT_MS
    ) -> CollectionChangeStream[Document]:
        """A change stream with whole documents, from the token on or (for None) from now on."""
        return self._collection(namespace).watch(
            full_document="updateLookup", resume_after=token, max_await_time_ms=await_ms
        )

    def set_wait(self, stream: ChangeStream[Document], milliseconds: int) -> None:
        """Choose how long the stream waits for its next change.

        pymongo lets that be chosen only for the whole life of a stream.
        """
        stream._cursor._max_await_time_ms = milliseconds

    def has_read(self, stream: ChangeStream[Document]) -> bool:
        """Whether the stream has changes that it has read and not given yet."""
        return bool(stream._cursor._data)

    def interrupt(self, namespace: Namespace, stream: ChangeStream[Document]) -> None:
        """End the stream's wait for a change, if the server is there. The stream goes on."""
        with contextlib.suppress(PyMongoError):
            cursors = [stream._cursor.cursor_id]
            self._client[namespace.db].command("killCursors", namespace.collection, cursors=cursors)

    def token(self, namespace: Namespace) -> Token:
        """A resume token for this moment."""
        while True:
            with self.watch(namespace, None) as stream:
                if stream.resume_token is not None:  # a stream that begins with events has none
                    return stream.resume_token

    def scan(self, namespace: Namespace) -> Iterator[Document]:
        """Every document of the collection."""
        with self._collection(namespace).find({}, batch_size=SCAN_BATCH) as cursor:
            yield from cursor

    def pending(self, namespace: Namespace, token: Token) -> Pending:
        """The events after the token."""
        database = self._client[namespace.db]
        reply = database.command(
            "aggregate",
            namespace.collection,
            pipeline=[{"$changeStream": {"resumeAfter": token}}],
            cursor={"batchSize": 1},
        )
        cursor = reply["cursor"]
        if cursor["id"]:
            database.command("killCursors", namespace.collection, cursors=[cursor["id"]])
        events = cursor["firstBatch"]
        first = events[0]["clusterTime"] if events else None
        return Pending(first, reply["operationTime"])

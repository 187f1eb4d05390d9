"""What the index side asks of the server behind the proxy, over a client of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.change_stream import CollectionChangeStream
from pymongo.collection import Collection

from localcloud.atlas.wire.messages import LOSSLESS

AWAIT_MS = 500
SCAN_BATCH = 500

Document = dict[str, Any]
Token = Mapping[str, Any]


@dataclass(frozen=True)
class Namespace:
    db: str
    collection: str

    def __str__(self) -> str:
        return f"{self.db}.{self.collection}"


class WriteClock:
    """Counts the writes that went through the proxy. A reader of the count knows that all
    writes counted so far had been executed by the server."""

    def __init__(self) -> None:
        self.count = 0

    def tick(self) -> None:
        """Only the proxy's event loop calls this."""
        self.count += 1


@dataclass(frozen=True)
class Pending:
    """What a change stream would still deliver: the time of its first event, None if there is
    none, and the time of the server's last write."""

    first: Timestamp | None
    now: Timestamp


class Upstream:
    """The server on 127.0.0.1. Methods raise pymongo's errors while it is away."""

    def __init__(self, port: int) -> None:
        self._client: MongoClient[Document] = MongoClient(
            "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=2_000
        )

    def close(self) -> None:
        self._client.close()

    def _collection(self, namespace: Namespace) -> Collection[Document]:
        return self._client.get_database(namespace.db, LOSSLESS)[namespace.collection]

    def uuid(self, namespace: Namespace) -> bytes | None:
        """The collection's uuid; None if there is no such collection, or if it is a view."""
        reply = self._client[namespace.db].command(
            "listCollections", filter={"name": namespace.collection}
        )
        for found in reply["cursor"]["firstBatch"]:
            uuid = found.get("info", {}).get("uuid")
            if found["name"] == namespace.collection and uuid is not None:
                return bytes(uuid)
        return None

    def watch(self, namespace: Namespace, token: Token | None) -> CollectionChangeStream[Document]:
        """A change stream from after the token, or from now on, with whole documents."""
        return self._collection(namespace).watch(
            full_document="updateLookup", resume_after=token, max_await_time_ms=AWAIT_MS
        )

    def token(self, namespace: Namespace) -> Token:
        """A resume token of this moment."""
        while True:
            with self.watch(namespace, None) as stream:
                if stream.resume_token is not None:  # a stream that begins with events has none
                    return stream.resume_token

    def scan(self, namespace: Namespace) -> Iterator[Document]:
        """Every document."""
        with self._collection(namespace).find({}, batch_size=SCAN_BATCH) as cursor:
            yield from cursor

    def aggregate(self, namespace: Namespace, pipeline: Sequence[Document]) -> list[Document]:
        """The documents of an aggregation of the collection. Raises OperationFailure."""
        with self._collection(namespace).aggregate(pipeline) as cursor:
            return list(cursor)

    def aggregate_database(self, db: str, pipeline: Sequence[Document]) -> list[Document]:
        """The same for a pipeline that brings its own documents."""
        with self._client.get_database(db, LOSSLESS).aggregate(pipeline) as cursor:
            return list(cursor)

    def pending(self, namespace: Namespace, token: Token) -> Pending:
        """Whether events wait after the token."""
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

"""A driver that is told no more than the address stays with the proxy."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from pymongo.server_type import SERVER_TYPE

from localcloud.atlas.wire import messages as wire
from localcloud.atlas.wire.topology import OP_QUERY, OP_REPLY
from tests.localcloud.atlas.server import Atlas, create_index, ids
from tools.harness.waiting import wait_for

Documents = Collection[dict[str, Any]]


class Heartbeats(ServerHeartbeatListener):
    def __init__(self) -> None:
        self.awaited: list[Any] = []

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        pass

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        if event.awaited:
            self.awaited.append(event.reply.document["hosts"])

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        self.awaited.append(event.reply)


@pytest.fixture
def heartbeats() -> Heartbeats:
    return Heartbeats()


@pytest.fixture
def plain(atlas: Atlas, heartbeats: Heartbeats) -> Iterator[MongoClient[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]] = MongoClient(
        f"mongodb://localhost:{atlas.port}/", heartbeatFrequencyMS=500, event_listeners=[heartbeats]
    )
    yield client
    client.close()


def test_the_only_member_is_the_proxy(
    atlas: Atlas, plain: MongoClient[dict[str, Any]], heartbeats: Heartbeats
) -> None:
    """Also in the replies that the server sends unasked, to a driver that watches it."""
    here = ("127.0.0.1", atlas.port)
    plain.admin.command("ping")
    assert plain.topology_description.topology_type_name == "ReplicaSetWithPrimary"
    assert set(plain.nodes) == {here}
    assert plain.primary == here
    (server,) = plain.topology_description.server_descriptions().values()
    assert server.server_type == SERVER_TYPE.RSPrimary
    assert server.me == here
    wait_for(lambda: len(heartbeats.awaited) >= 3, "three heartbeats")
    assert heartbeats.awaited[:3] == [[f"127.0.0.1:{atlas.port}"]] * 3


def test_commands_that_name_the_members(atlas: Atlas, plain: MongoClient[dict[str, Any]]) -> None:
    here = f"127.0.0.1:{atlas.port}"
    for name in ("hello", "isMaster", "ismaster"):
        reply = plain.admin.command(name)
        assert (reply["hosts"], reply["primary"], reply["me"]) == ([here], here, here)
    members = plain.admin.command("replSetGetStatus")["members"]
    assert [member["name"] for member in members] == [here]


def test_searches_see_its_writes(plain: MongoClient[dict[str, Any]], collection: Documents) -> None:
    create_index(collection)
    documents: Documents = plain.test[collection.name]
    for number in range(20):
        documents.insert_one({"_id": number, "embedding": [float(number)] * 8})
        assert len(ids(documents, [0.0] * 8, 50)) == number + 1


def test_an_old_handshake(atlas: Atlas) -> None:
    """The first command of most drivers is an OP_QUERY, which has an OP_REPLY."""
    query = bson.encode({"ismaster": 1, "helloOk": True})
    body = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + query
    with socket.create_connection(("127.0.0.1", atlas.port), 10) as connection:
        connection.sendall(struct.pack("<iiii", 16 + len(body), 5, 0, OP_QUERY) + body)
        reader = connection.makefile("rb")
        header = wire.Header.parse(reader.read(16))
        reply = bson.decode(reader.read(header.length - 16)[20:])
    assert (header.response_to, header.op_code) == (5, OP_REPLY)
    assert reply["hosts"] == [f"127.0.0.1:{atlas.port}"]
    assert reply["helloOk"] is True


def test_a_failed_hello_is_passed_on(plain: MongoClient[dict[str, Any]]) -> None:
    with pytest.raises(OperationFailure) as refused:
        plain.admin.command("hello", maxAwaitTimeMS=100)
    assert refused.value.code == 31368

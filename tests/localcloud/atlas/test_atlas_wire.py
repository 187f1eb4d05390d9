"""Framing: fragments, checksums, sequences, nonsense; and many connections at once."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from localcloud.atlas.wire import messages as wire
from localcloud.atlas.wire.messages import Header, WireError
from tests.localcloud.atlas.server import Atlas, create_index, ids, search_stage

Documents = Collection[dict[str, Any]]


def message(document: dict[str, Any], request_id: int = 7, flags: int = 0) -> bytes:
    return wire.encode(request_id, 0, document, flags=flags)


def receive(connection: socket.socket) -> tuple[Header, dict[str, Any]]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            assert part, "closed"
            data += part
        return data

    header = Header.parse(exactly(16))
    return header, wire.decode(header, exactly(header.length - 16)).body


@pytest.fixture
def raw(atlas: Atlas) -> Any:
    with socket.create_connection(("127.0.0.1", atlas.port), 10) as connection:
        yield connection


def search(name: str) -> dict[str, Any]:
    pipeline = [search_stage([0.0] * 8)]
    return {"aggregate": name, "pipeline": pipeline, "cursor": {}, "$db": "test"}


def test_encode_and_decode() -> None:
    data = message({"ping": 1, "$db": "x"}, flags=wire.CHECKSUM_PRESENT)
    header = Header.parse(data[:16])
    assert (header.length, header.request_id, header.op_code) == (len(data), 7, wire.OP_MSG)
    decoded = wire.decode(header, data[16:])
    assert (decoded.flags, decoded.body) == (0, {"ping": 1, "$db": "x"})
    assert wire.peek(header.op_code, data[16:]) == wire.Peek(0, "ping")


def test_the_collection_of_a_command() -> None:
    def peek(command: dict[str, Any]) -> wire.Peek | None:
        return wire.peek(wire.OP_MSG, b"\0\0\0\0\0" + bson.encode(command))

    assert peek({"insert": "änder", "$db": "x"}) == wire.Peek(0, "insert", "änder")
    assert peek({"dropDatabase": 1, "$db": "x"}) == wire.Peek(0, "dropDatabase")
    whole = b"\0\0\0\0\0" + bson.encode({"insert": "collection"})
    for end in range(20, 35):  # whatever is cut off, a name is whole or not there
        found = wire.peek(wire.OP_MSG, whole[:end])
        assert found is not None
        assert found.target in (None, "collection")


def test_checksum_and_sequence() -> None:
    body = b"\0" + bson.encode({"insert": "c"})
    documents = b"documents\0" + bson.encode({"_id": 1}) + bson.encode({"_id": 2})
    sequence = b"\1" + struct.pack("<i", 4 + len(documents)) + documents
    for sections in (body + sequence, sequence + body):
        payload = struct.pack("<i", wire.CHECKSUM_PRESENT) + sections + b"crc!"
        header = Header(16 + len(payload), 1, 0, wire.OP_MSG)
        expected = {"insert": "c", "documents": [{"_id": 1}, {"_id": 2}]}
        assert wire.decode(header, payload).body == expected
    first = struct.pack("<i", 0) + sequence + body
    assert wire.peek(wire.OP_MSG, first) == wire.Peek(0, None)
    assert wire.peek(2004, first) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"\0\0\0\0",
        b"\0\0\0\0\0\xff\xff\0\0",
        b"\0\0\0\0\x05" + bson.encode({}),
        b"\0\0\0\0\0\x06\0\0\0\x10\0",
        b"\0\0\0\0\x01\x0c\0\0\0aaaaaaaa",
    ],
)
def test_malformed_messages(payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.decode(Header(16 + len(payload), 1, 0, wire.OP_MSG), payload)


@pytest.mark.parametrize("length", [0, 15, -1, wire.MAX_MESSAGE + 1])
def test_impossible_lengths(length: int) -> None:
    with pytest.raises(WireError):
        Header.parse(struct.pack("<iiii", length, 1, 0, wire.OP_MSG))


def test_read_header_from_fragments() -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        data = message({"ping": 1})
        task = asyncio.create_task(wire.read_header(reader))
        for position in range(16):
            reader.feed_data(data[position : position + 1])
            await asyncio.sleep(0)
        assert await task == (Header.parse(data[:16]), data[:16])
        reader.feed_data(b"half a header"[:9])
        reader.feed_eof()
        assert await wire.read_header(reader) is None

    asyncio.run(read())


def test_byte_by_byte(raw: socket.socket, collection: Documents) -> None:
    """Ours and others, in single bytes, one right after the other."""
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request_id in (1, 2):
        for byte in message(search(collection.name), request_id):
            raw.sendall(bytes([byte]))
        header, reply = receive(raw)
        assert header.response_to == request_id
        assert [hit["_id"] for hit in reply["cursor"]["firstBatch"]] == [1]
        for byte in message({"ping": 1, "$db": "admin"}, 100 + request_id):
            raw.sendall(bytes([byte]))
        header, reply = receive(raw)
        assert (header.response_to, reply["ok"]) == (100 + request_id, 1.0)


def test_pipelined_requests(raw: socket.socket) -> None:
    """Several messages in one segment: every one gets its reply."""
    drop = {"dropSearchIndex": "nothing", "name": "x", "$db": "test"}
    sent = [message(drop if n % 2 else {"ping": 1, "$db": "admin"}, n) for n in range(1, 21)]
    raw.sendall(b"".join(sent))
    replies = {header.response_to: reply for header, reply in (receive(raw) for _ in sent)}
    assert set(replies) == set(range(1, 21))
    assert all(replies[n]["ok"] == (0.0 if n % 2 else 1.0) for n in replies)


def test_a_checksum_is_accepted(raw: socket.socket) -> None:
    data = message(search("nothing"))
    body = struct.pack("<i", wire.CHECKSUM_PRESENT) + data[20:] + b"crc!"
    raw.sendall(struct.pack("<iiii", len(body) + 16, 3, 0, wire.OP_MSG) + body)
    assert receive(raw)[1]["cursor"]["firstBatch"] == []


def test_nonsense_closes_the_connection(raw: socket.socket) -> None:
    raw.sendall(struct.pack("<iiii", 3, 1, 0, wire.OP_MSG))
    assert raw.recv(1) == b""


def test_big_documents_pass(collection: Documents) -> None:
    text = "x" * 15_000_000
    collection.insert_one({"_id": 1, "text": text})
    found = collection.find_one({"_id": 1})
    assert found is not None
    assert found["text"] == text


def test_values_survive_the_rewriting(collection: Documents) -> None:
    """What only BSON can hold comes back from the later stages as it went in."""
    values = {
        "long": bson.Int64(1),
        "date": bson.datetime_ms.DatetimeMS(2**40),
        "uuid": bson.Binary(b"\1" * 16, 4),
        "pattern": bson.Regex("^a", "i"),
        "decimal": bson.Decimal128("1.10"),
        "stamp": bson.Timestamp(1, 2),
        "code": bson.Code("f()"),
    }
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    stages = [
        search_stage([0.0] * 8),
        {"$project": {k: {"$literal": v} for k, v in values.items()}},
    ]
    (hit,) = collection.with_options(codec_options=wire.LOSSLESS).aggregate(stages)
    assert {key: hit[key] for key in values} == values


def test_three_hundred_connections(atlas: Atlas, collection: Documents) -> None:
    collection.insert_one({"_id": 1, "embedding": [1.0] * 8})
    create_index(collection)
    together = threading.Barrier(300)
    client: MongoClient[dict[str, Any]]
    with (
        MongoClient(
            f"mongodb://127.0.0.1:{atlas.port}/?directConnection=true",
            maxPoolSize=300,
            maxConnecting=50,
        ) as client,
        ThreadPoolExecutor(300) as pool,
    ):
        documents: Documents = client.test[collection.name]

        def work(_: int) -> list[Any]:
            together.wait(30)
            return ids(documents, [0.0] * 8)

        assert list(pool.map(work, range(300))) == [[1]] * 300

"""The part of MongoDB's wire protocol that a proxy needs: framing and OP_MSG.

Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion

OP_MSG = 2013
# Two of the flags of an OP_MSG.
CHECKSUM_PRESENT = 1
MORE_TO_COME = 2
# Sizes in bytes. MAX_MESSAGE and MAX_DOCUMENT are MongoDB's limits.
HEADER_SIZE = 16
MAX_MESSAGE = 48_000_000 + 16 * 1024
MAX_DOCUMENT = 16 * 1024 * 1024
# Bytes at the start of a message in which its command is looked for.
PEEK = 64 * 1024
# Bytes of the longest command name.
MAX_COMMAND_NAME = 128
# The type of a string in BSON.
_STRING = 2

_HEADER = struct.Struct("<iiii")
_INT32 = struct.Struct("<i")

# Options that decode and encode every BSON value without loss, even dates that Python lacks.
LOSSLESS: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


class WireError(Exception):
    """The bytes are not a message, so the connection has to be closed."""


def decode_document(data: bytes) -> dict[str, Any]:
    """One BSON document, without loss."""
    return bson.decode(data, LOSSLESS)


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 bytes of every message. `length` includes them."""

    length: int
    request_id: int
    response_to: int
    op_code: int

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Raises WireError for a length that no server would accept."""
        header = cls(*_HEADER.unpack(data))
        if not HEADER_SIZE <= header.length <= MAX_MESSAGE:
            raise WireError(f"message length {header.length}")
        return header

    def pack(self, size: int) -> bytes:
        """The header's bytes for a message whose body has `size` bytes."""
        return _HEADER.pack(HEADER_SIZE + size, self.request_id, self.response_to, self.op_code)


@dataclass(frozen=True, slots=True)
class Peek:
    """The flags of an OP_MSG, and the name of its command if that is within the first bytes.

    `target` is the command's value if that is a string, which for most is a collection.
    """

    flags: int
    command: str | None
    target: str | None = None


def peek(op_code: int, body: bytes) -> Peek | None:
    """Read the start of a message's body without decoding it; None if it is not an OP_MSG.

    The command is None if the first section is a document sequence, which only writes have.
    """
    if op_code != OP_MSG or len(body) < 5:
        return None
    (flags,) = _INT32.unpack_from(body)
    if body[4] != 0 or len(body) < 11:
        return Peek(flags, None)
    # flags (4), section kind (1), document length (4), type of the first element (1), its name
    end = body.find(b"\0", 10, 10 + MAX_COMMAND_NAME)
    if end < 0:
        return Peek(flags, None)
    command = body[10:end].decode("utf-8", "replace")
    return Peek(flags, command, _string(body, end + 1) if body[9] == _STRING else None)


def _string(body: bytes, offset: int) -> str | None:
    """The BSON string at an offset; None if it is not whole."""
    if len(body) < offset + 4:
        return None
    (size,) = _INT32.unpack_from(body, offset)
    value = body[offset + 4 : offset + 4 + size]
    return value[:-1].decode("utf-8", "replace") if 0 < size == len(value) else None


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded OP_MSG. Its body document includes the document sequences as arrays."""

    header: Header
    flags: int
    body: dict[str, Any]


def decode(header: Header, body: bytes) -> Message:
    """Decode an OP_MSG. Raises WireError if it is malformed."""
    (flags,) = _INT32.unpack_from(body)
    end = len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
    document: dict[str, Any] | None = None
    sequences: dict[str, list[Any]] = {}
    offset = 4
    try:
        while offset < end:
            kind = body[offset]
            (size,) = _INT32.unpack_from(body, offset + 1)
            stop = offset + 1 + size
            if size < 5 or stop > end:
                raise WireError("section out of bounds")
            if kind == 0:
                document = decode_document(body[offset + 1 : stop])
            elif kind == 1:
                zero = body.index(b"\0", offset + 5, stop)
                name = body[offset + 5 : zero].decode()
                sequences[name] = bson.decode_all(body[zero + 1 : stop], LOSSLESS)
            else:
                raise WireError(f"section kind {kind}")
            offset = stop
    except (bson.errors.BSONError, ValueError, struct.error) as error:
        raise WireError(f"malformed OP_MSG: {error}") from error
    if document is None:
        raise WireError("OP_MSG without a body section")
    return Message(header, flags, document | sequences)


def encode(
    request_id: int, response_to: int, document: Mapping[str, Any], *, flags: int = 0
) -> bytes:
    """An OP_MSG with one body section and no checksum."""
    payload = bson.encode(document, codec_options=LOSSLESS)
    head = _HEADER.pack(HEADER_SIZE + 5 + len(payload), request_id, response_to, OP_MSG)
    return head + _INT32.pack(flags & ~CHECKSUM_PRESENT) + b"\0" + payload


async def read_header(reader: asyncio.StreamReader) -> tuple[Header, bytes] | None:
    """The next header with its bytes, or None at the end of the stream."""
    try:
        data = await reader.readexactly(HEADER_SIZE)
    except asyncio.IncompleteReadError:
        return None
    return Header.parse(data), data

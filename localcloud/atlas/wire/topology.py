"""Puts the proxy's address into the replies that name the members of the replica set.

A driver connects to the addresses that the server names. Without this it would go past the proxy,
which then answers no search and sees no write. SecantusDB is a replica set of one member, so every
address in these replies is its own.

Source: https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/
"""

from __future__ import annotations

import struct
from typing import Any

import bson

from localcloud.atlas.wire import messages as wire
from localcloud.atlas.wire.messages import LOSSLESS, Header, Peek, WireError, decode_document

OP_REPLY = 1
OP_QUERY = 2004
# The commands whose replies name the members. A driver's first one may be an OP_QUERY.
COMMANDS = frozenset({"hello", "isMaster", "ismaster", "replSetGetStatus"})
# Bytes of an OP_REPLY between its header and its document, and where the number of documents is.
_REPLY_HEAD = 20
_REPLY_COUNT = 16
_INT32 = struct.Struct("<i")


def asks(op_code: int, seen: Peek | None) -> bool:
    """Whether a request has a reply that may name the members."""
    if seen is None:
        return op_code == OP_QUERY
    return seen.command in COMMANDS and not seen.flags & wire.MORE_TO_COME


def readdress(header: Header, body: bytes, address: str) -> bytes:
    """The whole message of a reply, with `address` (host:port) in place of every member's.

    Raises WireError for a reply that is malformed.
    """
    if header.op_code == wire.OP_MSG:
        message = wire.decode(header, body)
        document = _renamed(message.body, address)
        return wire.encode(header.request_id, header.response_to, document, flags=message.flags)
    if header.op_code != OP_REPLY or len(body) < _REPLY_HEAD:
        raise WireError(f"reply of kind {header.op_code}")
    if _INT32.unpack_from(body, _REPLY_COUNT)[0] != 1:
        raise WireError("an OP_REPLY without its document")
    try:
        document = _renamed(decode_document(body[_REPLY_HEAD:]), address)
    except bson.errors.BSONError as error:
        raise WireError(f"malformed OP_REPLY: {error}") from error
    rest = body[:_REPLY_HEAD] + bson.encode(document, codec_options=LOSSLESS)
    return header.pack(len(rest)) + rest


def _renamed(reply: dict[str, Any], address: str) -> dict[str, Any]:
    named: dict[str, Any] = {key: address for key in ("primary", "me") if key in reply}
    if reply.get("hosts"):
        named["hosts"] = [address]
    if isinstance(members := reply.get("members"), list):
        named["members"] = [{**member, "name": address} for member in members]
    return {**reply, **named}

"""What one version of an index is to the follower that feeds it: a store on disk.

There are two: the vectors of a `vectorSearch` index (fields.py) and the words of a
`search` index (texts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import bson

from localcloud.atlas.wire.messages import LOSSLESS

Document = Mapping[str, Any]
Token = Mapping[str, Any]


class DamagedStore(Exception):
    """What is on disk is not what was written."""


class Store(Protocol):
    """Every method belongs to the one thread that follows the collection. What was put or
    removed is durable after `commit`, and searches see it at once."""

    def open(self) -> None:
        """Load what is on disk; what turns out damaged is thrown away and built anew."""

    def token(self) -> Token | None:
        """The resume token up to which the store is complete; None until `commit` had one."""

    def put(self, document: Document) -> None:
        """Take in the document as it is now."""

    def remove(self, key: bytes) -> None:
        """Forget the document with that encoded _id; nothing happens if it is not known."""

    def keep_only(self, keys: set[bytes]) -> None:
        """Forget the documents that a scan of the whole collection has not met."""

    def commit(self, token: Token | None) -> None:
        """Make everything so far durable, and with it the token that it covers (None: the
        collection has not been read to its end yet)."""

    def compact(self) -> None:
        """Drop what is dead, if that is worth its time. Call it right after `commit`."""

    def close(self) -> None:
        """What was not committed is forgotten."""

    def delete(self) -> None:
        """Remove the closed store from the disk."""


def encode_id(value: object) -> bytes:
    """The key of a document: its _id as BSON, type and all."""
    return bson.encode({"_id": value}, codec_options=LOSSLESS)

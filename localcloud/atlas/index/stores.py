"""The interface between a follower and the store on disk that it keeps up to date.

There are two stores: vector/fields.py for `vectorSearch` indexes and text/store.py for `search`
indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import bson

from localcloud.atlas.wire.messages import LOSSLESS

Document = Mapping[str, Any]
Token = Mapping[str, Any]


class DamagedStore(Exception):
    """The data on disk is not what was written."""


class Store(Protocol):
    """The store of one version of an index, used by the one thread that follows the collection.

    Searches see a change at once; `commit` makes it durable.
    """

    def open(self) -> None:
        """Load the data on disk. Damaged data is deleted, so that the index is built anew."""

    def token(self) -> Token | None:
        """The resume token up to which the store is complete; None if no commit has had one."""

    def has(self, document: Document) -> bool:
        """Whether the last commit holds the document as it is, so that a `put` changes nothing."""

    def put(self, document: Document) -> None:
        """Add a document, or replace the one with its _id."""

    def remove(self, key: bytes) -> None:
        """Forget the document with that encoded _id. Nothing happens if it is not known."""

    def keep_only(self, keys: set[bytes]) -> None:
        """Forget all documents but those with these encoded _ids."""

    def commit(self, token: Token | None) -> None:
        """Make all changes durable, together with the token that covers them.

        The token is None while the first scan of the collection is under way.
        """

    def compact(self) -> None:
        """Reclaim the space of deleted documents if there are many. Call it after `commit`."""

    def close(self) -> None:
        """Close the store. Changes that were not committed are lost."""

    def delete(self) -> None:
        """Remove the closed store from the disk."""


def encode_id(value: object) -> bytes:
    """The key of a document: its _id as BSON, which includes its type."""
    return bson.encode({"_id": value}, codec_options=LOSSLESS)

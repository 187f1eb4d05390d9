"""The copies of documents that an index keeps, to answer searches without asking the server.

Vectors are left out: they are most of a document's size and rarely asked for.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import bson

from localcloud.atlas.wire.messages import LOSSLESS, decode_document

# Bytes above which a binary counts as a vector.
LARGE_BINARY = 512
# Numbers above which an array counts as a vector.
LARGE_ARRAY = 128


@dataclass(frozen=True)
class Source:
    """A document without some of its fields, whose names are in `left`."""

    document: dict[str, Any]
    left: frozenset[str]


def is_vector(value: object) -> bool:
    """Whether a value is a large binary or a long array of numbers."""
    if isinstance(value, bytes):
        return len(value) > LARGE_BINARY
    return (
        isinstance(value, list)
        and len(value) > LARGE_ARRAY
        and all(isinstance(item, int | float) for item in value)
    )


def pack(document: Mapping[str, Any], keep: Container[str] = ()) -> bytes:
    """Encode a document without its vectors. Fields named in `keep` are never left out."""
    left = [key for key, value in document.items() if key not in keep and is_vector(value)]
    kept = {key: value for key, value in document.items() if key not in left}
    return bson.encode({"kept": kept, "left": left}, codec_options=LOSSLESS)


def unpack(data: bytes) -> Source:
    """The reverse of `pack`."""
    whole = decode_document(data)
    return Source(whole["kept"], frozenset(whole["left"]))

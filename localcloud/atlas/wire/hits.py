"""The results of a search stage, before they are joined with their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localcloud.atlas.index.sources import Source, unpack
from localcloud.atlas.wire.messages import decode_document


@dataclass(frozen=True)
class Hit:
    """One document that a search found.

    `key` is its encoded _id, `meta` the values of {$meta: name} by name, and `packed` the
    document as its index keeps it (index/sources.py), if that was looked up.
    """

    key: bytes
    meta: Mapping[str, Any]
    packed: bytes | None = None

    @property
    def id(self) -> Any:
        return decode_document(self.key)["_id"]

    @cached_property
    def source(self) -> Source | None:
        return None if self.packed is None else unpack(self.packed)


@dataclass(frozen=True)
class Found:
    """The hits, best first.

    `provides` are the names that {$meta: ...} may ask for, `search_meta` is the value of
    $$SEARCH_META, or None if it has none.
    """

    hits: Sequence[Hit]
    provides: frozenset[str]
    search_meta: Mapping[str, Any] | None = None

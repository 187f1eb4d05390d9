"""What a search stage found, before it is joined with its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localcloud.atlas.index.sources import Source, unpack
from localcloud.atlas.wire.messages import decode_document


@dataclass(frozen=True)
class Hit:
    """A document's encoded _id, what {$meta: name} gives for it, and the document as its index
    keeps it (sources.py), if that was looked up."""

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
    """The hits, best first; the names that {$meta: ...} may ask for; and what $$SEARCH_META is,
    None where there is none."""

    hits: Sequence[Hit]
    provides: frozenset[str]
    search_meta: Mapping[str, Any] | None = None

"""What every passage says of its asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class About:
    """What the passages of a thing say of it, for the filters of the search indexes.

    `sites` are its host and the domains above it; `added` is when it was submitted.
    """

    title: str | None
    content_type: str
    kind: str
    sites: Sequence[str]
    added: datetime

    def fields(self) -> dict[str, Any]:
        """The fields of a passage's document."""
        return {
            "title": self.title,
            "content_type": self.content_type,
            "kind": self.kind,
            "site": list(self.sites),
            "added": self.added,
        }

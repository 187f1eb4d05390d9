"""What every passage says of its asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class About:
    """What the passages of a thing say of it, for the filters of the search indexes.

    Each is a field of a passage's document, by the same name. `title` is the name that people see
    of it, which is found by its words. `site` is the asset's host and the
    domains above it; `added` is when it was submitted; `language` is a code of ISO 639, `und` where
    nobody could tell it.
    """

    title: str
    content_type: str
    kind: str
    site: Sequence[str]
    added: datetime
    language: str

    def fields(self) -> dict[str, Any]:
        """The fields of a passage's document."""
        return {name: getattr(self, name) for name in NAMES}


# The names of the fields of About.
NAMES = tuple(field.name for field in fields(About))

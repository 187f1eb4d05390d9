"""What is asked of the headers of a request."""

from __future__ import annotations

from typing import Protocol


class Headers(Protocol):
    """A mapping by lower-case names, or one in which case does not matter."""

    def get(self, name: str, /) -> str | None: ...

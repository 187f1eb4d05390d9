"""What a thing tells of itself."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

# The beginning of a date, behind which a time may follow.
DATE = re.compile(r"(\d{4})(?:[-/](\d\d)(?:[-/](\d\d))?)?(?!\d)")


@dataclass(frozen=True)
class Picture:
    """A small picture: a WebP file, and its width and height in pixels."""

    file: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Facts:
    """What a thing tells of itself, besides its text; None for what it does not tell.

    `dated` is a year, month or day (ISO 8601), `duration` is seconds, `language` a code of
    ISO 639, the shortest one that the language has. `picture` shows it in lists.
    """

    title: str | None = None
    author: str | None = None
    dated: str | None = None
    duration: float | None = None
    language: str | None = None
    picture: Picture | None = None

    def told(self) -> dict[str, Any]:
        """Those that it tells, by their names."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def day_of(told: str | None) -> str | None:
    """The day, month or year of a date that is written in this order, with or without a time.
    Programs write zeros for what they do not know."""
    found = DATE.match((told or "").strip())
    if not found:
        return None
    year, month, day = found.groups()
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return year if int(year) else None
    return "-".join(filter(None, (year, month, day)))

"""Values that others chose, cut to what the app stores and shows of them."""

from __future__ import annotations

from datetime import UTC, datetime

# Characters of an id, a status or a time that are kept.
MAX_WORD = 100


def word(value: object) -> str | None:
    """Printable text, cut to MAX_WORD; None for anything else and for the empty text."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value[:MAX_WORD].encode("utf-8", "replace").decode() or None


def count(value: object) -> int | None:
    """A whole number from 0 to 2**31, also from text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None


def moment(value: object) -> datetime | None:
    """An ISO 8601 time in UTC, in whole milliseconds; None for anything else."""
    if not isinstance(value, str) or len(value) > MAX_WORD:
        return None
    try:
        at = datetime.fromisoformat(value)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)

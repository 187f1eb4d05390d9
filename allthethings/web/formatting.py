"""Numbers and times in words, as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

from allthethings.store.asset_list import COUNT_LIMIT


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def capped(number: int) -> str:
    """A number of assets: 1,234, or 10,000+ where the count has reached its limit."""
    return f"{number:,}+" if number >= COUNT_LIMIT else f"{number:,}"


def when(moment: datetime) -> str:
    """A moment to the minute, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def span(seconds: float) -> str:
    """A length of time in two units at most: 0.12 s, 3.4 s, 2 min 05 s, 3 h 07 min, 2 d 4 h."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02} s"
    days, hours_left = divmod(hours, 24)
    return f"{days:,} d {hours_left} h" if days else f"{hours} h {minutes_left:02} min"


def size(count: int | None) -> str:
    """A number of bytes; empty when it is not known."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"

"""What the app notes of each callback that the gateway delivers, and what a callback is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allthethings.hookdeck.signatures import Headers
from allthethings.hookdeck.values import count, moment, word

_TIMES = ("created_at", "started_at", "completed_at")
_CALLBACK = re.compile(r"/[a-z][a-z0-9-]*/([0-9a-f]{24})(?:/([0-9]{1,9})-([0-9]{1,9}))?(?:$|\?)")


def noted(
    headers: Headers, payload: object, path: str, received: datetime, seconds: float
) -> dict[str, Any] | None:
    """What is kept of a callback that was answered after `seconds`; None when it did not come
    through the gateway. Every value is bounded."""
    event = word(headers.get("x-hookdeck-eventid"))
    if event is None:
        return None
    prediction = payload if isinstance(payload, Mapping) else {}
    found: dict[str, Any] = {
        "at": received,
        "seconds": round(seconds, 3),
        "event": event,
        "attempt": count(headers.get("x-hookdeck-attempt-count")),
        "trigger": word(headers.get("x-hookdeck-attempt-trigger")),
        "verified": {"true": True, "false": False}.get(headers.get("x-hookdeck-verified") or ""),
        "passages": callback_of(path).passages,
        "prediction": word(prediction.get("id")),
        "status": word(prediction.get("status")),
        **{name: moment(prediction.get(name)) for name in _TIMES},
    }
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Callback:
    """What the path of a callback names: the thing, and for vectors the passages."""

    asset_id: str | None = None
    passages: str | None = None

    @property
    def subject(self) -> str:
        """In words: its text, or the vectors of some passages, counted from 1."""
        return subject(self.passages)


def callback_of(url: str) -> Callback:
    match = _CALLBACK.search(url)
    if match is None:
        return Callback()
    asset_id, first, last = match.groups()
    return Callback(asset_id, f"{int(first)}-{int(last)}" if first else None)


def subject(passages: str | None) -> str:
    """`passages` are as in the path: first and last, counted from 0."""
    if passages is None:
        return "text"
    first, last = (int(number) + 1 for number in passages.split("-"))
    if first == last:
        return f"the vector of passage {first:,}"
    return f"the vectors of passages {first:,} to {last:,}"

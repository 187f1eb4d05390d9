"""What a request leads to: an event for each connection of its source, or why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from localcloud.hookdeck.matching import content, dedupe_key, unmatched_parts
from localcloud.hookdeck.models import Connection, Ignored, Plan, Planned, Received


class _Content:
    """The parsed request, parsed only if a rule asks for it."""

    def __init__(self, received: Received) -> None:
        self._received = received

    @cached_property
    def parts(self) -> dict[str, Any]:
        return content(self._received)


def plan(
    received: Received,
    connections: Iterable[Connection],
    now_ms: int,
    *,
    time_scale: float = 1.0,
    dedupe: bool = True,
) -> Plan:
    """Apply each connection's rules. `dedupe` is off for a replay, which was asked for."""
    parsed = _Content(received)
    result = Plan()
    for connection in connections:
        ignored = _reason_to_ignore(connection, parsed)
        if ignored is not None:
            result.ignored.append(ignored)
            continue
        delay = round(connection.ruleset.delay_ms * time_scale)
        key = _key(connection, parsed) if dedupe else None
        result.events.append(_planned(connection, now_ms, delay, key))
    return result


def _reason_to_ignore(connection: Connection, parsed: _Content) -> Ignored | None:
    if connection.disabled_at is not None or connection.destination.disabled_at is not None:
        return Ignored(connection, "DISABLED")
    if connection.ruleset.filter is not None:
        unmatched = unmatched_parts(connection.ruleset.filter, parsed.parts)
        if unmatched:
            return Ignored(connection, "FILTERED", unmatched)
    if connection.destination.type == "CLI":
        return Ignored(connection, "CLI_DISCONNECTED")
    return None


def _key(connection: Connection, parsed: _Content) -> str | None:
    rule = connection.ruleset.dedupe
    return None if rule is None else dedupe_key(rule, parsed.parts)


def _planned(connection: Connection, now_ms: int, delay_ms: int, key: str | None) -> Planned:
    if connection.paused_at is not None:
        return Planned(connection, "HOLD", None, dedupe_key=key)
    if delay_ms:
        due_at = now_ms + delay_ms
        return Planned(connection, "SCHEDULED", due_at, next_attempt_at=due_at, dedupe_key=key)
    return Planned(connection, "QUEUED", now_ms, dedupe_key=key)

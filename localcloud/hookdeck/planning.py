"""Plans the deliveries of a request: an event for each connection, or the reason for none."""

from __future__ import annotations

from collections.abc import Iterable

from localcloud.hookdeck.models import Connection, Ignored, Plan, Planned


def plan(connections: Iterable[Connection], now_ms: int, *, time_scale: float = 1.0) -> Plan:
    """Apply the rules of each connection. `time_scale` multiplies their delays."""
    result = Plan()
    for connection in connections:
        cause = _reason_to_ignore(connection)
        if cause is not None:
            result.ignored.append(Ignored(connection, cause))
        else:
            delay = round(connection.ruleset.delay_ms * time_scale)
            result.events.append(_planned(connection, now_ms, delay))
    return result


def _reason_to_ignore(connection: Connection) -> str | None:
    if connection.disabled_at is not None or connection.destination.disabled_at is not None:
        return "DISABLED"
    return "CLI_DISCONNECTED" if connection.destination.type == "CLI" else None


def _planned(connection: Connection, now_ms: int, delay_ms: int) -> Planned:
    if connection.paused_at is not None:
        return Planned(connection, "HOLD", None)
    if delay_ms:
        due_at = now_ms + delay_ms
        return Planned(connection, "SCHEDULED", due_at, next_attempt_at=due_at)
    return Planned(connection, "QUEUED", now_ms)

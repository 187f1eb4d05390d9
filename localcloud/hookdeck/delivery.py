"""The queue: delivers every event that is due, within the limits of its destination.

The schedule in memory mirrors `events.due_at`, from which it is filled at the start. The commit
that stores the result of an attempt also clears or moves `due_at`, so an attempt that a crash
interrupted is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from localcloud.hookdeck import signing
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import (
    Answer,
    Attempt,
    Connection,
    Endpoint,
    Event,
    new_id,
    now_ms,
)
from localcloud.hookdeck.rules import RetryRule, next_retry_ms
from localcloud.hookdeck.sending import Clients, send
from localcloud.hookdeck.writes import Due

# Concurrent deliveries to a destination without a limit of its own. The app answers as many.
DEFAULT_CONCURRENCY = 16
_PERIODS_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
# Milliseconds before an attempt is repeated whose result could not be stored.
_STORE_ERROR_PAUSE_MS = 1000
_log = logging.getLogger("hookdeck")


@dataclass
class _Lane:
    """The queue of one destination. `next_slot` is when its rate limit allows the next start."""

    waiting: deque[str] = field(default_factory=deque)
    in_progress: int = 0
    next_slot: float = 0.0


class Courier:
    """Makes the attempts. Only the thread of `run` may call `schedule`."""

    def __init__(
        self,
        catalog: Catalog,
        journal: Journal,
        secrets: Sequence[str],
        time_scale: float = 1.0,
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._secrets = secrets
        self._time_scale = time_scale
        self._heap: list[tuple[int, str, str]] = []
        self._lanes: dict[str, _Lane] = {}
        self._in_progress: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._clients = Clients()

    def schedule(self, due: Iterable[Due]) -> None:
        """Schedule attempts."""
        for item in due:
            heapq.heappush(self._heap, (item.at, item.event_id, item.destination_id))
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`, then finish the attempts in progress.

        A cancellation interrupts them; they are made again after the next start.
        """
        self.schedule(self._journal.pending())
        async with contextlib.aclosing(self._clients), asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._wake.clear()
                pause = self._dispatch(tasks)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def stop(self) -> None:
        """Start no further attempt."""
        self._stopping = True
        self._wake.set()

    def _dispatch(self, tasks: asyncio.TaskGroup) -> float | None:
        """Start the attempts that can start now. Returns the seconds until the next can."""
        now = now_ms()
        while self._heap and self._heap[0][0] <= now:
            _, event_id, destination_id = heapq.heappop(self._heap)
            self._lanes.setdefault(destination_id, _Lane()).waiting.append(event_id)
        moments = [float(self._heap[0][0])] if self._heap else []
        for destination_id, lane in self._lanes.items():
            slot = self._drain(tasks, lane, self._catalog.destinations[destination_id], now)
            if slot is not None:
                moments.append(slot)
        return max(0.0, min(moments) - now) / 1000 if moments else None

    def _drain(
        self, tasks: asyncio.TaskGroup, lane: _Lane, destination: Endpoint, now: int
    ) -> float | None:
        concurrency, spacing = limits(destination)
        while lane.waiting and lane.in_progress < concurrency:
            if lane.next_slot > now:
                return lane.next_slot
            event_id = lane.waiting.popleft()
            if event_id in self._in_progress:
                continue  # the attempt in progress schedules the next one
            lane.next_slot = max(lane.next_slot, now) + spacing
            lane.in_progress += 1
            self._in_progress.add(event_id)
            tasks.create_task(self._work(lane, event_id))
        return None

    async def _work(self, lane: _Lane, event_id: str) -> None:
        earliest = 0
        try:
            await self._attempt(event_id)
        except sqlite3.Error:
            _log.exception("could not store the attempt of %s; it will be repeated", event_id)
            earliest = now_ms() + _STORE_ERROR_PAUSE_MS
        finally:
            lane.in_progress -= 1
            self._in_progress.discard(event_id)
        # The row may have changed during the attempt.
        event = self._journal.event(event_id)
        if event is not None and event.due_at is not None:
            at = max(event.due_at, earliest)
            self.schedule([Due(at, event_id, event.destination_id)])
        self._wake.set()

    async def _attempt(self, event_id: str) -> None:
        """Make the attempt of an event if it is still due."""
        event = self._journal.event(event_id)
        if event is None or event.due_at is None or event.due_at > now_ms():
            return
        connection = self._catalog.connections.get(event.webhook_id)
        if connection is None:
            await self._journal.cancel(event_id)
        elif connection.paused_at is not None:
            await self._journal.hold(event_id)
        else:
            attempt = await self._deliver(event, connection)
            retry_in = self._retry_in(event, attempt)
            _report(await self._journal.record(event, attempt, retry_in), attempt)

    async def _deliver(self, event: Event, connection: Connection) -> Attempt:
        request = self._journal.request(event.request_id)
        if request is None:
            raise LookupError(event.request_id)
        destination = self._catalog.destinations[event.destination_id]
        if destination.type == "CLI":
            url, method = destination.config["path"], request.received.method
            now = now_ms()
            answer = Answer(now, now, error_code="CLI_UNAVAILABLE")
        else:
            delivery = signing.build(
                event,
                request,
                connection,
                destination,
                self._secrets,
                will_retry_after(event, connection.ruleset.retry, now_ms()),
            )
            url, method = delivery.url, delivery.method
            async with self._clients.lease(destination.id) as client:
                answer = await send(client, delivery)
        return Attempt(
            id=new_id("atm"),
            event_id=event.id,
            destination_id=event.destination_id,
            number=event.attempts + 1,
            trigger=event.trigger,
            requested_url=url,
            http_method=method,
            bulk_retry_id=event.bulk_retry_id,
            answer=answer,
        )

    def _retry_in(self, event: Event, attempt: Attempt) -> int | None:
        answer = attempt.answer
        # The connection may have been changed or deleted during the attempt.
        connection = self._catalog.connections.get(event.webhook_id)
        if answer.successful or connection is None:
            return None
        rule, number = connection.ruleset.retry, next_number(event)
        status, asked = answer.response_status, answer.retry_after
        pause = next_retry_ms(rule, number, status, asked, now_ms())
        return None if pause is None else round(pause * self._time_scale)


def next_number(event: Event) -> int:
    """The number, from 1, of the automatic retry after the attempt that is due now."""
    automatic = event.trigger in {"AUTOMATIC", "UNPAUSE"} and event.attempts > 0
    return event.automatic_retries + (2 if automatic else 1)


def will_retry_after(event: Event, rule: RetryRule | None, now: int) -> int | None:
    """The seconds after which a failure of this attempt would be retried; None for never.

    --time-scale does not change this number.
    """
    if event.trigger in {"MANUAL", "BULK_RETRY"}:
        pause = None if event.next_attempt_at is None else max(0, event.next_attempt_at - now)
    else:
        pause = None if rule is None else rule.delay_ms(next_number(event))
    return None if pause is None else round(pause / 1000)


def limits(destination: Endpoint) -> tuple[int, float]:
    """The number of concurrent deliveries, and the milliseconds between the starts of two."""
    rate, period = destination.config.get("rate_limit"), destination.config.get("rate_limit_period")
    if not rate:
        return DEFAULT_CONCURRENCY, 0.0
    if period == "concurrent":
        return max(1, int(rate)), 0.0
    return DEFAULT_CONCURRENCY, _PERIODS_MS[period or "second"] / rate


def _report(event: Event, attempt: Attempt) -> None:
    answer = attempt.answer
    took = answer.responded_at - answer.requested_at
    result = answer.error_code or answer.response_status
    _log.info(
        "event %s attempt %d %s: %s in %d ms, %s",
        *(event.id, attempt.number, attempt.trigger, result, took, event.status),
    )

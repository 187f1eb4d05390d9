"""The queue: delivers every event that is due, some at once to each destination.

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
from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from localcloud.hookdeck import signing
from localcloud.hookdeck.catalog import Catalog
from localcloud.hookdeck.cli import CliSessions
from localcloud.hookdeck.journal import Journal
from localcloud.hookdeck.models import Answer, Attempt, Connection, Due, Event, new_id, now_ms
from localcloud.hookdeck.rules import next_retry_ms
from localcloud.hookdeck.sending import UNKNOWN, error_code, new_client, send

# Concurrent deliveries to a destination. The app answers as many.
CONCURRENCY = 16
# Milliseconds before an attempt is repeated whose result could not be stored.
_STORE_ERROR_PAUSE_MS = 1000
_log = logging.getLogger("hookdeck")


class Courier:
    """Makes the attempts. Only the thread of `run` may call `schedule`."""

    def __init__(
        self,
        catalog: Catalog,
        journal: Journal,
        secret: str,
        sessions: CliSessions,
        time_scale: float = 1.0,
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._secret = secret
        self._sessions = sessions
        self._time_scale = time_scale
        self._heap: list[Due] = journal.pending()
        heapq.heapify(self._heap)
        self._slots = defaultdict[str, asyncio.Semaphore](partial(asyncio.Semaphore, CONCURRENCY))
        self._under_way: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._client = new_client()

    def schedule(self, due: Iterable[Due]) -> None:
        """Schedule attempts."""
        for item in due:
            heapq.heappush(self._heap, item)
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`, then finish the attempts in progress.

        A cancellation interrupts them; they are made again after the next start.
        """
        async with self._client, asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._wake.clear()
                pause = self._start_due(tasks)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def stop(self) -> None:
        """Start no further attempt."""
        self._stopping = True
        self._wake.set()

    def _start_due(self, tasks: asyncio.TaskGroup) -> float | None:
        """Start what is due. Returns the seconds until the next attempt is."""
        now = now_ms()
        while self._heap and self._heap[0].at <= now:
            due = heapq.heappop(self._heap)
            if due.event_id not in self._under_way:  # else the attempt under way schedules it
                self._under_way.add(due.event_id)
                tasks.create_task(self._work(due))
        return (self._heap[0].at - now) / 1000 if self._heap else None

    async def _work(self, due: Due) -> None:
        """Make an attempt that is due. No fault of it may end the other deliveries."""
        try:
            async with self._slots[due.destination_id]:
                if not self._stopping:
                    await self._attempt(due.event_id)
            self._under_way.discard(due.event_id)
            self.schedule(self._journal.due(due.event_id))  # the row may have changed meanwhile
        except sqlite3.Error:
            _log.exception("could not store the attempt of %s; it will be repeated", due.event_id)
            self._under_way.discard(due.event_id)
            later = now_ms() + _STORE_ERROR_PAUSE_MS
            self.schedule([Due(later, due.event_id, due.destination_id)])
        except Exception:  # noqa: BLE001 - no fault may end the other deliveries
            _log.exception("event %s will not be attempted before the next start", due.event_id)

    async def _attempt(self, event_id: str) -> None:
        """Make the attempt of an event if it is still due."""
        event = self._journal.event(event_id)
        if event is None or event.due_at is None or event.due_at > now_ms():
            return
        attempt = await self._deliver(event)
        after = await self._journal.record(event, attempt, self._retry_in(event, attempt))
        _report(after, attempt)

    async def _deliver(self, event: Event) -> Attempt:
        """Deliver an event once. Whatever goes wrong is the answer of the attempt."""
        began, url, method, attempt_id = now_ms(), "", "POST", new_id("atm")
        try:
            connection = self._catalog.connections[event.webhook_id]
            url = str(signing.target(connection.destination))
            delivery = await self._build(event, connection)
            url, method = delivery.url, delivery.method
            if connection.destination.type == "CLI":
                answer = await self._sessions.deliver(attempt_id, connection.id, delivery)
            else:
                answer = await send(self._client, delivery)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it has a code, or is logged
            answer = Answer(began, now_ms(), error_code=error_code(error))
            if answer.error_code == UNKNOWN:
                _log.exception("event %s cannot be delivered", event.id)
        return Attempt(
            id=attempt_id,
            event_id=event.id,
            destination_id=event.destination_id,
            number=event.attempts + 1,
            trigger=event.trigger,
            requested_url=url,
            http_method=method,
            answer=answer,
        )

    async def _build(self, event: Event, connection: Connection) -> signing.Delivery:
        request = self._journal.request(event.request_id)
        if request is None:
            raise LookupError(event.request_id)
        body = await self._journal.body(request.id)
        return signing.build(event, request, body, connection, self._secret)

    def _retry_in(self, event: Event, attempt: Attempt) -> int | None:
        answer = attempt.answer
        connection = self._catalog.connections.get(event.webhook_id)
        if answer.successful or connection is None:
            return None
        number = event.automatic_retries + (2 if event.trigger == "AUTOMATIC" else 1)
        status, asked = answer.response_status, answer.retry_after
        pause = next_retry_ms(connection.retry, number, status, asked, now_ms())
        return None if pause is None else round(pause * self._time_scale)


def _report(event: Event, attempt: Attempt) -> None:
    answer = attempt.answer
    took = answer.responded_at - answer.requested_at
    result = answer.error_code or answer.response_status
    _log.info(
        "event %s attempt %d %s: %s in %d ms, %s",
        *(event.id, attempt.number, attempt.trigger, result, took, event.status),
    )

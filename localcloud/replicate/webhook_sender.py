"""Sends webhooks, signed as Standard Webhooks describes.

The final webhook of a prediction waits in the database until it is delivered or given up after
seven attempts over about a minute. Network errors, 429 and 5xx lead to another attempt.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import sqlite3
import time
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from localcloud.replicate.identifiers import new_id

log = logging.getLogger("localcloud.replicate")

# Attempts for a final webhook, including the first.
ATTEMPTS = 7
# Seconds before the second attempt. Each following pause is twice as long, 63 s in all.
FIRST_PAUSE = 1.0
# Final webhooks that are sent at the same time.
_CONCURRENCY = 8
# Seconds for each step of an attempt: to connect, to send, to receive.
_TIMEOUT = httpx.Timeout(10.0)


class BadSecret(ValueError):
    """The signing secret is not `whsec_` and base64."""


class Signer:
    """Signs with the secret that GET /v1/webhooks/default/secret returns."""

    def __init__(self, secret: str) -> None:
        try:
            # The library itself accepts a missing prefix and ignores characters outside base64.
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
            self._webhook = Webhook(secret)
        except (binascii.Error, EmptyWebhookSecretError) as error:
            raise BadSecret("the webhook secret is not base64 after whsec_") from error
        if not secret.startswith("whsec_"):
            raise BadSecret("the webhook secret does not start with whsec_")
        self.secret = secret

    def headers(self, message_id: str, moment: datetime, body: str) -> dict[str, str]:
        """The three headers of an attempt at that moment."""
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, moment, body),
        }


class Courier:
    """Sends webhooks. Call `store` in the transaction that ends a prediction."""

    def __init__(
        self, db: sqlite3.Connection, signer: Signer, first_pause: float = FIRST_PAUSE
    ) -> None:
        self._db = db
        self._signer = signer
        self._first_pause = first_pause
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
        self._new = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_progress: set[str] = set()

    def store(self, url: str, body: bytes) -> None:
        """Store a final webhook. Call `wake` after the commit."""
        self._db.execute(
            "INSERT INTO deliveries (id, url, body, due) VALUES (?, ?, ?, ?)",
            (f"msg_{new_id()}", url, body, time.time()),
        )

    def wake(self) -> None:
        """Look for new final webhooks now."""
        self._new.set()

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            self._new.clear()
            for row in self._due():
                self._in_progress.add(row["id"])
                task = asyncio.create_task(self._deliver(row))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            try:
                await asyncio.wait_for(self._new.wait(), self._seconds_to_next())
            except TimeoutError:
                continue

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _due(self) -> list[sqlite3.Row]:
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?",
            (time.time(), _CONCURRENCY + len(self._in_progress)),
        )
        waiting = [row for row in rows if row["id"] not in self._in_progress]
        return waiting[: max(0, _CONCURRENCY - len(self._in_progress))]

    def _seconds_to_next(self) -> float | None:
        """The seconds until a webhook is due; None if none is, or none more can be sent.

        The end of a delivery wakes the loop.
        """
        if len(self._in_progress) >= _CONCURRENCY:
            return None
        rows = self._db.execute(
            "SELECT id, due FROM deliveries ORDER BY due LIMIT ?", (2 * _CONCURRENCY,)
        )
        dues = [row["due"] for row in rows if row["id"] not in self._in_progress]
        return max(0.0, min(dues) - time.time()) if dues else None

    async def _deliver(self, row: sqlite3.Row) -> None:
        try:
            outcome = await self._post(row["url"], row["id"], row["body"])
            await self._note(row, outcome)
        finally:
            self._in_progress.discard(row["id"])
            self._new.set()
        log.info("webhook %s to %s: %s", row["id"], urlsplit(row["url"]).netloc, outcome.word)

    async def _note(self, row: sqlite3.Row, outcome: _Outcome) -> None:
        """Store the outcome of an attempt, when there is room for it."""
        while True:
            try:
                self._store_outcome(row, outcome)
            except sqlite3.OperationalError as error:
                log.error("webhook %s waits for room on the disk: %s", row["id"], error)
                await asyncio.sleep(self._first_pause)
            else:
                return

    def _store_outcome(self, row: sqlite3.Row, outcome: _Outcome) -> None:
        attempts = row["attempts"] + 1
        if outcome.retryable and attempts < ATTEMPTS:
            pause = self._first_pause * 2 ** (attempts - 1)
            self._db.execute(
                "UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?",
                (attempts, time.time() + pause, row["id"]),
            )
        else:
            self._db.execute("DELETE FROM deliveries WHERE id = ?", (row["id"],))

    async def _post(self, url: str, message_id: str, body: bytes) -> _Outcome:
        headers = self._signer.headers(message_id, datetime.now(UTC), body.decode())
        headers |= {"content-type": "application/json", "user-agent": "Replicate/1.0 (localcloud)"}
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                status = answer.status_code  # the body of the response is not read
        except Exception as error:  # noqa: BLE001 - whatever the network or the URL causes
            return _Outcome(True, type(error).__name__)
        return _Outcome(status == 429 or status >= 500, str(status))


class _Outcome(NamedTuple):
    """The outcome of an attempt, with a word for the log."""

    retryable: bool
    word: str

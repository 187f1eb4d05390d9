"""Webhooks: signed as Standard Webhooks, the last one of a prediction delivered with care.

Terminal events wait in the database until they are delivered or given up: seven attempts over
about a minute, on network errors, 429 and 5xx. Others are sent once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import sqlite3
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

import httpx

from localcloud.replicate.database import new_id

log = logging.getLogger("localcloud.replicate")

ATTEMPTS = 7
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; each following pause is twice as long: 63 s in all."""
THROTTLE = 0.5
"""Least seconds between two `output` or `logs` events of a prediction."""
_AT_ONCE = 8
_TIMEOUT = httpx.Timeout(10.0)


class BadSecret(ValueError):
    """The signing secret is not `whsec_` and base64."""


class Signer:
    """Signs with the secret that GET /v1/webhooks/default/secret tells."""

    def __init__(self, secret: str) -> None:
        prefix, _, encoded = secret.partition("_")
        try:
            self._key = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise BadSecret("the webhook secret is not base64 after whsec_") from error
        if prefix != "whsec" or not self._key:
            raise BadSecret("the webhook secret does not start with whsec_")
        self.secret = secret

    def headers(self, message_id: str, moment: int, body: bytes) -> dict[str, str]:
        """The three headers of one attempt. `moment` is Unix time in whole seconds."""
        signed = f"{message_id}.{moment}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


class Courier:
    """Sends webhooks. `keep` belongs in the transaction that ends a prediction."""

    def __init__(
        self, db: sqlite3.Connection, signer: Signer, first_pause: float = FIRST_PAUSE
    ) -> None:
        self._db = db
        self._signer = signer
        self._first_pause = first_pause
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
        self._new = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self._last_sent: dict[str, float] = {}

    def keep(self, url: str, body: bytes) -> None:
        """Record a terminal webhook; after the commit, call `wake`."""
        self._db.execute(
            "INSERT INTO deliveries (id, url, body, due) VALUES (?, ?, ?, ?)",
            (f"msg_{new_id()}", url, body, time.time()),
        )

    def wake(self) -> None:
        """There is a new terminal webhook."""
        self._new.set()

    def send_once(self, url: str, body: bytes) -> None:
        """Send a webhook that is no loss if it is lost."""
        self._spawn(self._send_once(url, body))

    def throttled(self, prediction_id: str) -> bool:
        """Whether the prediction had an event less than half a second ago; if not, it has now."""
        now = time.monotonic()
        if now - self._last_sent.get(prediction_id, -THROTTLE) < THROTTLE:
            return True
        self._last_sent[prediction_id] = now
        return False

    def forget(self, prediction_id: str) -> None:
        """The prediction has ended."""
        self._last_sent.pop(prediction_id, None)

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            self._new.clear()
            for row in self._due():
                self._under_way.add(row["id"])
                self._spawn(self._deliver(row))
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
            (time.time(), _AT_ONCE + len(self._under_way)),
        )
        waiting = [row for row in rows if row["id"] not in self._under_way]
        return waiting[: max(0, _AT_ONCE - len(self._under_way))]

    def _seconds_to_next(self) -> float | None:
        """None while as many are under way as may be: the end of one wakes the loop."""
        if len(self._under_way) >= _AT_ONCE:
            return None
        rows = self._db.execute(
            "SELECT id, due FROM deliveries ORDER BY due LIMIT ?", (2 * _AT_ONCE,)
        )
        dues = [row["due"] for row in rows if row["id"] not in self._under_way]
        return max(0.0, min(dues) - time.time()) if dues else None

    async def _deliver(self, row: sqlite3.Row) -> None:
        try:
            outcome = await self._post(row["url"], row["id"], row["body"])
            attempts = row["attempts"] + 1
            if outcome.again and attempts < ATTEMPTS:
                pause = self._first_pause * 2 ** (attempts - 1)
                self._db.execute(
                    "UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?",
                    (attempts, time.time() + pause, row["id"]),
                )
            else:
                self._db.execute("DELETE FROM deliveries WHERE id = ?", (row["id"],))
        finally:
            self._under_way.discard(row["id"])
            self._new.set()
        log.info("webhook %s to %s: %s", row["id"], urlsplit(row["url"]).netloc, outcome.words)

    async def _send_once(self, url: str, body: bytes) -> None:
        message_id = f"msg_{new_id()}"
        outcome = await self._post(url, message_id, body)
        log.info("webhook %s to %s: %s", message_id, urlsplit(url).netloc, outcome.words)

    async def _post(self, url: str, message_id: str, body: bytes) -> _Outcome:
        headers = self._signer.headers(message_id, int(time.time()), body)
        headers |= {"content-type": "application/json", "user-agent": "Replicate/1.0 (localcloud)"}
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                status = answer.status_code  # the answer's body is nobody's business
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _Outcome(again=True, words=type(error).__name__)
        return _Outcome(again=status == 429 or status >= 500, words=str(status))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Outcome:
    """Whether to try again, and the outcome for the log."""

    def __init__(self, *, again: bool, words: str) -> None:
        self.again = again
        self.words = words

"""Whether the database, its indexes, Replicate and Hookdeck answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.store.indexes import missing_indexes

# Seconds to wait for the answer of a service.
TIMEOUT = 3.0
# Seconds for which an answer serves strangers too.
FRESH = 5.0
REPLICATE_URL = "https://api.replicate.com"

Check = Callable[[], None]


def checks(
    database: Database, replicate_url: str, replicate_token: str, webhook_url: str
) -> Mapping[str, Check]:
    """The parts by name; each check raises IndexingError with the reason."""
    gateway = urlsplit(webhook_url)
    return {
        "mongodb": database.check,
        "indexes": lambda: _require_indexes(database),
        "replicate": lambda: _answers(
            "Replicate",
            f"{(replicate_url or REPLICATE_URL).rstrip('/')}/v1/account",
            {"Authorization": f"Bearer {replicate_token}"},
            accepted=range(200, 300),
        ),
        "hookdeck": lambda: _answers(
            "Hookdeck", f"{gateway.scheme}://{gateway.netloc}/", {}, accepted=range(200, 500)
        ),
    }


class Health:
    """What the parts say, asked at most once at a time. One serves any number of threads."""

    def __init__(
        self, parts: Mapping[str, Check], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._parts = parts
        self._clock = clock
        self._lock = threading.Lock()
        self._last: Mapping[str, str] | None = None
        self._asked = 0.0

    def now(self) -> Mapping[str, str]:
        """What each part says now: 'ok', or why it is not."""
        arrived = self._clock()
        with self._lock:
            return self._ask_unless_asked_since(arrived)

    def lately(self) -> Mapping[str, str]:
        """What each part has said in the last FRESH seconds; before that, if it is being asked."""
        if self._last is not None and self._lock.locked():
            return self._last
        with self._lock:
            return self._ask_unless_asked_since(self._clock() - FRESH)

    def _ask_unless_asked_since(self, moment: float) -> Mapping[str, str]:
        if self._last is None or self._asked < moment:
            self._asked = self._clock()
            with ThreadPoolExecutor(len(self._parts) or 1) as threads:
                states = threads.map(_state, self._parts.values())
                self._last = dict(zip(self._parts, states, strict=True))
        return self._last


def _state(check: Check) -> str:
    try:
        check()
    except IndexingError as error:
        return str(error)
    return "ok"


def _require_indexes(database: Database) -> None:
    missing = missing_indexes(database.database)
    if missing:
        raise ServiceUnavailable(
            f"Index {', '.join(missing)}", "run create-indexes.py, or wait until it is built"
        )


def _answers(service: str, url: str, headers: Mapping[str, str], accepted: range) -> None:
    try:
        response = httpx.get(url, headers=dict(headers), timeout=TIMEOUT)
    except httpx.HTTPError as error:
        raise ServiceUnavailable(service, "no answer") from error
    if response.status_code not in accepted:
        raise ServiceUnavailable(service, f"it answered {response.status_code}")

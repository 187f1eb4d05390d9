"""Hookdeck's API, as far as it tells of deliveries and makes them again.

After the API of 2025-07-01. Whatever is wrong with an answer is ServiceUnavailable or
RequestRefused, and neither has the key in it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter

from allthethings.errors import IndexingError, RequestRefused, ServiceUnavailable
from allthethings.hookdeck.connections import API_VERSION
from allthethings.hookdeck.records import (
    ATTEMPTS,
    EVENTS,
    ID,
    REQUESTS,
    SERVICE,
    Attempt,
    Event,
    Listing,
    Record,
    Request,
    Watched,
    read_list,
)
from allthethings.hookdeck.values import count
from allthethings.redaction import without

HOOKDECK_ITSELF = "api.hookdeck.com"
DASHBOARD = "https://dashboard.hookdeck.com"
# Seconds to wait for a list, or for a retry.
TIMEOUT = 5.0
# Seconds to wait for each of up to three lists that the page of one thing needs.
SHORT_TIMEOUT = 2.0
# Seconds to cache the gateway's answers about a thing, and its silence.
FRESH = 5.0
# Things whose answers are cached.
MAX_CACHED = 500
# Events that the timeline of a thing shows.
MAX_EVENTS = 100
# Records on a page of a list.
ENTRIES_PER_PAGE = 25

Query = Mapping[str, str | int | Sequence[str]]


class Gateway:
    """One serves any number of threads."""

    def __init__(
        self, api_url: str, api_key: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key = api_key
        self._base_url = f"{api_url.rstrip('/')}/{API_VERSION}"
        self._tls = httpx.create_ssl_context()
        self._dashboard = DASHBOARD if urlsplit(api_url).hostname == HOOKDECK_ITSELF else ""
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Watched]] = {}
        self._silent: tuple[float, str] | None = None

    def link(self, event_id: str) -> str:
        """The event's page in Hookdeck's dashboard; empty where another gateway stands in."""
        known = self._dashboard and ID.fullmatch(event_id)
        return f"{self._dashboard}/events/{event_id}" if known else ""

    # -- one thing

    def watch(self, asset_id: str) -> Watched:
        """What is known of the deliveries for a thing; never raises, and asks now and then only."""
        now = self._clock()
        with self._lock:
            at, seen = self._seen.get(asset_id, (0.0, None))
            if seen is not None and now < at + FRESH:
                return seen
            if self._silent is not None and now < self._silent[0] + FRESH:
                return Watched(trouble=self._silent[1])
        try:
            found = self._look(asset_id)
        except IndexingError as error:
            with self._lock:
                self._silent = self._clock(), str(error)
            return Watched(trouble=str(error))
        with self._lock:
            self._silent = None
            while len(self._seen) >= MAX_CACHED:
                self._seen.pop(next(iter(self._seen)))
            self._seen[asset_id] = self._clock(), found
        return found

    def _look(self, asset_id: str) -> Watched:
        about: Query = {"path": f"/{asset_id}", "limit": MAX_EVENTS}
        with self._session(SHORT_TIMEOUT) as http:
            events = self._list(http, "/events", about, EVENTS).entries
            refused: Query = {**about, "status": "rejected"}
            rejected = self._list(http, "/requests", refused, REQUESTS).entries
            # Of what went well at once the event says it all.
            troubled = [one.id for one in events if one.attempts > 1 or not one.successful_at]
            attempts: tuple[Attempt, ...] = ()
            if troubled:
                asked: Query = {"event_id": troubled, "limit": 2 * MAX_EVENTS}
                attempts = self._list(http, "/attempts", asked, ATTEMPTS).entries
        return Watched(events, attempts, rejected)

    # -- lists

    def events(self, query: Query) -> Listing[Event]:
        return self._page("/events", query, EVENTS)

    def attempts(self, query: Query) -> Listing[Attempt]:
        return self._page("/attempts", query, ATTEMPTS)

    def requests(self, query: Query) -> Listing[Request]:
        return self._page("/requests", query, REQUESTS)

    def events_of_request(self, request_id: str, query: Query) -> Listing[Event]:
        return self._page(f"/requests/{_known(request_id)}/events", query, EVENTS)

    def _page(self, path: str, query: Query, kind: TypeAdapter[Listing[Record]]) -> Listing[Record]:
        with self._session(TIMEOUT) as http:
            return self._list(http, path, {"limit": ENTRIES_PER_PAGE, **query}, kind)

    def _list(
        self, http: httpx.Client, path: str, query: Query, kind: TypeAdapter[Listing[Record]]
    ) -> Listing[Record]:
        return read_list(kind, self._ask(http, "GET", path, params=dict(query)))

    # -- again

    def retry(self, event_id: str) -> None:
        """One more attempt of the event, now."""
        path = f"/events/{_known(event_id)}/retry"
        with self._session(TIMEOUT) as http:
            self._ask(http, "POST", path)
        self._forget()

    def retry_failed(self) -> int:
        """One more attempt of each event that has failed, now; about how many those are."""
        body = {"query": {"status": "FAILED"}}
        with self._session(TIMEOUT) as http:
            answer = self._ask(http, "POST", "/bulk/events/retry", json=body)
        self._forget()
        return count(answer.get("estimated_count")) or 0

    def _forget(self) -> None:
        with self._lock:
            self._seen.clear()

    def _session(self, timeout: float) -> httpx.Client:
        return httpx.Client(
            base_url=self._base_url,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=timeout,
            verify=self._tls,
        )

    def _ask(self, http: httpx.Client, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        try:
            response = http.request(method, path, **more)
        except httpx.HTTPError:
            # The cause may quote the key in a header.
            raise ServiceUnavailable(SERVICE, "it does not answer") from None
        code = response.status_code
        if code >= 500 or code == 429:
            raise ServiceUnavailable(SERVICE, f"it answered {code}")
        if code in (401, 403):
            raise RequestRefused(f"The gateway refuses HOOKDECK_PROJECT_API_KEY ({code}).")
        try:
            answer = response.json()
        except ValueError:
            raise ServiceUnavailable(SERVICE, f"it answered {code} without JSON") from None
        if not isinstance(answer, Mapping):
            raise ServiceUnavailable(SERVICE, f"it answered {code} without an object")
        if code >= 300:
            said = without(str(answer.get("message", ""))[:200], {self._key})
            raise RequestRefused(f"The gateway refused the request ({code}): {said}")
        return answer


def _known(identity: str) -> str:
    """An id that may stand in a path."""
    if not ID.fullmatch(identity):
        raise RequestRefused("The gateway has no such id.")
    return identity

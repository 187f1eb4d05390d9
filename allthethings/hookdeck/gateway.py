"""Hookdeck's API, as far as it tells of deliveries and makes them again.

After the API of 2025-07-01. Whatever is wrong with an answer is ServiceUnavailable or
RequestRefused, and neither has the key in it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from allthethings.errors import IndexingError, RequestRefused
from allthethings.hookdeck.api import Api, Query, Session
from allthethings.hookdeck.connections import API_VERSION
from allthethings.hookdeck.records import (
    ATTEMPTS,
    CONNECTIONS,
    EVENTS,
    ID,
    REQUESTS,
    Attempt,
    Deliveries,
    KnownConnection,
    Listing,
    Request,
    Watched,
)
from allthethings.hookdeck.values import count

HOOKDECK_ITSELF = "api.hookdeck.com"
DASHBOARD = "https://dashboard.hookdeck.com"
# Seconds to wait in all for what a list needs, or for a retry.
TIMEOUT = 5.0
# Seconds to wait in all for the up to three lists that the page of one thing needs.
SHORT_TIMEOUT = 2.0
# Seconds to cache the gateway's answers about a thing, and its silence.
FRESH = 5.0
# Seconds to cache which connections are the app's.
CONNECTIONS_FRESH = 60.0
# Things whose answers are cached.
MAX_CACHED = 500
# Events that the timeline of a thing shows.
MAX_EVENTS = 100
# Records on a page of a list.
ENTRIES_PER_PAGE = 25
# Attempts that the API lists at once.
MAX_LISTED_ATTEMPTS = 255

_PAGE: Query = {"limit": ENTRIES_PER_PAGE}


class Gateway:
    """What Hookdeck has of the connections of these names, and nothing else of its project. One
    serves any number of threads."""

    def __init__(
        self,
        api_url: str,
        api_key: str,
        connections: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = Api(f"{api_url.rstrip('/')}/{API_VERSION}", api_key)
        self._names = list(connections)
        self._dashboard = DASHBOARD if urlsplit(api_url).hostname == HOOKDECK_ITSELF else ""
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Watched]] = {}
        self._silent: tuple[float, str] | None = None
        self._known: tuple[float, Sequence[KnownConnection]] = 0.0, ()

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
        with self._api.session(SHORT_TIMEOUT) as api:
            events = api.list("/events", about, EVENTS).entries
            rejected = api.list("/requests", {**about, "status": "rejected"}, REQUESTS).entries
            # Of what went well at once the event says it all.
            troubled = [one.id for one in events if one.attempts > 1 or not one.successful_at]
            attempts: tuple[Attempt, ...] = ()
            if troubled:
                asked: Query = {"event_id": troubled, "limit": 2 * MAX_EVENTS}
                attempts = api.list("/attempts", asked, ATTEMPTS).entries
        return Watched(events, attempts, rejected)

    # -- lists

    def events(self, query: Query, request_id: str = "") -> Deliveries:
        """A page of the app's events, all or those of one request."""
        path = f"/requests/{_known(request_id)}/events" if request_id else "/events"
        with self._api.session(TIMEOUT) as api:
            page = api.list(path, {**_PAGE, **query, **self._ours(api)}, EVENTS)
            tried = [event.id for event in page.entries if event.attempts]
            if not tried:
                return Deliveries(page)
            asked: Query = {"event_id": tried, "limit": MAX_LISTED_ATTEMPTS}
            newest_first = api.list("/attempts", asked, ATTEMPTS).entries
        return Deliveries(page, {attempt.event_id: attempt for attempt in reversed(newest_first)})

    def attempts(self, query: Query) -> Listing[Attempt]:
        """A page of attempts, without those of others' events: the API has no filter for that, so
        a page may be short."""
        with self._api.session(TIMEOUT) as api:
            page = api.list("/attempts", {**_PAGE, **query}, ATTEMPTS)
            of_events = sorted({attempt.event_id for attempt in page.entries})
            ours = self._among(api, of_events)
        entries = tuple(attempt for attempt in page.entries if attempt.event_id in ours)
        return replace(page, entries=entries)

    def requests(self, query: Query) -> Listing[Request]:
        """A page of what was sent to the app's sources."""
        with self._api.session(TIMEOUT) as api:
            sources = [connection.source_id for connection in self._connections(api)]
            return api.list("/requests", {**_PAGE, **query, "source_id": sources}, REQUESTS)

    # -- again

    def retry(self, event_id: str) -> None:
        """One more attempt of the event, now. Raises RequestRefused for an event of others."""
        path = f"/events/{_known(event_id)}/retry"
        with self._api.session(TIMEOUT) as api:
            if not self._among(api, [event_id]):
                raise RequestRefused("The gateway has no such event of this app.")
            api.ask("POST", path)
        self._forget()

    def retry_failed(self) -> int:
        """One more attempt of each of the app's events that has failed, now; about how many those
        are."""
        with self._api.session(TIMEOUT) as api:
            query = {"status": "FAILED", **self._ours(api)}
            answer = api.ask("POST", "/bulk/events/retry", json={"query": query})
        self._forget()
        return count(answer.get("estimated_count")) or 0

    def _forget(self) -> None:
        with self._lock:
            self._seen.clear()

    # -- which are ours

    def _ours(self, api: Session) -> Mapping[str, Sequence[str]]:
        """The filter for the events of the app's connections; Hookdeck calls those webhooks."""
        return {"webhook_id": [connection.id for connection in self._connections(api)]}

    def _among(self, api: Session, event_ids: Sequence[str]) -> set[str]:
        """Those of the events that are the app's."""
        if not event_ids:
            return set()
        query: Query = {"id": event_ids, "limit": len(event_ids), **self._ours(api)}
        return {event.id for event in api.list("/events", query, EVENTS).entries}

    def _connections(self, api: Session) -> Sequence[KnownConnection]:
        """The app's connections. Raises RequestRefused if there are none: a filter without them
        would let everything pass."""
        with self._lock:
            at, known = self._known
        if known and self._clock() < at + CONNECTIONS_FRESH:
            return known
        listed = api.list("/connections", {"name": self._names}, CONNECTIONS).entries
        known = [connection for connection in listed if connection.name in self._names]
        if not known:
            raise RequestRefused(
                f"The gateway has no connection named {' or '.join(self._names)}. "
                "create-hookdeck-connections.py makes them."
            )
        with self._lock:
            self._known = self._clock(), known
        return known


def _known(identity: str) -> str:
    """An id that may stand in a path."""
    if not ID.fullmatch(identity):
        raise RequestRefused("The gateway has no such id.")
    return identity

"""Hookdeck's API, as far as it tells of deliveries and makes them again.

After the API of 2025-07-01. Whatever is wrong with an answer is ServiceUnavailable or
RequestRefused, and neither has the key in it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx

from allthethings.errors import IndexingError, RequestRefused, ServiceUnavailable
from allthethings.hookdeck.connections import API_VERSION
from allthethings.hookdeck.deliveries import (
    Attempt,
    Event,
    Request,
    Watched,
    attempt_of,
    event_of,
    request_of,
)
from allthethings.redaction import without

HOOKDECK_ITSELF = "api.hookdeck.com"
DASHBOARD = "https://dashboard.hookdeck.com"
SERVICE = "The gateway"
PATIENCE = 5.0
GLANCE = 2.0
"""Seconds for which a thing's page waits at each of up to three questions; a list for PATIENCE."""
FRESH = 5.0
"""Seconds for which what was told of a thing is not asked for again, nor a silent gateway."""
REMEMBERED = 500
MOST = 100
"""Events of a thing that its timeline shows."""
PER_PAGE = 25
_ID = re.compile(r"[\w-]{1,100}", re.ASCII)

Query = Mapping[str, str | int | Sequence[str]]
One = TypeVar("One")


@dataclass(frozen=True)
class Page(Generic[One]):
    """Some of a list, newest first; the cursors lead to more, where there is more."""

    entries: Sequence[One] = ()
    next: str | None = None
    prev: str | None = None


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
        known = self._dashboard and _ID.fullmatch(event_id)
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
            while len(self._seen) >= REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
            self._seen[asset_id] = self._clock(), found
        return found

    def _look(self, asset_id: str) -> Watched:
        about: Query = {"path": f"/{asset_id}", "limit": MOST}
        with self._session(GLANCE) as http:
            events = self._list(http, "/events", about, event_of).entries
            refused: Query = {**about, "status": "rejected"}
            rejected = self._list(http, "/requests", refused, request_of).entries
            # Of what went well at once the event says it all.
            troubled = [one.id for one in events if one.attempts > 1 or not one.successful_at]
            attempts: Sequence[Attempt] = ()
            if troubled:
                asked: Query = {"event_id": troubled, "limit": 2 * MOST}
                attempts = self._list(http, "/attempts", asked, attempt_of).entries
        return Watched(events, attempts, rejected)

    # -- lists

    def events(self, query: Query) -> Page[Event]:
        return self._page("/events", query, event_of)

    def attempts(self, query: Query) -> Page[Attempt]:
        return self._page("/attempts", query, attempt_of)

    def requests(self, query: Query) -> Page[Request]:
        return self._page("/requests", query, request_of)

    def events_of_request(self, request_id: str, query: Query) -> Page[Event]:
        return self._page(f"/requests/{_known(request_id)}/events", query, event_of)

    def _page(self, path: str, query: Query, read: Callable[[Any], One]) -> Page[One]:
        with self._session(PATIENCE) as http:
            return self._list(http, path, {"limit": PER_PAGE, **query}, read)

    def _list(
        self, http: httpx.Client, path: str, query: Query, read: Callable[[Any], One]
    ) -> Page[One]:
        answer = self._ask(http, "GET", path, params=dict(query))
        models, paging = answer.get("models"), answer.get("pagination")
        if not isinstance(models, list):
            raise ServiceUnavailable(SERVICE, "it answered something else than a list")
        cursors = paging if isinstance(paging, Mapping) else {}
        return Page([read(model) for model in models], *map(_cursor(cursors), ("next", "prev")))

    # -- again

    def retry(self, event_id: str) -> None:
        """One more attempt of the event, now."""
        path = f"/events/{_known(event_id)}/retry"
        with self._session(PATIENCE) as http:
            self._ask(http, "POST", path)
        self._forget()

    def retry_failed(self) -> int:
        """One more attempt of each event that has failed, now; about how many those are."""
        body = {"query": {"status": "FAILED"}}
        with self._session(PATIENCE) as http:
            answer = self._ask(http, "POST", "/bulk/events/retry", json=body)
        self._forget()
        count = answer.get("estimated_count")
        return count if isinstance(count, int) else 0

    def _forget(self) -> None:
        with self._lock:
            self._seen.clear()

    def _session(self, patience: float) -> httpx.Client:
        return httpx.Client(
            base_url=self._base_url,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=patience,
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
            raise RequestRefused(f"The gateway said no ({code}): {said}")
        return answer


def _known(identity: str) -> str:
    """An id that may stand in a path."""
    if not _ID.fullmatch(identity):
        raise RequestRefused("The gateway has no such id.")
    return identity


def _cursor(paging: Mapping[str, Any]) -> Callable[[str], str | None]:
    def read(name: str) -> str | None:
        value = paging.get(name)
        return value if isinstance(value, str) and _ID.fullmatch(value) else None

    return read

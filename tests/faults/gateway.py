"""The gateway's admin API, as far as the tests ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tools.harness.cloud import Cloud

UNDELIVERED = ("SCHEDULED", "QUEUED", "HOLD", "FAILED", "CANCELLED")
PAGE = "250"


class Gateway:
    """Lists, and sends again what it has received."""

    def __init__(self, cloud: Cloud) -> None:
        key = cloud.endpoints["HOOKDECK_PROJECT_API_KEY"]
        self._http = httpx.Client(
            base_url=f"{cloud.endpoints['HOOKDECK_API_URL']}/2025-07-01",
            headers={"Authorization": f"Bearer {key}"},
            timeout=60.0,
        )

    def close(self) -> None:
        self._http.close()

    def undelivered(self) -> list[dict[str, Any]]:
        """The events that the app has not taken."""
        wanted = {f"status[{number}]": name for number, name in enumerate(UNDELIVERED)}
        return list(self._all("/events", wanted))

    def requests(self) -> list[str]:
        """The ids of what was received, oldest first."""
        return [request["id"] for request in self._all("/requests", {"dir": "asc"})]

    def send_again(self, request_id: str) -> list[str]:
        """Replay a request; the ids of the new events."""
        answer = self._http.post(f"/requests/{request_id}/retry")
        answer.raise_for_status()
        return [event["id"] for event in answer.json()["events"]]

    def received(self, request_id: str) -> tuple[str, bytes]:
        """The path, below that of the source, and the body of a request."""
        request = self._get(f"/requests/{request_id}")
        return request["data"]["path"], self._get(f"/requests/{request_id}/raw_body")[
            "body"
        ].encode()

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._http.get(path)
        answer.raise_for_status()
        return dict(answer.json())

    def _all(self, path: str, wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            asked = {**wanted, "limit": PAGE, **({"next": cursor} if cursor else {})}
            answer = self._http.get(path, params=asked)
            answer.raise_for_status()
            page = answer.json()
            yield from page["models"]
            cursor = page["pagination"].get("next")
            if cursor is None:
                return

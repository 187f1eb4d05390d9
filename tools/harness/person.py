"""What a person does with the app, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tools.harness.cloud import Cloud
from tools.harness.signing import SIGNATURE, signature
from tools.harness.waiting import PATIENCE, wait_for

FINISHED = {"SEARCHABLE", "PROCESSING_ERROR", "EMBEDDINGS_ERROR"}
JSON = {"Accept": "application/json"}


class Person:
    """Submits, waits, searches; and posts callbacks, well or badly signed."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.http = httpx.Client(base_url=cloud.address, timeout=PATIENCE, headers=JSON)

    def submit(self, url: str) -> str:
        """The id of the asset, new or not; fails the test when the app refuses the URL."""
        answer = self.http.post("/process", data={"url": url})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["asset"]["id"])

    def refused(self, url: str) -> str:
        """The message with which the page refuses the URL, as a browser without script sees it."""
        answer = self.http.post("/process", data={"url": url}, headers={"Accept": "text/html"})
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
        return answer.text

    def asset(self, asset_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/assets/{asset_id}")
        answer.raise_for_status()
        return dict(answer.json()["asset"])

    def finished(self, asset_id: str) -> dict[str, Any]:
        """The asset when nothing more happens to it. An app that is away is asked again."""
        return self._when(asset_id, lambda asset: asset["status"] in FINISHED)

    def judged(self, asset_id: str) -> dict[str, Any]:
        """The asset when nothing more happens to it, or when it waits for another attempt."""
        return self._when(
            asset_id, lambda asset: asset["status"] in FINISHED or asset["next_attempt_at"]
        )

    def _when(self, asset_id: str, there: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            try:
                asset = self.asset(asset_id)
            except (httpx.TransportError, httpx.HTTPStatusError):
                return None
            return asset if there(asset) else None

        return wait_for(look, f"{asset_id} finished", pause=0.1, moved=lambda: self.moved(asset_id))

    def moved(self, *asset_ids: str) -> object:
        """How far these things are, and how many there are in each status.

        A thing that waits behind others stands still while they move.
        """
        try:
            states = [self.http.get(f"/assets/{each}/state").json() for each in asset_ids]
            return states, self.http.get("/").json()["counts"]
        except (httpx.TransportError, ValueError, KeyError) as error:
            return repr(error)

    def index(self, url: str) -> dict[str, Any]:
        """Submit, and wait until it is searchable."""
        asset = self.finished(self.submit(url))
        assert asset["status"] == "SEARCHABLE", asset
        return asset

    def search(self, query: str) -> list[dict[str, Any]]:
        answer = self.http.get("/search", params={"query": query})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def assets(self) -> list[dict[str, Any]]:
        return list(self.http.get("/", params={"per_page": 200}).json()["assets"])

    def call_back(self, path: str, payload: object, secret: str | None = None) -> httpx.Response:
        """Deliver a callback as the gateway does; `payload` may be raw bytes."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        key = secret or self.cloud.endpoints["HOOKDECK_WEBHOOK_SECRET"]
        headers = {"Content-Type": "application/json", SIGNATURE: signature(key, body)}
        return self.http.post(f"/webhooks/{path}", content=body, headers=headers)

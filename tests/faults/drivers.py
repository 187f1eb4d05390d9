"""What goes on beside the submitting: looking, cancelling, mending, sending again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx

from tests.faults.gateway import Gateway
from tests.faults.things import Document, Thing, predictions, rank
from tools.harness.cloud import Cloud
from tools.harness.person import FINISHED, Person
from tools.harness.site import Site

PER_PAGE = 200
UNDER_WAY = {"starting", "processing"}
# Predictions to cancel that are looked at in one round.
OLDEST = 8


@contextmanager
def beside(step: Callable[[], None], pause: float) -> Iterator[None]:
    """Repeat the step, with a pause in seconds, for the length of a `with` block.

    What it raises is raised at the end of the block.
    """
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                step()
                stop.wait(pause)
        except BaseException as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


class Watcher:
    """Reads the list of things again and again. `backward` tells of each that went back.

    Those in `again` may go back once: somebody had them tried again. What was there in the
    beginning is left out.
    """

    def __init__(self, person: Person) -> None:
        self._person = person
        self._before = {asset["id"] for asset in self._page(1)}
        self.statuses: dict[str, str] = {}
        self.again: set[str] = set()
        self.backward: list[str] = []
        self.looks = 0

    def look(self) -> None:
        for number in count(1):
            page = self._page(number)
            fresh = [asset for asset in page if asset["id"] not in self._before]
            for asset in fresh:
                self._note(asset["id"], asset["status"])
            if len(fresh) < PER_PAGE:
                break
        self.looks += 1

    def _page(self, number: int) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self._person.http.get("/", params={"per_page": PER_PAGE, "page": number})
        answer.raise_for_status()
        return list(answer.json()["assets"])

    def _note(self, asset_id: str, status: str) -> None:
        before = self.statuses.get(asset_id)
        if before and rank(status) < rank(before) and asset_id not in self.again:
            self.backward.append(f"{asset_id} from {before} to {status}")
        self.statuses[asset_id] = status


class Canceller:
    """Cancels, by Replicate's API, the predictions of the things that are told to wait.

    Every other one while it still stands in the queue, the rest when they run. A recording's
    second prediction is left alone: its author has repaired it.
    """

    def __init__(self, cloud: Cloud, things: Mapping[str, Thing]) -> None:
        self._cloud = cloud
        self._things = things
        self._since = ""
        self._open: dict[str, bool] = {}
        self._met: set[str] = set()
        self._http = httpx.Client(
            base_url=cloud.endpoints["REPLICATE_BASE_URL"],
            headers={"Authorization": f"Bearer {cloud.endpoints['REPLICATE_API_TOKEN']}"},
            timeout=60.0,
        )
        self.cancelled = 0

    def close(self) -> None:
        self._http.close()

    def look(self) -> None:
        self._open.update(self._fresh())
        for prediction_id in list(self._open)[:OLDEST]:
            status = self._http.get(f"/v1/predictions/{prediction_id}").json()["status"]
            if status == "starting" and self._open[prediction_id]:
                continue
            del self._open[prediction_id]
            if status in UNDER_WAY:
                self._http.post(f"/v1/predictions/{prediction_id}/cancel").raise_for_status()
                self.cancelled += 1

    def _fresh(self) -> list[tuple[str, bool]]:
        """The ids of the new predictions that are to be cancelled, oldest first."""
        fresh = [
            each for each in predictions(self._cloud, self._since) if each["id"] not in self._met
        ]
        self._met.update(each["id"] for each in fresh)
        self._since = fresh[0]["created_at"] if fresh else self._since
        wanted = [each for each in reversed(fresh) if self._is_to_be(each)]
        return [(each["id"], number % 2 == 1) for number, each in enumerate(wanted)]

    def _is_to_be(self, prediction: Document) -> bool:
        given = prediction["input"]
        if "audio" in given:
            name = given["audio"].rpartition("/")[2]
            first, thing = name not in self._met, self._things.get(name)
            self._met.add(name)
            return thing is not None and thing.end == "wait" and first
        return "vectors:wait" in given.get("text_batch", "")


class Mender:
    """Has every other failed thing tried again: a recording after its author repaired it, a
    text as it is."""

    def __init__(self, person: Person, site: Site, watcher: Watcher, ids: Mapping[str, Thing]):
        self._person = person
        self._site = site
        self._watcher = watcher
        self._ids = ids
        self.mended: set[str] = set()

    def look(self) -> None:
        for asset_id, status in list(self._watcher.statuses.items()):
            thing = self._ids.get(asset_id)
            if thing and self.is_for(thing) and status in FINISHED and asset_id not in self.mended:
                self._try_again(asset_id, thing)

    @staticmethod
    def is_for(thing: Thing) -> bool:
        """Whether this is one of those that are tried again when they have failed."""
        return thing.fails_as is not None and int(thing.name.rpartition("-")[2]) % 2 == 0

    def _try_again(self, asset_id: str, thing: Thing) -> None:
        self._watcher.again.add(asset_id)
        if thing.fails_as == "PROCESSING_ERROR":
            self._site.add(thing.path, thing.repaired().page())
        answer = self._person.http.post(f"/assets/{asset_id}/retry")
        assert answer.status_code == 202, (answer.status_code, answer.text)
        self.mended.add(asset_id)


class Repeater:
    """Replays a request, any one since it began, through the gateway: the same body under a new
    event id."""

    def __init__(self, gateway: Gateway, draw: random.Random) -> None:
        self._gateway = gateway
        self._draw = draw
        self._before = {*gateway.requests()}
        self.replayed = 0

    def look(self) -> None:
        if received := self.received():
            self.replayed += len(self._gateway.send_again(self._draw.choice(received)))

    def received(self) -> list[str]:
        """The ids of the requests since it began, oldest first."""
        return [each for each in self._gateway.requests() if each not in self._before]

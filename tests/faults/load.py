"""People at work all the time: they submit, look at things, and search.

Who gets no answer, or 503, asks again, as a person does. Every other answer that is not the
right one is noted as wrong.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.stock import Stock, Stocked
from tests.faults.things import rank
from tools.harness.person import JSON
from tools.harness.waiting import PATIENCE

# The newest things that are read and searched for.
RECENT = 200


@dataclass
class Accepted:
    """A thing that the app said it has. `at` is Unix time; `rank` is of the furthest status."""

    thing: Stocked
    asset_id: str
    at: float
    rank: int = 0
    searchable: bool = False


@dataclass
class Load:
    """What the people were told: how often which answer, and which were wrong."""

    address: str
    accepted: list[Accepted] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted_before(self, moment: float) -> Mapping[str, Stocked]:
        """The things accepted before that Unix time, by the asset's id."""
        return {one.asset_id: one.thing for one in list(self.accepted) if one.at <= moment}

    def told(self) -> str:
        """How often which route gave which answer."""
        return ", ".join(f"{what}: {times}" for what, times in sorted(self.answers.items()))

    def submit(self, http: httpx.Client, thing: Stocked) -> None:
        """Submit until it is accepted, or until the load ends."""
        while not self.stopping.is_set():
            answer = self.ask(http, "POST", "/process", data={"url": thing.url})
            if answer is not None and answer.status_code in (200, 201):
                asset_id = str(answer.json()["asset"]["id"])
                self.accepted.append(Accepted(thing, asset_id, time.time()))
                return
            self.stopping.wait(0.3)

    def ask(
        self, http: httpx.Client, method: str, path: str, **options: Any
    ) -> httpx.Response | None:
        """The answer, noted; None when there was none."""
        route = f"{method} /{path.split('/')[1]}"
        began = time.monotonic()
        try:
            answer = http.request(method, path, **options)
        except httpx.TransportError as error:
            with self._lock:
                self.answers[f"{route} {type(error).__name__}"] += 1
            return None
        with self._lock:
            self.answers[f"{route} {answer.status_code}"] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code not in (200, 201, 503):
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def submit_all_the_time(self, pause: float, stock: Stock) -> None:
        with self.client() as http:
            while not self.stopping.wait(pause):
                self.submit(http, stock.next())

    def read_all_the_time(self, pause: float, seed: int) -> None:
        draw = random.Random(seed)
        with self.client() as http:
            while not self.stopping.wait(pause):
                if draw.random() < 0.1:
                    self.ask(http, "GET", "/")
                elif self.accepted:
                    self._read(http, draw.choice(self.accepted[-RECENT:]))

    def _read(self, http: httpx.Client, one: Accepted) -> None:
        before = one.rank
        answer = self.ask(http, "GET", f"/assets/{one.asset_id}")
        if answer is None or answer.status_code != 200:
            return
        asset = answer.json()["asset"]
        status, progress = asset["status"], asset["progress"]
        if rank(status) < before:
            self.wrong.append(f"{one.asset_id} went back to {status}")
        one.rank = max(one.rank, rank(status))
        if status == "SEARCHABLE":
            one.searchable = True
            if not progress["total"] or progress["embedded"] < progress["total"]:
                self.wrong.append(f"{one.asset_id} is SEARCHABLE with {progress}")

    def search_all_the_time(self, pause: float, seed: int) -> None:
        draw = random.Random(seed)
        with self.client() as http:
            while not self.stopping.wait(pause):
                known = [one for one in self.accepted[-RECENT:] if one.searchable]
                if known:
                    query = draw.choice(draw.choice(known).thing.thing.paragraphs)
                    self.ask(http, "GET", "/search", params={"query": query})

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=PATIENCE, headers=JSON)


@contextmanager
def under_load(address: str, stock: Stock, pause: float = 1.0) -> Iterator[Load]:
    """People who use the app at that address for the length of a `with` block; two of them
    submit, with a `pause`."""
    load = Load(address)
    work: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        (load.submit_all_the_time, (pause, stock)),
        (load.submit_all_the_time, (pause, stock)),
        (load.read_all_the_time, (pause / 4, 1)),
        (load.read_all_the_time, (pause / 4, 2)),
        (load.search_all_the_time, (pause, 3)),
    ]
    threads = [threading.Thread(target=target, args=arguments) for target, arguments in work]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join()

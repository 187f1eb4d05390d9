"""Kills, frozen parts, a full disk and slow servers together, at random, with people at work."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.faults.aftermath import (
    Convergence,
    converge,
    database_of,
    not_found,
    undelivered,
    wrongs,
)
from tests.faults.conftest import Report
from tests.faults.crew import Crew, running_crew
from tests.faults.growth import Growth
from tests.faults.kills import (
    PARTS,
    frozen,
    kill,
    let_pass,
    parts_of,
    strays,
    wait_until_back,
    wait_until_well,
)
from tests.faults.load import Load, under_load
from tests.faults.stock import Stock, Stocked
from tests.faults.things import tracebacks
from tests.support.copies import QUICK
from tests.support.sizes import SIZES
from tests.support.small_disk import SmallDisk, small_disk
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.hostile import at_every_stage
from tools.harness.person import Person
from tools.harness.servers import Server, serving
from tools.harness.site import Site
from tools.harness.waiting import wait_for

DISK_MEGABYTES = 3_000
# Troubles before everything is given the time to converge.
BURST = 6
# The longest pause between two troubles, and the longest that one lasts, in seconds.
PAUSE, LONGEST = 4.0, 8.0
# URLs of slow servers that are submitted with each trouble of that kind.
SLOW_ONES = [f"/{stage}/body-dribble" for stage in ("page", "sound") for _ in range(4)]

Trouble = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        yield disk


@pytest.fixture
def slow() -> Iterator[Server]:
    """Servers that send a byte now and then."""
    stopping = threading.Event()
    with serving(at_every_stage(stopping)) as server:
        yield server
        stopping.set()


@pytest.fixture
def doomed(disk: SmallDisk) -> Iterator[Cloud]:
    """A copy on the small disk, whose models answer at once."""
    with running_cloud(
        disk.folder / "var", QUICK, enter=disk.enter, own_data_dir=disk.place / "var"
    ) as cloud:
        yield cloud


class Troubles:
    """All that can happen to a copy. `done` counts what did."""

    def __init__(
        self,
        cloud: Cloud,
        crew: Crew | None,
        disk: SmallDisk,
        slow: Server,
        draw: random.Random,
    ) -> None:
        self.cloud, self.crew, self.disk, self.slow, self.draw = cloud, crew, disk, slow, draw
        self.done: Counter[str] = Counter()
        self._numbers = count()

    def happen(self) -> None:
        """One trouble, or two of them at once."""
        kinds: dict[str, Trouble] = {
            "a part killed": self._kill,
            "a part frozen": self._freeze,
            "the disk full": self._fill,
            "slow servers": self._slow,
        }
        if self.crew:
            kinds["one of the crew killed"] = self._kill_one_of_the_crew
        chosen = self.draw.sample([*kinds], self.draw.choice([1, 1, 2]))
        with ExitStack() as stack:
            for name in chosen:
                self.done[name] += 1
                stack.enter_context(kinds[name]())
            let_pass(self.draw.uniform(0.0, LONGEST))

    @contextmanager
    def _kill_one_of_the_crew(self) -> Iterator[None]:
        assert self.crew
        self.crew.kill_one(self.draw)
        yield

    @contextmanager
    def _kill(self) -> Iterator[None]:
        part = self.draw.choice([*PARTS])
        killed = kill(self.cloud, part, self.draw if self.draw.random() < 0.5 else None)
        yield
        wait_until_back(self.cloud, part, killed)

    def _freeze(self) -> AbstractContextManager[None]:
        return frozen(self.cloud, self.draw.choice([*PARTS]))

    @contextmanager
    def _fill(self) -> Iterator[None]:
        self.disk.fill()
        try:
            yield
        finally:
            self.disk.empty()

    @contextmanager
    def _slow(self) -> Iterator[None]:
        with httpx.Client(base_url=self.cloud.address, timeout=LONGEST) as http:
            for path in SLOW_ONES:
                url = self.slow.url(f"{path}?{next(self._numbers)}")
                try:
                    http.post("/process", data={"url": url})
                except httpx.TransportError:
                    break  # the app is away, too
        yield


@pytest.mark.slow("two minutes each; each of the troubles has a short test of its own")
@pytest.mark.parametrize("with_crew", [False, True], ids=["alone", "with a crew"])
@pytest.mark.parametrize("seed", range(1, SIZES.seeds + 1))
def test_troubles_together_lose_and_repeat_nothing(
    doomed: Cloud,
    disk: SmallDisk,
    slow: Server,
    site: Site,
    tmp_path: Path,
    figure: Report,
    seed: int,
    with_crew: bool,
) -> None:
    database, growth, convergence = database_of(doomed), Growth(doomed), Convergence()
    before = parts_of(doomed)
    name = f"troubles-{seed}{'-crew' * with_crew}"
    with ExitStack() as stack:
        stack.enter_context(database.client)
        crew = stack.enter_context(running_crew(doomed, tmp_path)) if with_crew else None
        troubles = Troubles(doomed, crew, disk, slow, random.Random(seed))
        addresses = [doomed.address, *([crew.address] if crew else [])]
        with ExitStack() as people:
            loads = [
                people.enter_context(under_load(address, Stock(site, f"{name}-{number}")))
                for number, address in enumerate(addresses)
            ]
            wait_for(lambda: len(_accepted(loads, time.time())) >= 4, "things under way")
            ends_at = time.monotonic() + 60 * SIZES.minutes_of_trouble
            while time.monotonic() < ends_at:
                for _ in range(BURST):
                    let_pass(troubles.draw.uniform(0.0, PAUSE))
                    troubles.happen()
                well = wait_until_well(doomed)
                under_way = _accepted(loads, well)
                convergence.add(converge(database, dict.fromkeys(under_way, well)))
                growth.look(len(under_way))
                print(f"{dict(troubles.done)}: {growth}", flush=True)
        things = _accepted(loads, time.time())
        converge(database, dict.fromkeys(things, time.time()))
        wait_until_well(doomed)

        figure(name, ", ".join(f"{times} times {what}" for what, times in troubles.done.items()))
        figure(f"{name}: convergence after each burst", str(convergence))
        figure(f"{name}: things, answers", f"{len(things)}; {'; '.join(map(Load.told, loads))}")
        figure(f"{name}: callbacks not delivered", str(dict(undelivered(doomed))))
        figure(f"{name}: growth", str(growth))
        assert [wrong for load in loads for wrong in load.wrong] == []
        assert wrongs(doomed, database, things) == []
        person = Person(doomed)
        stack.enter_context(person.http)
        assert not_found(person, database, things) == []
        assert tracebacks(doomed) == []
    wait_for(lambda: not strays(doomed), "the end of what nobody waits for")
    assert parts_of(doomed) == before


def _accepted(loads: Sequence[Load], moment: float) -> dict[str, Stocked]:
    """The things accepted before that Unix time, by the asset's id."""
    return {
        asset_id: thing
        for load in loads
        for asset_id, thing in load.accepted_before(moment).items()
    }

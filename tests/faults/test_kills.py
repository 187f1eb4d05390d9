"""Any process may die at any moment while people go on; everything arrives all the same, once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pymongo.database import Database

from tests.faults import failpoints
from tests.faults.aftermath import (
    Convergence,
    converge,
    not_found,
    undelivered,
    wrongs,
)
from tests.faults.conftest import Report
from tests.faults.kills import (
    PARTS,
    kill,
    parts_of,
    strays,
    wait_until_back,
    wait_until_well,
)
from tests.faults.load import Load, under_load
from tests.faults.stock import Stock, Stocked
from tests.faults.things import Document
from tests.support.copies import FAILPOINTS
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

# Kills before everything is given the time to converge.
BURST = 8
# The longest pause between two kills of a burst, in seconds.
PAUSE = 4.0
# Kills at points before everything is given the time to converge. A small wave tells how long
# each point takes by itself: the kills that follow in the same wave disturb the earlier things.
WAVE = 4 if SIZES.kills_at_a_point > 1 else len(failpoints.POINTS)
SOME = ("before a prediction is recorded",)
# The points that only a recording comes to.
SPOKEN = {"before a prediction is recorded", "before the text is acknowledged"}


@pytest.fixture
def armoury(victim_copy: Cloud) -> Path:
    """The folder in which points are armed."""
    return victim_copy.data_dir / FAILPOINTS


@pytest.mark.slow("a minute; the app is killed at some of its points without it")
def test_kills_at_random_moments_lose_and_repeat_nothing(
    victim_copy: Cloud, kept: Database[Document], someone: Person, site: Site, figure: Report
) -> None:
    draw = random.Random(200)
    before = parts_of(victim_copy)
    done: Counter[str] = Counter()
    convergence = Convergence()
    with under_load(victim_copy.address, Stock(site, "killed")) as load:
        wait_for(lambda: len(load.accepted) >= 4, "things under way")
        while done.total() < SIZES.kills:
            restart = _burst(victim_copy, draw, min(BURST, SIZES.kills - done.total()), done)
            found = converge(kept, dict.fromkeys(load.accepted_before(restart), restart))
            convergence.add(found)
            print(f"{done.total()} kills: {found}", flush=True)
    things = load.accepted_before(time.time())
    converge(kept, dict.fromkeys(things, time.time()))
    wait_until_well(victim_copy)

    figure("kills at random moments", ", ".join(f"{n} of {part}" for part, n in done.items()))
    figure("convergence after the last restart of a burst", str(convergence))
    figure("things submitted meanwhile, answers", f"{len(things)}, {load.told()}")
    figure("callbacks not delivered", str(dict(undelivered(victim_copy))))
    assert load.wrong == []
    assert wrongs(victim_copy, kept, things) == []
    assert not_found(someone, kept, things) == []
    wait_for(lambda: not strays(victim_copy), "the end of what nobody waits for")
    assert parts_of(victim_copy) == before


def _burst(cloud: Cloud, draw: random.Random, number: int, done: Counter[str]) -> float:
    """Kill so often, at random; the moment of the last restart."""
    restarts = [0.0]
    for _ in range(number):
        time.sleep(draw.uniform(0.0, PAUSE))  # a random moment
        part = draw.choice(list(PARTS))
        killed = kill(cloud, part, draw if draw.random() < 0.5 else None)
        done[part] += 1
        restarts.append(wait_until_back(cloud, part, killed))
    return max(restarts)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(SOME, id="some"),
        pytest.param(
            [point for point in failpoints.POINTS if point not in SOME],
            id="others",
            marks=pytest.mark.slow("six seconds for each point"),
        ),
    ],
)
def test_a_kill_at_each_point_is_made_good(
    victim_copy: Cloud,
    armoury: Path,
    kept: Database[Document],
    someone: Person,
    site: Site,
    figure: Report,
    points: Sequence[str],
) -> None:
    stock, load = Stock(site, f"points-{len(points)}"), Load(victim_copy.address)
    things: dict[str, Stocked] = {}
    own = {point: Convergence() for point in points}
    for round_ in range(SIZES.kills_at_a_point):
        for wave in _waves(points):
            died_at: dict[str, str] = {}
            restarts: dict[str, float] = {}
            for point in wave:
                audio = point in SPOKEN or round_ % 2 == 0
                stocked = stock.make(audio=audio, paragraphs=8)
                asset_id = _die_at(victim_copy, load, armoury, point, stocked)
                things[asset_id], died_at[asset_id] = stocked, point
                restarts[asset_id] = wait_until_well(victim_copy)
            converge(kept, dict.fromkeys(restarts, max(restarts.values())))
            for asset_id, restart in restarts.items():
                own[died_at[asset_id]].add(converge(kept, {asset_id: restart}))

    for point, convergence in own.items():
        figure(f"kill {point}, from its restart", str(convergence))
    assert load.wrong == []
    assert wrongs(victim_copy, kept, things) == []
    assert not_found(someone, kept, things) == []


def _waves(points: Sequence[str]) -> Iterator[Sequence[str]]:
    return (points[first : first + WAVE] for first in range(0, len(points), WAVE))


def _die_at(cloud: Cloud, load: Load, armoury: Path, point: str, stocked: Stocked) -> str:
    """Have the app die at the point, with this thing; the thing's id."""
    before = cloud.pids_of(PARTS["the app"])
    failpoints.arm(armoury, point)
    with load.client() as http:
        load.submit(http, stocked)
    wait_for(lambda: not failpoints.is_armed(armoury, point), f"the app was {point}")
    wait_until_back(cloud, "the app", before)
    return load.accepted[-1].asset_id

"""Kill the parts of a copy, keep them away for a while, and see them come back."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from localcloud import leftovers
from tools.harness import processes
from tools.harness.cloud import Cloud
from tools.harness.waiting import PATIENCE, wait_for

PARTS = {
    "the app": "-m serve",
    "the worker": "app worker",
    "the gateway": "localcloud.hookdeck",
    "Replicate": "localcloud.replicate",
    "a model": "cog.server.http",
    "MongoDB": "secantus --host",
    "the search proxy": "localcloud.atlas",
}


def running(cloud: Cloud, part: str) -> list[int]:
    """The processes of a part; waits for one that is just being started."""
    return wait_for(lambda: cloud.pids_of(PARTS[part]), f"{part} runs")


def kill(cloud: Cloud, part: str, draw: random.Random | None = None) -> list[int]:
    """Kill -9 all processes of the part, or any one of them; returns those killed."""
    pids = running(cloud, part)
    victims = [draw.choice(pids)] if draw else pids
    for pid in victims:
        _signal(pid, signal.SIGKILL)
    return victims


def wait_until_back(cloud: Cloud, part: str, killed: Sequence[int]) -> float:
    """Wait until the part has a process that is not one of those killed; the Unix time then."""
    wait_for(
        lambda: (
            not any(map(processes.is_alive, killed))
            and set(cloud.pids_of(PARTS[part])) - set(killed)
        ),
        f"{part} started again",
    )
    return time.time()


def wait_until_well(cloud: Cloud) -> float:
    """Wait until the app says that every part answers; the Unix time then."""
    with httpx.Client(base_url=cloud.address, timeout=PATIENCE) as http:

        def well() -> bool:
            try:
                return http.get("/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(well, "every part well")
    return time.time()


@contextmanager
def kept_away(cloud: Cloud, *parts: str) -> Iterator[None]:
    """The parts killed, and not started again, for the length of a `with` block."""
    _signal(cloud.process.pid, signal.SIGSTOP)
    try:
        for part in parts:
            kill(cloud, part)
        yield
    finally:
        _signal(cloud.process.pid, signal.SIGCONT)


@contextmanager
def frozen(cloud: Cloud, *parts: str) -> Iterator[None]:
    """The parts stopped, with their connections open, for the length of a `with` block."""
    pids = [pid for part in parts for pid in running(cloud, part)]
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def let_pass(seconds: float) -> None:
    """How long something is away: the length of the fault itself."""
    threading.Event().wait(seconds)


def parts_of(cloud: Cloud) -> Counter[str]:
    """How many processes each part has."""
    lines = [processes.command_line(pid) for pid in cloud.pids()]
    return Counter(part for part, text in PARTS.items() for line in lines if text in line)


def strays(cloud: Cloud) -> list[str]:
    """Processes that nobody waits for any more, or that hang on nothing; they run on after the
    part that started them was killed."""
    tree = cloud.pids()
    zombies = [f"zombie {pid}" for pid in tree if processes.is_zombie(pid)]
    loose = set(leftovers.find(cloud.own_data_dir)) - set(tree) - {cloud.process.pid}
    return [*zombies, *(line for pid in loose if (line := processes.command_line(pid)))]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

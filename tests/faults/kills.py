"""Kill the parts of a copy, keep them away for a while, and see them come back."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from localcloud import leftovers
from tests.support import processes
from tests.support.cloud import Cloud
from tests.support.waiting import wait_for

PARTS = {
    "the app": "gunicorn",
    "the reconciler": "reconcile --every",
    "the gateway": "localcloud.hookdeck",
    "Replicate": "localcloud.replicate",
    "a model": "cog.server.http",
    "MongoDB": "secantus --host",
    "the search proxy": "localcloud.atlas",
}
BACK = 30.0
"""Seconds in which the launcher must have started a part again."""


def running(cloud: Cloud, part: str) -> list[int]:
    """The processes of a part; waits for one that is just being started."""
    return wait_for(lambda: cloud.pids_of(PARTS[part]), f"{part} runs", BACK)


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
        BACK,
    )
    return time.time()


def wait_until_well(cloud: Cloud, seconds: float = 60.0) -> float:
    """Wait until the app says that every part answers; the Unix time then."""
    with httpx.Client(base_url=cloud.address, timeout=seconds) as http:

        def well() -> bool:
            try:
                return http.get("/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(well, "every part well", seconds)
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
    """So long something is away."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end, "the end of the outage", seconds + 1)


def processes_of(cloud: Cloud) -> Counter[str]:
    """How many processes of each command line belong to this copy, wherever they hang; those
    that nobody has waited for are counted as zombies."""
    tree = cloud.pids()
    everyone = {*tree, *leftovers.find(cloud.data_dir)} - {cloud.process.pid}
    return Counter(
        "zombie" if processes.is_zombie(pid) else _name(processes.command_line(pid))
        for pid in everyone
    )


def _name(command_line: str) -> str:
    known = (part for part, text in PARTS.items() if text in command_line)
    # multiprocessing's helpers carry file descriptors, others at each start
    return next(known, re.sub(r"main\(.*", "", command_line))


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

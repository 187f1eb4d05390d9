"""More processes of the app beside a copy's own, as where one machine is not enough."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from localcloud.ports import pick_port
from tests.faults.kills import running
from tools.harness import processes
from tools.harness.cloud import ROOT, Cloud
from tools.harness.waiting import wait_for

WORKERS = 4
SERVE = ("serve",)
WORK = ("flask", "--app", "app", "worker")


@dataclass(frozen=True)
class Member:
    """A process of the app that runs; what it says is in `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """All that it has said so far."""
        return self.log.read_text("utf-8", "replace")


@dataclass(frozen=True)
class Crew:
    """A server of several processes, and a second worker, over the copy's database."""

    address: str
    server: subprocess.Popen[bytes]

    def kill_one(self, draw: random.Random) -> None:
        """Kill -9 one of the server's processes, or none if they are just being started."""
        workers = processes.children(self.server.pid)
        if workers:
            os.kill(draw.choice(workers), signal.SIGKILL)


@contextmanager
def running_crew(cloud: Cloud, folder: Path) -> Iterator[Crew]:
    """The crew, for the length of a `with` block; what it says is in files of `folder`."""
    with ExitStack() as stack:
        stack.enter_context(working_beside(cloud, folder / "worker.log"))
        log = folder / "crew.log"
        served, member = stack.enter_context(serving_beside(cloud, log, PROCESSES=str(WORKERS)))
        yield Crew(served.address, member.process)


@contextmanager
def serving_beside(cloud: Cloud, log: Path, **changed: str) -> Iterator[tuple[Cloud, Member]]:
    """Another server over the copy's database, with these settings changed, for the length of a
    `with` block: the copy as it is seen there, and the process."""
    served = replace(cloud, address=f"http://127.0.0.1:{pick_port()}")
    port = served.address.rpartition(":")[2]
    with beside(cloud, log, *SERVE, "--port", port, **changed) as member:
        wait_for(
            lambda: httpx.get(f"{served.address}/healthz").status_code == 200,
            "another server",
            moved=lambda: processes.cpu_ticks(member.process.pid),
            despite=httpx.TransportError,
        )
        yield served, member


@contextmanager
def working_beside(cloud: Cloud, log: Path, **changed: str) -> Iterator[Member]:
    """Another worker, as `serving_beside`."""
    with beside(cloud, log, *WORK, **changed) as member:
        wait_for(
            lambda: "worker started" in member.said(),
            "another worker",
            moved=lambda: processes.cpu_ticks(member.process.pid),
        )
        yield member


@contextmanager
def beside(cloud: Cloud, log: Path, *argv: str, **changed: str) -> Iterator[Member]:
    """A process that gets the settings of the copy's app, with these changed."""
    (pid, *_) = running(cloud, "the app")
    told = Path(f"/proc/{pid}/environ").read_text().split("\0")
    environment = dict(line.partition("=")[::2] for line in told if line) | changed
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            yield Member(process, log)
        finally:
            process.terminate()
            process.wait(60)

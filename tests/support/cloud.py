"""Run a whole copy of the project, as `make run` does, for the tests from end to end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.endpoints import read_endpoints
from localcloud.parts import CREDENTIALS
from localcloud.ports import pick_port
from tests.support import processes

ROOT = Path(__file__).resolve().parents[2]
READY = "Index All The Things is ready: "
READY_SECONDS = 240.0


class CloudError(Exception):
    """The copy did not become ready; the message holds what it said."""


@dataclass(frozen=True)
class Cloud:
    """A copy that runs, with the seconds it took to become ready."""

    address: str
    endpoints: Mapping[str, str]
    data_dir: Path
    process: subprocess.Popen[str]
    took: float

    def pids(self) -> list[int]:
        """Every process of this copy, the launcher's first."""
        return processes.tree(self.process.pid)

    def pids_of(self, text: str) -> list[int]:
        """The processes of this copy with the text in their command line."""
        return [pid for pid in self.pids() if text in processes.command_line(pid)]

    def stop(self, number: signal.Signals = signal.SIGTERM, patience: float = 60.0) -> int:
        """Ask the launcher to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(patience)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()


def clean_environment(data_dir: Path, more: Mapping[str, str]) -> dict[str, str]:
    """An environment that hides the developer's own settings and accounts.

    A name set to nothing hides the one in `.env`.
    """
    ours = ("FETCH_ALLOW", "EXAMPLES", "APP_URL", "HOST", "MODELS_DIR", "QUERY_EMBEDDINGS")
    hidden = dict.fromkeys([*CREDENTIALS, *ours], "")
    place = {"DATA_DIR": str(data_dir), "PORT": str(pick_port())}
    return {**os.environ, **hidden, **place, **more}


def start_cloud(data_dir: Path, env: Mapping[str, str] | None = None) -> Cloud:
    """Start a copy in `data_dir` and wait until it says that it is ready.

    Raises CloudError, with the launcher's own words, when it ends or takes too long.
    """
    began = time.monotonic()
    data_dir.mkdir(parents=True, exist_ok=True)
    said = data_dir / "launcher.stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud"],
            cwd=ROOT,
            env=clean_environment(data_dir, env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    line = _first_line(process, began + READY_SECONDS)
    cloud = Cloud(
        address=line.removeprefix(READY).strip(),
        endpoints=read_endpoints(data_dir / "endpoints.env"),
        data_dir=data_dir,
        process=process,
        took=time.monotonic() - began,
    )
    if not line.startswith(READY):
        code = cloud.stop()
        raise CloudError(f"not ready, exit code {code}: {line}\n{said.read_text()}")
    return cloud


@contextmanager
def running_cloud(data_dir: Path, env: Mapping[str, str] | None = None) -> Iterator[Cloud]:
    """A copy that runs for the length of a `with` block."""
    cloud = start_cloud(data_dir, env)
    try:
        yield cloud
    finally:
        cloud.stop()


def _first_line(process: subprocess.Popen[str], deadline: float) -> str:
    """The first line on the launcher's stdout; empty when it ended or the time is over."""
    if process.stdout is None:
        return ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            return ""
    return process.stdout.readline()

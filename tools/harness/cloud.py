"""Run a whole copy of the project, as `make run` does, for the tests and the tools."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from localcloud.endpoints import read_endpoints
from localcloud.ports import pick_port
from tools.harness import processes
from tools.harness.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
READY = "Index All The Things is ready: "
# The names of all settings, with one that people need not know.
SETTINGS = (*dotenv_values(ROOT / ".env-example"), "QUERY_MODEL")


class CloudError(Exception):
    """The copy did not become ready; the message holds what it said."""


@dataclass(frozen=True)
class Cloud:
    """A copy that runs. `own_data_dir` is the name by which the copy itself knows `data_dir`;
    they differ when it runs in another mount namespace."""

    address: str
    endpoints: Mapping[str, str]
    data_dir: Path
    process: subprocess.Popen[str]
    own_data_dir: Path

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
    place = {"DATA_DIR": str(data_dir), "PORT": str(pick_port())}
    return {**os.environ, **dict.fromkeys(SETTINGS, ""), **place, **more}


def refusal(data_dir: Path, **environment: str) -> str:
    """What a start that is refused says."""
    start = subprocess.run(
        [sys.executable, "-m", "localcloud"],
        cwd=ROOT,
        env=clean_environment(data_dir, environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert start.returncode == 1
    assert start.stdout == ""
    assert "Traceback" not in start.stderr.split("The end of")[0]
    return start.stderr


def start_cloud(
    data_dir: Path,
    env: Mapping[str, str] | None = None,
    *,
    enter: Sequence[str] = (),
    own_data_dir: Path | None = None,
) -> Cloud:
    """Start a copy in `data_dir` and wait until it says that it is ready.

    `enter` is a command that runs the launcher in another mount namespace, in which the folder is
    called `own_data_dir`.
    Raises CloudError, with the launcher's own words, when it ends or stands still.
    """
    own_data_dir = own_data_dir or data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    said = data_dir / "launcher.stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [*enter, sys.executable, "-m", "localcloud"],
            cwd=ROOT,
            env=clean_environment(own_data_dir, env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    line = _first_line(process, data_dir)
    cloud = Cloud(
        address=line.removeprefix(READY).strip(),
        endpoints=read_endpoints(data_dir / "endpoints.env"),
        data_dir=data_dir,
        process=process,
        own_data_dir=own_data_dir,
    )
    if not line.startswith(READY):
        code = cloud.stop()
        raise CloudError(f"not ready, exit code {code}: {line}\n{said.read_text()}")
    return cloud


@contextmanager
def running_cloud(
    data_dir: Path,
    env: Mapping[str, str] | None = None,
    *,
    enter: Sequence[str] = (),
    own_data_dir: Path | None = None,
) -> Iterator[Cloud]:
    """A copy that runs for the length of a `with` block, started as by `start_cloud`."""
    cloud = start_cloud(data_dir, env, enter=enter, own_data_dir=own_data_dir)
    try:
        yield cloud
    finally:
        cloud.stop()


def _first_line(process: subprocess.Popen[str], data_dir: Path) -> str:
    """The first line on the launcher's stdout; empty when it ends, or writes no log any more."""
    if process.stdout is None:
        return ""
    written = -1
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not selector.select(PATIENCE):
            before, written = written, sum(log.stat().st_size for log in data_dir.rglob("*.log"))
            if written == before:
                return ""
    return process.stdout.readline()

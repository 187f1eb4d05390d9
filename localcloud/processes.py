"""Starts child processes, restarts those that end, and stops them all.

Every child has its own session, so that Ctrl-C reaches only the supervisor, which decides the
order of the shutdown. On Linux the kernel kills the children of a supervisor that was killed
(prctl PR_SET_PDEATHSIG). On other systems they keep running.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

log = logging.getLogger("localcloud")

# The exit code that stands for a program that could not be started.
CANNOT_START = 126
PR_SET_PDEATHSIG = 1
# The nice value of programs in the background: a third of another program's share of a processor.
BACKGROUND_NICE = 5
AUTOGROUP = Path("/proc/self/autogroup")
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now, even if it is in TIME_WAIT.

    Raises OSError if no server ever could, for example because the host is another machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


@dataclass(frozen=True)
class Program:
    """A program to run. `env` is its whole environment, `log` the file for its output."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    # Whether it computes for nobody who waits, and so gives way to the other programs.
    background: bool = False


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start the program once.

    On Linux the child is killed when the thread that calls this ends, so that thread must last.
    """
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        return subprocess.Popen(
            list(program.argv),
            env=dict(program.env),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(_prepare, background=program.background),
        )


def sweep(process: subprocess.Popen[bytes]) -> None:
    """Kill the rest of the child's process group, such as the workers of a killed parent."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _prepare(*, background: bool) -> None:
    """Set up a child between fork and exec."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if background:
        _give_way()


def _give_way() -> None:
    """Lower the priority of this process and of its session.

    Linux schedules sessions as groups (autogroup), and between groups the nice value of a process
    counts for nothing: each session has one of its own.
    """
    os.nice(BACKGROUND_NICE)
    with contextlib.suppress(OSError):  # another system, or a kernel without these groups
        AUTOGROUP.write_text(str(BACKGROUND_NICE))


class Supervisor:
    """Keeps programs running until `stop`.

    A program that ends is restarted: at once the first time, then after a pause that doubles up
    to `max_pause` seconds while the program keeps ending within `stable_after` seconds.
    """

    def __init__(
        self,
        *,
        max_pause: float = 5.0,
        stable_after: float = 10.0,
        on_exit: Callable[[str, int], None] | None = None,
    ) -> None:
        self._max_pause = max_pause
        self._stable_after = stable_after
        self._on_exit = on_exit
        self._stopping = threading.Event()
        self._keepers: list[_Keeper] = []

    def add(self, program: Program, layer: int = 0) -> None:
        """Start the program and keep it running. Those of higher layers need those of lower ones:
        `stop` ends a whole layer at once, and the highest first."""
        keeper = _Keeper(program, layer, self)
        self._keepers.append(keeper)
        keeper.thread.start()
        keeper.started.wait()

    def pids(self) -> dict[str, int]:
        """The process ids of the running programs, by name."""
        return {
            keeper.program.name: keeper.process.pid
            for keeper in self._keepers
            if keeper.process is not None and keeper.process.poll() is None
        }

    def stop(self, timeout: float = 10.0) -> None:
        """End the programs, layer by layer. Kill those of a layer that run after `timeout`
        seconds."""
        self._stopping.set()
        for layer in sorted({keeper.layer for keeper in self._keepers}, reverse=True):
            ending = [keeper for keeper in self._keepers if keeper.layer == layer]
            for keeper in ending:
                keeper.terminate()
            deadline = time.monotonic() + timeout
            for keeper in ending:
                keeper.end(deadline)
        for keeper in self._keepers:
            keeper.thread.join()
        self._keepers.clear()


class _Keeper:
    """One program, and the thread that starts it, waits for its end and restarts it."""

    def __init__(self, program: Program, layer: int, supervisor: Supervisor) -> None:
        self.program = program
        self.layer = layer
        self.process: subprocess.Popen[bytes] | None = None
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._keep, name=f"keep-{program.name}", daemon=True)
        self._supervisor = supervisor
        self._lock = threading.Lock()

    def _keep(self) -> None:
        supervisor = self._supervisor
        pause = 0.0
        while not supervisor._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if supervisor._stopping.is_set():
                return
            if supervisor._on_exit is not None:
                supervisor._on_exit(self.program.name, code)
            quick = time.monotonic() - began < supervisor._stable_after
            supervisor._stopping.wait(pause)
            pause = min(max(0.25, pause * 2), supervisor._max_pause) if quick else 0.0

    def _run_once(self) -> int:
        """Start the program and wait for its end. Returns its exit code."""
        try:
            with self._lock:
                if self._supervisor._stopping.is_set():
                    return 0
                self.process = spawn(self.program)
        except OSError as error:  # a full disk, for example, has no room for the log
            log.warning("%s cannot be started: %s", self.program.name, error)
            return CANNOT_START
        finally:
            self.started.set()
        code = self.process.wait()
        sweep(self.process)
        return code

    def terminate(self) -> None:
        """Ask the program to end."""
        with self._lock:  # which a restart holds from its check of the flag to the start
            process = self.process
        if process is not None and process.poll() is None:
            process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end, and kill it at the deadline, a time of the monotonic clock."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            sweep(self.process)
            self.process.wait()

"""Starts child processes, restarts those that end, and stops them all.

Every child has its own session, so that Ctrl-C reaches only the supervisor, which decides the
order of the shutdown. On Linux the kernel kills the children of a supervisor that was killed
(prctl PR_SET_PDEATHSIG). On other systems they keep running.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
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
            preexec_fn=_die_with_parent if _libc else None,
        )


def sweep(process: subprocess.Popen[bytes]) -> None:
    """Kill the rest of the child's process group, such as the workers of a killed parent."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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

    def add(self, program: Program) -> None:
        """Start the program and keep it running."""
        keeper = _Keeper(program, self)
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
        """End the programs, the last one first. Kill each that runs after `timeout` seconds."""
        self._stopping.set()
        for keeper in reversed(self._keepers):
            keeper.end(timeout)
        for keeper in self._keepers:
            keeper.thread.join()
        self._keepers.clear()


class _Keeper:
    """One program, and the thread that starts it, waits for its end and restarts it."""

    def __init__(self, program: Program, supervisor: Supervisor) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._keep, name=f"keep-{program.name}", daemon=True)
        self._supervisor = supervisor
        self._lock = threading.Lock()

    def _keep(self) -> None:
        supervisor = self._supervisor
        pause = 0.0
        while True:
            with self._lock:
                if supervisor._stopping.is_set():
                    self.started.set()
                    return
                self.process = spawn(self.program)
            self.started.set()
            began = time.monotonic()
            code = self.process.wait()
            sweep(self.process)
            if supervisor._stopping.is_set():
                return
            if supervisor._on_exit is not None:
                supervisor._on_exit(self.program.name, code)
            quick = time.monotonic() - began < supervisor._stable_after
            supervisor._stopping.wait(pause)
            pause = min(max(0.25, pause * 2), supervisor._max_pause) if quick else 0.0

    def end(self, timeout: float) -> None:
        with self._lock:  # which a restart holds from its check of the flag to the start
            process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            sweep(process)
            process.wait()

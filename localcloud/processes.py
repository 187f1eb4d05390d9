"""Child processes: start them, start them again when they die, end them all.

Every child gets its own session, so that Ctrl-C reaches the supervisor alone and the
order of the shutdown is the supervisor's. On Linux the kernel kills a child whose
supervisor died without a word (prctl PR_SET_PDEATHSIG); elsewhere such a child stays.
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
    """Whether a server could listen on the port now (TIME_WAIT does not count as taken).

    Raises OSError when no server ever could: the host is not this machine's, say.
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
    """What to run. `env` is the whole environment of the child; `log` takes its output."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start the program once.

    On Linux the child dies with the *thread* that calls this, so that thread must last.
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
    """Kill what is left of the child's process group: a killed parent's workers, say."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """Keeps programs running until `stop`.

    A program that ends is started again: at once the first time, then after a pause that
    doubles to `longest_pause` seconds while it keeps dying within `settled` seconds.
    """

    def __init__(
        self,
        *,
        longest_pause: float = 5.0,
        settled: float = 10.0,
        on_exit: Callable[[str, int], None] | None = None,
    ) -> None:
        self._longest_pause = longest_pause
        self._settled = settled
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
        """The process id of each program that runs at this moment, by name."""
        return {
            keeper.program.name: keeper.process.pid
            for keeper in self._keepers
            if keeper.process is not None and keeper.process.poll() is None
        }

    def stop(self, patience: float = 10.0) -> None:
        """End the programs, last started first; what has not ended in `patience` s is killed."""
        self._stopping.set()
        for keeper in reversed(self._keepers):
            keeper.end(patience)
        for keeper in self._keepers:
            keeper.thread.join()
        self._keepers.clear()


class _Keeper:
    """One program and the thread that starts it, waits for it and starts it again."""

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
            quick = time.monotonic() - began < supervisor._settled
            supervisor._stopping.wait(pause)
            pause = min(max(0.25, pause * 2), supervisor._longest_pause) if quick else 0.0

    def end(self, patience: float) -> None:
        with self._lock:  # no start can slip in between the flag and the signal
            process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            sweep(process)
            process.wait()

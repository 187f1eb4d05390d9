"""Finds and kills processes that outlived their copy, such as the children of a killed child.

Every process that a copy starts inherits a mark in its environment. While a copy holds the lock
of its DATA_DIR, every other process with that mark is left over. They are found by /proc, which
only Linux has.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "LOCALCLOUD_DATA_DIR"


def find(data_dir: Path, proc: Path = Path("/proc")) -> list[int]:
    """The ids of all processes with the mark of this folder, except this process."""
    mark = os.fsencode(f"{MARK}={data_dir}")
    found = []
    for entry in proc.glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # it has ended, or belongs to another user
            continue
        if mark in environment.split(b"\0") and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def kill(data_dir: Path, timeout: float = 5.0) -> list[int]:
    """Kill leftover processes and wait for their end, at most `timeout` seconds.

    Returns the ids of those that were found.
    """
    found = left = find(data_dir)
    deadline = time.monotonic() + timeout
    while left and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = find(data_dir)
    return found

"""Processes that outlived their copy: a killed child's own children, say.

Every process that a copy starts carries a mark in its environment, and hands it on. While
a copy holds the lock of its DATA_DIR, whatever else carries that mark is left over. Found
through /proc, so on Linux alone; other systems have nothing to look through.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "LOCALCLOUD_DATA_DIR"


def find(data_dir: Path, proc: Path = Path("/proc")) -> list[int]:
    """The ids of the processes that carry the mark of this folder, this process excepted."""
    mark = os.fsencode(f"{MARK}={data_dir}")
    found = []
    for entry in proc.glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # gone meanwhile, or another user's
            continue
        if mark in environment.split(b"\0") and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def kill(data_dir: Path, patience: float = 5.0) -> list[int]:
    """Kill what is left over and wait until it is gone; returns the ids of what was found."""
    found = left = find(data_dir)
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = find(data_dir)
    return found

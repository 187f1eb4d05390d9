"""Look at processes through /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _state(pid) not in ("", "Z", "X")


def is_zombie(pid: int) -> bool:
    return _state(pid) == "Z"


def children(pid: int) -> list[int]:
    """The direct children, zombies included."""
    every = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [one for one in every if _fields(one)[1:2] == [str(pid)]]


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    return [pid, *(descendant for child in children(pid) for descendant in tree(child))]


def command_line(pid: int) -> str:
    """The command line, or nothing when the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def cpu_ticks(pid: int) -> int:
    """How much the process and all that descend from it have computed, in the kernel's ticks."""
    fields = [_fields(one) for one in tree(pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields if len(each) > 12)


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """How much one process has computed, and those of its children that have ended."""
    return sum(map(int, _fields(pid)[11 : 15 if with_ended_children else 13])) / TICKS_A_SECOND


def _state(pid: int) -> str:
    return next(iter(_fields(pid)), "")


def _fields(pid: int) -> list[str]:
    """State, parent's id, group, session, ...: what follows the name in /proc/PID/stat."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

"""How much memory the processes of a model use, and how much they may use.

All of it is read from /proc; on systems without it nothing is known and nothing is limited.
"""

from __future__ import annotations

import os
from pathlib import Path

GIBIBYTE = 1024**3
# Every model may use this much, and half of the machine's memory if that is more.
LEAST_LIMIT = 2 * GIBIBYTE


def default_limit() -> int:
    """Bytes of memory that a model may use."""
    return max(LEAST_LIMIT, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def resident(pid: int) -> int:
    """Bytes of memory of a process and its children, at all depths."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(child) for child in children)


def oom_kills() -> int:
    """How many processes the kernel has killed since the machine started, for lack of memory."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

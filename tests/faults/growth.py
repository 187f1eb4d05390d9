"""How a copy's memory and files grow while it works, by looks at them now and then."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from tools.harness.cloud import Cloud

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Look:
    """Seconds since the first look; MiB of all processes, of the logs and of all other files."""

    seconds: float
    memory: float
    logs: float
    files: float
    things: int


@dataclass
class Growth:
    """The looks at one copy."""

    cloud: Cloud
    looks: list[Look] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def look(self, things: int) -> None:
        """Note how much there is now, with so many things in the copy."""
        folder = self.cloud.data_dir
        logs, everything = _size(folder / "logs"), _size(folder)
        self.looks.append(
            Look(
                seconds=time.monotonic() - self._began,
                memory=sum(map(_memory, self.cloud.pids())) / MEBIBYTE,
                logs=logs / MEBIBYTE,
                files=(everything - logs) / MEBIBYTE,
                things=things,
            )
        )

    def __str__(self) -> str:
        first, last = self.looks[0], self.looks[-1]
        told = (
            f"memory {first.memory:.0f} to {last.memory:.0f} MiB, logs {last.logs:.1f} MiB, "
            f"files {first.files:.0f} to {last.files:.0f} MiB"
        )
        if len(self.looks) < 3:
            return told
        hours = [look.seconds / 3600 for look in self.looks]
        memory = statistics.linear_regression(hours, [look.memory for look in self.looks])
        things = [look.things for look in self.looks]
        files = statistics.linear_regression(things, [look.files * 1024 for look in self.looks])
        return (
            f"{told}; slopes: memory {memory.slope:+.0f} MiB an hour, "
            f"files {files.slope:+.0f} KiB a thing"
        )


def _memory(pid: int) -> int:
    """Bytes of a process, its share of what it shares with others included (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _size(folder: Path) -> int:
    """Bytes of the files below the folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # deleted while we look
            total += path.lstat().st_size if path.is_file() else 0
    return total

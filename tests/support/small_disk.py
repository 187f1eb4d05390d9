"""A small disk of its own for a test to fill: a tmpfs that a process in its own namespace holds.

An ordinary user may mount one inside a user namespace, and others reach it by that process's
root in /proc.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.harness.waiting import wait_for

# Bytes that are written at once to fill a disk.
CHUNK = 1024 * 1024
_HOLD = 'mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec sleep infinity'


@dataclass(frozen=True)
class SmallDisk:
    """`folder` is the top of the disk as others reach it, `place` as `enter` sees it.

    `enter` runs the command after it in the namespace in which the disk is mounted. SQLite needs
    that: it resolves symbolic links, and so misses the mount.
    """

    folder: Path
    place: Path
    enter: Sequence[str]

    def fill(self, *, leave: int = 0) -> None:
        """Leave no free byte, or so many, also if others delete files meanwhile."""
        size = CHUNK
        with self._filler.open("ab", buffering=0) as file:
            while size and self.free_bytes > leave:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """Delete what `fill` has written."""
        self._filler.unlink(missing_ok=True)

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of that size, mounted over the folder `place` in another namespace.

    Skips the test where the system allows nobody to do this.
    """
    place.mkdir()
    command = ["unshare", "-Urm", "sh", "-c", _HOLD, "sh", f"{megabytes}m", str(place)]
    try:
        holder = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except FileNotFoundError:
        pytest.skip("mounting a small disk takes `unshare` of util-linux")
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip("this system lets no ordinary user mount a disk in a namespace")
        target = ["--target", str(holder.pid), "--user", "--mount", "--preserve-credentials"]
        folder = Path(f"/proc/{holder.pid}/root{place}")
        disk = SmallDisk(folder, place, ["nsenter", "--wd=.", *target, "--"])
        wait_for(lambda: disk.folder.exists(), "the mounted disk")
        yield disk
    finally:
        holder.kill()
        holder.communicate()

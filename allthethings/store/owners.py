"""Names the owners of leases, so that another process of the same machine can tell whether an owner
is gone.

An owner is `<place>/<process id>/<its start>/<token>`. A place is one start of one kernel and a
namespace of process ids in it: only there is a process id comparable. Where /proc does not tell the
place (Linux does), an owner is the token alone, and nobody can tell.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path

# The place of the fields `state` and `starttime` of /proc/PID/stat behind the name in brackets.
_STATE, _START = 0, 19
# States of a process that has ended and was not waited for.
_ENDED = ("Z", "X")


def new_owner() -> str:
    """An owner that no other lease has had, of this process."""
    token, pid = secrets.token_hex(8), os.getpid()
    return f"{_place()}/{pid}/{_stat(pid)[_START]}/{token}" if _place() else token


def is_gone(owner: str) -> bool:
    """Whether the owner was a process of this place that has ended. False where that cannot be
    told."""
    place, _, rest = owner.partition("/")
    if not rest or place != _place():
        return False
    pid, start, _ = rest.split("/")
    try:
        os.kill(int(pid), 0)
        stat = _stat(int(pid))
    except ProcessLookupError:
        return True
    except OSError:  # another user's, which may be hidden
        return False
    return stat[_STATE] in _ENDED or stat[_START] != start


@cache
def _place() -> str:
    """This place; empty where it is not told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """The fields behind the name. Raises OSError."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

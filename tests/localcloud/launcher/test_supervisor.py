from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from localcloud.processes import BACKGROUND_NICE, Program, Supervisor
from tools.harness.processes import children, is_alive
from tools.harness.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

WAIT = "import signal; signal.pause()"


Build = Callable[..., Program]


class Watched(Supervisor):
    """A supervisor that remembers which programs ended, and how."""

    def __init__(self) -> None:
        self.exits: list[tuple[str, int]] = []
        super().__init__(on_exit=lambda name, code: self.exits.append((name, code)))


@pytest.fixture
def supervisor() -> Iterator[Watched]:
    supervisor = Watched()
    yield supervisor
    supervisor.stop()


@pytest.fixture
def program(tmp_path: Path) -> Build:
    def build(code: str, name: str = "child") -> Program:
        return Program(name, [sys.executable, "-c", code], tmp_path / f"{name}.log")

    return build


def other_pid(supervisor: Supervisor, pid: int) -> int:
    def find() -> int | None:
        now = supervisor.pids().get("child")
        return now if now != pid else None

    return wait_for(find, "a new process")


def test_a_killed_program_is_started_again(supervisor: Watched, program: Build) -> None:
    supervisor.add(program(WAIT))
    first = supervisor.pids()["child"]
    os.kill(first, signal.SIGKILL)
    second = other_pid(supervisor, first)
    assert is_alive(second)
    assert supervisor.exits == [("child", -signal.SIGKILL)]


@pytest.mark.parametrize("background", [False, True])
def test_a_program_in_the_background_gives_way(
    supervisor: Watched, program: Build, *, background: bool
) -> None:
    """Its session does, too: between sessions Linux looks at no process's own nice value."""
    supervisor.add(replace(program(WAIT), background=background))
    pid = supervisor.pids()["child"]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == own + (BACKGROUND_NICE if background else 0)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists() and group.read_text():  # the kernel has such groups, and uses them
        nice = int(group.read_text().split()[-1])
        assert nice == (BACKGROUND_NICE if background else 0)


def test_a_program_that_keeps_dying_is_started_more_slowly(
    supervisor: Watched, program: Build, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    supervisor.add(
        program(f"import time; print(time.time(), file=open({str(starts)!r}, 'a')); exit(3)")
    )

    def four_starts() -> list[str] | None:
        lines = starts.read_text().split() if starts.exists() else []
        return lines if len(lines) >= 4 else None

    times = [float(line) for line in wait_for(four_starts, "four starts")]
    _, second, third = (later - earlier for earlier, later in pairwise(times[:4]))
    assert second >= 0.25
    assert third >= 0.5
    assert supervisor.exits[0] == ("child", 3)


def test_the_highest_layer_ends_first_and_at_once(
    supervisor: Watched, program: Build, tmp_path: Path
) -> None:
    """The two of the upper layer wait for each other's end to begin."""
    ends = tmp_path / "ends"
    note = f"open({str(ends)!r}, 'a').write(sys.argv[1] + ' ')"
    for name, layer, other in (("proxy", 1, "app"), ("database", 0, ""), ("app", 1, "proxy")):
        ready, ending = tmp_path / f"{name}.ready", str(tmp_path / "{}.ending")
        child = program(
            "import os, pathlib, signal, sys, time\n"
            "def end(*_):\n"
            f"    pathlib.Path({ending!r}.format(sys.argv[1])).touch()\n"
            f"    while sys.argv[2] and not os.path.exists({ending!r}.format(sys.argv[2])):\n"
            "        time.sleep(0.01)\n"
            f"    {note}\n"
            "    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\n"
            f"open({str(ready)!r}, 'w').close()\n"
            "signal.pause()",
            name,
        )
        supervisor.add(replace(child, argv=[*child.argv, name, other]), layer)
        wait_for(ready.exists, f"{name} is ready")
    supervisor.stop()
    *upper, last = ends.read_text().split()
    assert (sorted(upper), last) == (["app", "proxy"], "database")
    assert supervisor.exits == []


def test_who_does_not_listen_is_killed(supervisor: Watched, program: Build, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    supervisor.add(program(f"{ignore}; open({str(deaf)!r}, 'w').close(); signal.pause()"))
    wait_for(deaf.exists, "the child is deaf")
    pid = supervisor.pids()["child"]
    supervisor.stop(timeout=0.1)
    assert not is_alive(pid)


def test_a_killed_programs_own_children_die_too(
    supervisor: Watched, program: Build, tmp_path: Path
) -> None:
    note = tmp_path / "grandchild"
    supervisor.add(
        program(
            "import subprocess, sys\n"
            f"child = subprocess.Popen([sys.executable, '-c', {WAIT!r}])\n"
            f"open({str(note)!r}, 'w').write(str(child.pid) + ' ')\n"
            "child.wait()"
        )
    )
    grandchild = int(wait_for(lambda: note.read_text() if note.exists() else "", "a grandchild"))
    os.kill(supervisor.pids()["child"], signal.SIGKILL)
    wait_for(lambda: not is_alive(grandchild), "the end of the grandchild")


def test_nothing_stays_behind_after_a_stop(program: Build) -> None:
    before = children(os.getpid())
    supervisor = Supervisor()
    supervisor.add(program("exit(1)", "dying"))
    supervisor.add(program(WAIT))
    supervisor.stop()
    assert children(os.getpid()) == before
    assert supervisor.pids() == {}


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from localcloud.processes import BACKGROUND_NICE, Program, Supervisor\n"
        "supervisor = Supervisor()\n"
        f"argv = [sys.executable, '-c', {WAIT!r}]\n"
        f"supervisor.add(Program('child', argv, pathlib.Path({str(tmp_path)!r}, 'log')))\n"
        "print(supervisor.pids()['child'], flush=True)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_alive(child), "the end of the child")


def test_a_program_whose_log_has_no_room_is_started_when_there_is(
    supervisor: Watched, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.touch()  # so that the log cannot be opened
    supervisor.add(Program("child", [sys.executable, "-c", WAIT], folder / "child.log"))
    assert supervisor.pids() == {}
    folder.unlink()
    wait_for(supervisor.pids, "the program")

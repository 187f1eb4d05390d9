from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.logs import MAX_LOG_BYTES, Logs, end_of
from localcloud.processes import Program, Supervisor
from tests.support.small_disk import small_disk
from tools.harness.waiting import wait_for

CHATTY = """
for number in range(10**9):
    print(f"line {number}", "." * 10_000, flush=True)
    if number % 100 == 0: time.sleep(0.01)
"""


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def chatty(log: Path) -> Program:
    return Program("chatty", [sys.executable, "-c", f"import time\n{CHATTY}"], log)


def first_line(path: Path) -> int:
    """The number of the first whole line; -1 if there is none."""
    lines = path.read_bytes()[:50_000].split(b"\n")[1:-1] if path.exists() else []
    return int(lines[0].split()[1]) if lines else -1


def test_a_log_that_somebody_deletes_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to(tmp_path / "deleted")
    Logs(tmp_path).close()


def test_a_log_is_set_aside_while_its_program_writes(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    log, aside = tmp_path / "chatty.log", tmp_path / "chatty.log.1"
    logs = Logs(tmp_path)
    try:
        supervisor.add(chatty(log))
        set_aside = wait_for(lambda: max(first_line(aside), 0), "a log that is set aside")
        wait_for(lambda: first_line(aside) > set_aside, "another one")
        assert aside.stat().st_size <= MAX_LOG_BYTES
        wait_for(lambda: first_line(log) > first_line(aside), "later lines")
    finally:
        logs.close()


def test_a_log_on_a_full_disk_is_emptied(tmp_path: Path, supervisor: Supervisor) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        log = disk.folder / "chatty.log"
        supervisor.add(chatty(log))
        wait_for(lambda: disk.free_bytes == 0, "a log that fills the disk")
        logs = Logs(disk.folder)
        logs.close()
        assert log.stat().st_size < MAX_LOG_BYTES
        supervisor.stop()


def test_the_end_of_a_log_is_shown_without_frames(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("early\n" * 20 + "Traceback (most recent call last):\n  File x\nOSError: no\n")
    assert end_of(log, lines=2) == f"The end of {log}:\n    early\n    OSError: no"

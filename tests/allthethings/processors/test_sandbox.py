from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import pytest
from lxml import etree

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import sandbox as bounded
from allthethings.processors.sandbox import MEMORY, Crashed, Starved, run_within
from tools.harness.cloud import ROOT


def double(number: int) -> int:
    return 2 * number


def never() -> None:
    while True:
        time.sleep(1)


def spin() -> None:
    while True:
        pass


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_sending() -> None:
    """Send the length of an outcome, as `Connection` does, and its beginning."""
    found = (each for each in gc.get_objects() if isinstance(each, Connection) and each.writable)
    os.write(next(found).fileno(), struct.pack("!i", 1_000) + b"the beginning")
    die()


def end_of_file() -> None:
    raise EOFError("the file was cut off")


def swell(size: int) -> int:
    return len(bytearray(size))


def refuse(why: str) -> None:
    raise UnusableThing(why, ErrorCode.TOO_SLOW)


def test_it_gives_what_the_function_gives() -> None:
    assert run_within(60, double, 21) == 42


def test_it_raises_what_the_function_raises_and_tells_where() -> None:
    with pytest.raises(UnusableThing, match="too blue") as caught:
        run_within(60, refuse, "too blue")
    assert caught.value.code is ErrorCode.TOO_SLOW
    assert caught.value.retryable
    assert "in refuse" in "".join(caught.value.__notes__)


def test_an_error_that_cannot_be_pickled_is_told() -> None:
    with pytest.raises(RuntimeError, match="XMLSyntaxError: Couldn't find end of Start Tag"):
        run_within(60, etree.fromstring, b"<package")


def test_it_takes_no_more_time_than_it_may() -> None:
    with pytest.raises(TimeoutError, match="spin took more than 1 s"):
        run_within(1, spin)


def test_what_gets_no_time_is_no_fault_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "WALL_SECONDS", 0.2)
    with pytest.raises(Starved, match="never did not get 60 s"):
        run_within(60, never)


def test_it_has_no_more_memory_than_it_may() -> None:
    assert run_within(60, swell, MEMORY // 2) == MEMORY // 2
    with pytest.raises(MemoryError):
        run_within(60, swell, 2 * MEMORY)


def test_it_returns_no_more_than_it_may() -> None:
    assert len(run_within(60, bytes, bounded.MAX_OUTCOME - 1000)) == bounded.MAX_OUTCOME - 1000
    with pytest.raises(MemoryError, match="bytes returned too much"):
        run_within(60, bytes, bounded.MAX_OUTCOME)


def test_a_crash_is_told_from_a_kill() -> None:
    with pytest.raises(Crashed):
        run_within(60, os.abort)


def test_a_process_that_dies_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(ChildProcessError):
        run_within(60, die)


def test_a_process_that_dies_while_it_sends_is_told_from_a_bad_file() -> None:
    with pytest.raises(ChildProcessError):
        run_within(60, die_while_sending)
    with pytest.raises(EOFError, match="cut off"):
        run_within(60, end_of_file)


def test_its_processes_do_not_import_the_app() -> None:
    """Each imports `serve`, the main module of the process that has started it."""
    code = "import sys, serve; sys.exit(bool({'app', 'flask', 'pymongo'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_server_starts_with_the_first_function_at_a_low_priority() -> None:
    code = (
        "import os\n"
        "from multiprocessing import forkserver\n"
        "from allthethings.processors import sandbox\n"
        "sandbox.preload(['json'])\n"
        "assert forkserver._forkserver._forkserver_pid is None\n"
        "own = os.getpriority(os.PRIO_PROCESS, 0)\n"
        "print(sandbox.run_within(60, os.getpriority, os.PRIO_PROCESS, 0) - own)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "5\n"

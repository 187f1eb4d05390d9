"""Run a function in a process of its own, with bounds on its CPU time and memory.

The app parses strangers' files this way: some pages of a megabyte keep a parser busy for minutes,
and a thread cannot be interrupted. The processes are forked within milliseconds from a server
that has imported what they need (multiprocessing's forkserver).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar, cast

_context = multiprocessing.get_context("forkserver")

# Added to the niceness of these processes: pages and callbacks go first.
NICENESS = 5
# Seconds of wall time after which a process is killed: the machine is too busy to give it its CPU
# seconds. Shorter than a lease.
WALL_SECONDS = 25.0
# Bytes of memory of one process. A parser needs a hundred times the size of a page, and more.
MEMORY = 1024 * 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")


def prepare(modules: Sequence[str]) -> None:
    """Start the server, which imports these modules, without waiting for it."""
    _context.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


class Starved(Exception):
    """The machine was too busy to run the function."""


def run_within(seconds: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the function returns, or raise what it raises; all of it has to be picklable.

    `seconds` are CPU seconds. Raises TimeoutError when the function takes more, MemoryError when
    it needs more than MEMORY, Starved when the machine is too busy to run it, ChildProcessError
    when its process dies.
    """
    receiver, sender = _context.Pipe(duplex=False)
    given = (sender, seconds, function, args, kwargs)
    process = _context.Process(target=_work, args=given, daemon=True)
    with receiver:
        try:
            process.start()
        except OSError as error:  # the machine has no memory or no process left
            raise Starved(f"{function.__name__} could not be started") from error
        sender.close()  # the child holds the only other end: its death is seen here
        try:
            if not receiver.poll(WALL_SECONDS):
                raise Starved(f"{function.__name__} did not get {seconds} s in {WALL_SECONDS:g} s")
            returned, outcome = receiver.recv()
        except EOFError:
            process.join()
            if process.exitcode == -signal.SIGXCPU:
                raise TimeoutError(f"{function.__name__} took more than {seconds} s") from None
            raise ChildProcessError(f"the process of {function.__name__} died") from None
        finally:
            process.kill()
            process.join()
    if returned:
        return cast(T, outcome)
    raise outcome


def _work(
    sender: Connection,
    seconds: int,
    function: Callable[..., Any],
    args: Any,
    kwargs: dict[str, Any],
) -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGXCPU would dump core
    # The hard limit is a SIGKILL: a busy machine may count two seconds before it sends SIGXCPU.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        outcome: tuple[bool, Any] = (True, function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it is raised in the caller
        error.add_note(traceback.format_exc())  # a traceback cannot be pickled
        outcome = (False, error)
    with contextlib.suppress(BrokenPipeError):  # the caller has given up
        sender.send(outcome)

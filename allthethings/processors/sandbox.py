"""Run a function in a process of its own, with as much time as it may take and no more.

For parsers of what strangers wrote: some pages of a megabyte keep one busy for minutes, and a
thread cannot be interrupted. The processes are forked, in some milliseconds, from a server that
has imported what they need (multiprocessing's forkserver).
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

NICENESS = 5
"""The pages and the callbacks go first."""
PATIENCE = 25.0
"""Seconds until a busy machine has given a process its time, or never will; within a lease."""
MEMORY = 1024 * 1024 * 1024
"""Bytes: what a parser makes of a page takes a hundred times the page's own, and more."""

P = ParamSpec("P")
T = TypeVar("T")


def prepare(modules: Sequence[str]) -> None:
    """Start the server without waiting for it; it imports these modules."""
    _context.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


class Starved(Exception):
    """The machine was too busy with other things."""


def run_within(seconds: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns, or raises; all of it has to be picklable.

    Raises TimeoutError when it takes more of a processor's time, MemoryError when it wants more
    than it may have, Starved when it could not be started or did not get its time,
    ChildProcessError when its process dies.
    """
    receiver, sender = _context.Pipe(duplex=False)
    given = (sender, seconds, function, args, kwargs)
    process = _context.Process(target=_work, args=given, daemon=True)
    with receiver:
        try:
            process.start()
        except OSError as error:  # no memory or no process left for it
            raise Starved(f"{function.__name__} could not be started") from error
        sender.close()  # so that its end is seen here
        try:
            if not receiver.poll(PATIENCE):
                raise Starved(f"{function.__name__} did not get {seconds} s in {PATIENCE:g} s")
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
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGXCPU would write one
    # The hard limit is a SIGKILL: a busy machine may count two seconds before it sends SIGXCPU.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        outcome: tuple[bool, Any] = (True, function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        error.add_note(traceback.format_exc())  # a traceback itself does not travel
        outcome = (False, error)
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        sender.send(outcome)

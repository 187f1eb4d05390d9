"""Run a function in a process of its own, as long as it may take and no longer.

For parsers of what strangers wrote: some pages of a megabyte keep one busy for minutes, and a
thread cannot be interrupted. The processes are forked, in some milliseconds, from a server that
has imported what they need (multiprocessing's forkserver).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar, cast

_context = multiprocessing.get_context("forkserver")

NICENESS = 5
"""The pages and the callbacks go first."""
MEMORY = 1024 * 1024 * 1024
"""Bytes: what a parser makes of a page takes a hundred times the page's own, and more."""

P = ParamSpec("P")
T = TypeVar("T")


def prepare(modules: Sequence[str]) -> None:
    """Start the server without waiting for it; it imports these modules."""
    _context.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


def within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns, or raises; all of it has to be picklable.

    Raises TimeoutError when it takes longer, MemoryError when it wants more than it may have,
    ChildProcessError when its process dies.
    """
    receiver, sender = _context.Pipe(duplex=False)
    process = _context.Process(target=_work, args=(sender, function, args, kwargs), daemon=True)
    with receiver:
        process.start()
        sender.close()  # so that its end is seen here
        try:
            if not receiver.poll(seconds):
                raise TimeoutError(f"{function.__name__} took longer than {seconds:g} s")
            returned, outcome = receiver.recv()
        except EOFError:
            raise ChildProcessError(f"the process of {function.__name__} died") from None
        finally:
            process.kill()
            process.join()
    if returned:
        return cast(T, outcome)
    raise outcome


def _work(
    sender: Connection, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        outcome: tuple[bool, Any] = (True, function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        error.add_note(traceback.format_exc())  # a traceback itself does not travel
        outcome = (False, error)
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        sender.send(outcome)

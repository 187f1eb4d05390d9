"""Run a function in a process of its own, with bounds on its CPU time and memory.

The app parses strangers' files this way: some pages of a megabyte keep a parser busy for minutes,
and a thread cannot be interrupted. The processes are forked within milliseconds from a server
that has imported what they need (multiprocessing's forkserver).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import resource
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar, cast

_context = multiprocessing.get_context("forkserver")

# The module that lowers the priority of the server, and of all that it forks.
LOW_PRIORITY = "allthethings.processors.low_priority"
# Seconds of wall time after which a process is killed: the machine is too busy to give it its CPU
# seconds. Shorter than a lease.
WALL_SECONDS = 25.0
# Signals by which a process ends that made a mistake of its own.
CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP}
)
# Bytes of memory of one process. A parser needs a hundred times the size of a page, and more.
MEMORY = 1024 * 1024 * 1024
# Bytes of what a function may return, pickled. As objects it takes several times as many, in the
# memory of the app. The longest text with its pieces has about 30 MB.
MAX_OUTCOME = 48 * 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")


def preload(modules: Sequence[str]) -> None:
    """Have the server import these modules when it starts: for the first function, unless `start`
    was called before."""
    _context.set_forkserver_preload([LOW_PRIORITY, *modules])


def start() -> None:
    """Start the server, without waiting until it has imported its modules."""
    forkserver.ensure_running()


class Starved(Exception):
    """The machine was too busy to run the function."""


class Crashed(Exception):
    """The function made its process crash. A library in C does so on some bad input, and where it
    gets no more memory."""


def run_within(seconds: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the function returns, which has to be picklable, or raise what it raises; an
    error that cannot be pickled becomes a RuntimeError.

    `seconds` are CPU seconds. Raises TimeoutError when the function takes more, MemoryError when
    it needs more than MEMORY or returns more than MAX_OUTCOME, Crashed when it crashes its
    process, Starved when the machine is too busy to run it, ChildProcessError when its process
    dies of something else.
    """
    with contextlib.closing(_outcomes(seconds, _once, function, args, kwargs)) as outcomes:
        return cast(T, next(outcomes))


def stream_within(
    seconds: int, function: Callable[P, Iterable[T]], *args: P.args, **kwargs: P.kwargs
) -> Generator[T, None, None]:
    """As `run_within`, for a function that yields: each item comes when the one before was taken,
    so that neither process holds them all. MAX_OUTCOME bounds each of them."""
    return _outcomes(seconds, _each, function, args, kwargs)


def _outcomes(
    seconds: int,
    way: Callable[..., Iterator[Any]],
    function: Callable[..., Any],
    args: Any,
    kwargs: dict[str, Any],
) -> Generator[Any, None, None]:
    receiver, sender = _context.Pipe(duplex=False)
    given = (sender, seconds, way, function, args, kwargs)
    process = _context.Process(target=_work, args=given, daemon=True)
    left, name = WALL_SECONDS, function.__name__
    with receiver:
        try:
            process.start()
        except OSError as error:  # the machine has no memory or no process left
            raise Starved(f"{name} could not be started") from error
        sender.close()  # the child holds the only other end: its death is seen here
        try:
            while True:
                began = time.monotonic()
                if not receiver.poll(max(left, 0)):
                    raise Starved(f"{name} did not get {seconds} s in {WALL_SECONDS:g} s")
                try:
                    told = receiver.recv_bytes()
                except (EOFError, OSError):  # it died, the latter within an outcome
                    process.join()
                    raise _ended(process.exitcode or 0, name, seconds) from None
                outcome = pickle.loads(told)  # noqa: S301 - made by _work
                left -= time.monotonic() - began  # what the caller does meanwhile does not count
                if outcome is None:
                    return
                yield _returned(*outcome)
        finally:
            process.kill()
            process.join()


def _returned(returned: bool, outcome: Any) -> Any:
    if not returned:
        raise outcome
    return outcome


def _ended(exitcode: int, name: str, seconds: int) -> Exception:
    """What it means that the process ended without an outcome."""
    if exitcode == -signal.SIGXCPU:
        return TimeoutError(f"{name} took more than {seconds} s")
    if -exitcode in CRASHES:
        return Crashed(f"{name} crashed its process")
    return ChildProcessError(f"the process of {name} died")


def _once(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Iterator[Any]:
    yield function(*args, **kwargs)


def _each(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Iterator[Any]:
    yield from function(*args, **kwargs)


def _work(
    sender: Connection,
    seconds: int,
    way: Callable[..., Iterator[Any]],
    function: Callable[..., Any],
    args: Any,
    kwargs: dict[str, Any],
) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGXCPU would dump core
    # The hard limit is a SIGKILL: a busy machine may count two seconds before it sends SIGXCPU.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with contextlib.suppress(BrokenPipeError):  # the caller has given up, or has what it wants
        try:
            for outcome in way(function, args, kwargs):
                _send(sender, (True, outcome), function)
            sender.send(None)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised in the caller
            _send(sender, (False, _portable(error)), function)


def _send(sender: Connection, outcome: tuple[bool, Any], function: Callable[..., Any]) -> None:
    told = pickle.dumps(outcome)
    if len(told) > MAX_OUTCOME:
        told = pickle.dumps((False, MemoryError(f"{function.__name__} returned too much")))
    sender.send_bytes(told)


def _portable(error: Exception) -> Exception:
    """The error as it can be pickled, with its traceback as a note. Libraries in C have some that
    cannot be, or cannot be read back."""
    told = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made by this process
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(told)
    return error

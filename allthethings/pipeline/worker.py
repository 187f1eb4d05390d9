"""All that goes on without a request: `flask --app app worker`.

Any number of workers may run against one database, beside any number of processes that serve:
they share the work by leases. One that is killed leaves its leases, which end within a minute, or
sooner where another worker of the same machine sees that it is gone.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.handover import Aside
from allthethings.pipeline.import_worker import ImportWorker
from allthethings.pipeline.look_worker import LookWorker
from allthethings.pipeline.reconciler import LIMIT, Reconciler

log = logging.getLogger(__name__)

# Seconds between two steps of the worker of imports.
STEP = 1.0
# Seconds for the steps under way after a signal to stop. Those that take longer are cut off.
STOP_SECONDS = 8.0

T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """Takes up what stopped half-way, looks at the lines of imports, at things and at lists.
    `revisions` takes up revisions of things, as `things` does things, and `complete` puts those
    that have ended in their things' places. `clean_up` removes what is left at Replicate, and
    `aside` does what all these hand over."""

    things: Reconciler
    revisions: Reconciler
    complete: Callable[[], int]
    clean_up: Callable[[], None]
    imports: ImportWorker
    looks: LookWorker
    lists: LookWorker
    aside: Aside
    _stopping: threading.Event = field(default_factory=threading.Event)
    # Set when there is something to take up, or the worker stops.
    _awake: threading.Event = field(default_factory=threading.Event)

    def run(self, every: float) -> None:
        """Work until `stop`. With `every` seconds between it looks for what stopped half-way, and
        for things and lists whose look is due; things of imports are taken up at once."""
        self.imports.on_added = self._awake.set
        tasks = (
            lambda: self._reconcile_for_ever(every),
            self._import_for_ever,
            lambda: self._look_for_ever(every),
        )
        loops = [threading.Thread(target=task, daemon=True) for task in tasks]
        for loop in loops:
            loop.start()
        log.info("worker started")
        self._stopping.wait()
        self._finish(loops)
        log.info("worker stopped")

    def stop(self) -> None:
        """Begin nothing more, and let `run` return when what is under way has ended, or after
        STOP_SECONDS."""
        self._stopping.set()
        self._awake.set()

    def run_once(self) -> int | None:
        """Do what can be done now. Returns how many things and revisions were taken up; None when
        a service is away."""
        _step("looks", self.looks.step)
        _step("lists", self.lists.step)
        _step("imports", self.imports.step)
        self._let_threads_end(math.inf)
        _step("imports", self.imports.step)
        taken = _step("reconciler", self._reconcile)
        self._let_threads_end(math.inf)
        return taken

    def _let_threads_end(self, deadline: float) -> None:
        """Wait for what works in threads, until a time of the monotonic clock at most."""
        while time.monotonic() < deadline and any(each.busy for each in self._in_threads):
            time.sleep(STEP / 10)

    @property
    def _in_threads(self) -> tuple[ImportWorker | LookWorker | Aside, ...]:
        """What works in threads of its own."""
        return self.imports, self.looks, self.lists, self.aside

    def _finish(self, loops: list[threading.Thread]) -> None:
        end = time.monotonic() + STOP_SECONDS
        for each in self._in_threads:
            each.stop()
        for loop in loops:
            loop.join(max(0.0, end - time.monotonic()))
        self._let_threads_end(end)

    def _reconcile(self) -> int:
        """Take up what nobody works on. Returns how many things and revisions that were. Raises
        ServiceUnavailable."""
        self.clean_up()
        stopping = self._stopping.is_set
        taken = self.things.reconcile(stopping=stopping)
        return taken + self.revisions.reconcile(stopping=stopping) + self.complete()

    def _reconcile_for_ever(self, every: float) -> None:
        while not self._stopping.is_set():
            taken = _step("reconciler", self._reconcile)
            if taken is None or taken < LIMIT:
                self._awake.wait(every)
                self._awake.clear()

    def _import_for_ever(self) -> None:
        while not self._stopping.is_set():
            _step("imports", self.imports.step)
            self._stopping.wait(STEP)

    def _look_for_ever(self, every: float) -> None:
        while not self._stopping.is_set():
            _step("looks", self.looks.step)
            _step("lists", self.lists.step)
            self._stopping.wait(every)


def _step(what: str, step: Callable[[], T]) -> T | None:
    """What the step returns; None when it failed."""
    try:
        return step()
    except ServiceUnavailable as error:
        log.warning("%s: %s", what, error)
    except Exception:
        log.exception("%s: a step failed", what)
    return None

"""Looks at the lines of imports in the background.

Any number of workers may run: each looks only at lines that it has claimed. A worker that dies
leaves its lines claimed until their leases end; then another one, or its successor, looks at them
again.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial

from allthethings.assets.imports import Fate, ImportState, Line
from allthethings.assets.members import is_member
from allthethings.assets.urls import clean_url, host_of
from allthethings.errors import (
    IndexingError,
    NoSuchAsset,
    ServiceUnavailable,
)
from allthethings.mongo import Database
from allthethings.pipeline.failures import UNFORESEEN
from allthethings.pipeline.lifecycle import Lifecycle
from allthethings.pipeline.submission import Submission
from allthethings.pipeline.turns import Turns
from allthethings.store.documents import SERVICE
from allthethings.store.insertions import AlreadyIndexed

log = logging.getLogger(__name__)

# Imports that one worker looks at by turns; further ones begin when one of these has ended.
AT_ONCE = 8
# The waits before a URL is looked at again whose server has a passing fault.
WAITS: Sequence[timedelta] = (timedelta(seconds=30), timedelta(minutes=2))
# How long a line waits for a service of the app's own.
OUTAGE_WAIT = timedelta(seconds=30)
# How long a line waits for a thing that is being deleted.
DELETED_WAIT = timedelta(seconds=2)
BEING_DELETED = ServiceUnavailable(SERVICE, "what is at this URL is being deleted")
# Things that are deleted in one step of an undo.
DELETED_AT_ONCE = 50
# Seconds between two removals of what nobody needs.
TIDY_EVERY = 60.0
# The states in which an import has something to do.
AT_WORK = (ImportState.UNDOING, ImportState.REMOVING, ImportState.RUNNING)
UNDOABLE = frozenset({ImportState.UNDOING, ImportState.UNDONE, ImportState.REMOVING})


class ImportWorker:
    """`step` is for one thread. The lines are looked at in the threads of `turns`."""

    def __init__(
        self,
        database: Database,
        submission: Submission,
        lifecycle: Lifecycle,
        turns: Turns,
        waits: Sequence[timedelta] = WAITS,
    ) -> None:
        self._store = database.imports
        self._lists = database.lists
        self._members = database.members
        self._assets = database.assets
        self._submission = submission
        self._lifecycle = lifecycle
        self._turns = turns
        self._waits = waits
        # The lines of each import that wait for their turn, or had it.
        self._queues: dict[str, list[Future[None]]] = {}
        # Called when a thing was added, in the thread that did.
        self.on_added: Callable[[], object] = lambda: None
        # When what nobody needs was removed, on the monotonic clock.
        self._tidied = -math.inf

    def step(self) -> None:
        """Begin what can be begun, and return without waiting for it. Call it every second or so:
        it also notices what was paused or undone. Raises ServiceUnavailable."""
        if time.monotonic() >= self._tidied + TIDY_EVERY:
            self._store.remove_interrupted()
            self._members.expire()
            self._tidied = time.monotonic()
        there = self._store.states(AT_WORK)
        at_work = {each: self._store.in_state(each, AT_ONCE) for each in AT_WORK if each in there}
        for each in at_work.get(ImportState.UNDOING, ()):
            self._guarded(self._undo, each.id)
        for each in at_work.get(ImportState.REMOVING, ()):
            self._guarded(self._remove, each.id)
        running = [each.id for each in at_work.get(ImportState.RUNNING, ())]
        self._drop_all_but(running)
        for import_id in running:
            self._feed(import_id)

    @property
    def busy(self) -> bool:
        """Whether lines are looked at, or wait for their turn."""
        # A copy: `step` may be at work in its own thread.
        return any(not each.done() for queue in [*self._queues.values()] for each in queue)

    def stop(self) -> None:
        """Begin nothing more."""
        self._turns.stop()

    def _drop_all_but(self, running: Collection[str]) -> None:
        """Take the lines of other imports out of the queue: they are paused or undone."""
        for import_id in self._queues.keys() - set(running):
            for waiting in self._queues.pop(import_id):
                waiting.cancel()

    def _feed(self, import_id: str) -> None:
        if any(not each.done() for each in self._queues.get(import_id, ())):
            return
        lines = self._store.due(import_id)
        self._queues[import_id] = [
            self._turns.submit(import_id, host_of(line.url), partial(self._look, line))
            for line in lines
        ]
        if lines:
            return
        if self._store.waits(import_id):
            self._store.shorten_leases(import_id)
        else:
            self._end(import_id)

    def _end(self, import_id: str) -> None:
        """No line waits any more, unless lines of a list were just added."""
        running, done = frozenset({ImportState.RUNNING}), frozenset({ImportState.DONE})
        if self._store.move(import_id, running, ImportState.DONE) and self._store.waits(import_id):
            self._store.move(import_id, done, ImportState.RUNNING)

    def _look(self, line: Line) -> None:
        """Find out what becomes of a line, unless another worker does."""
        try:
            held = self._store.claim(line)
            if held is not None:
                self._look_at(held)
        except ServiceUnavailable as error:  # its lease will end
            log.warning("line %d of import %s waits: %s", line.number, line.import_id, error)

    def _look_at(self, held: Line) -> None:
        try:
            asset = self._submission.take(held)
        except AlreadyIndexed as error:
            self._keep_known(held, error)
        except IndexingError as error:
            self._refuse(held, error)
        except Exception:
            log.exception("no answer for %r", held.url)
            self._refuse(held, UNFORESEEN)
        else:
            self.on_added()
            if not self._store.settle(held, Fate.INDEXED, asset.id):
                self._delete_if_undone(held.import_id, asset.id)

    def _keep_known(self, held: Line, error: AlreadyIndexed) -> None:
        """The thing was there before. A list has it from now on, unless it is being deleted."""
        of_list = held.depth is not None and error.asset.id != held.import_id
        if of_list and not self._lists.join(error.asset.id, held.import_id):
            self._store.look_later(held, BEING_DELETED, DELETED_WAIT, held.looks)
            return
        self._store.settle(held, _fate_of_known(held, error), error.asset.id)

    def _refuse(self, held: Line, error: IndexingError) -> None:
        """Refuse a line, or plan another look if that can help."""
        if isinstance(error, ServiceUnavailable):
            self._store.look_later(held, error, OUTAGE_WAIT, held.looks)
        elif error.retryable and held.looks < len(self._waits):
            self._store.look_later(held, error, self._waits[held.looks], held.looks + 1)
        else:
            self._store.settle(held, Fate.REFUSED, error=error)

    def _delete_if_undone(self, import_id: str, asset_id: str) -> None:
        """A worker that was held up for longer than a lease may add a thing after the undo."""
        found = self._store.get(import_id)
        if found is None or found.state in UNDOABLE:
            self._delete(asset_id)

    def _guarded(self, step: Callable[[str], None], import_id: str) -> None:
        """What goes wrong with one import keeps no other waiting."""
        try:
            step(import_id)
        except ServiceUnavailable as error:
            log.warning("import %s is not undone yet: %s", import_id, error)
        except Exception:
            log.exception("import %s is not undone", import_id)

    def _undo(self, import_id: str) -> None:
        """One step of an undo. It has ended when no line waits, held or not, and no thing is
        left."""
        self._store.close(import_id, Fate.WAITING)
        assets = self._assets.of_import(import_id, DELETED_AT_ONCE)
        for asset in assets:
            self._delete(asset.id)
        if not assets and not self._store.waits(import_id):
            self._store.close(import_id, Fate.INDEXED)
            self._store.move(import_id, frozenset({ImportState.UNDOING}), ImportState.UNDONE)

    def _remove(self, list_id: str) -> None:
        """One step of the removal of a list, as `_undo`."""
        self._store.close(list_id, Fate.WAITING)
        found = self._lists.to_delete(list_id, DELETED_AT_ONCE)
        for asset_id in found:
            if self._lists.leave(asset_id, list_id):
                self._delete(asset_id)
        if not found and not self._store.waits(list_id):
            self._lists.forget(list_id)

    def _delete(self, asset_id: str) -> None:
        with contextlib.suppress(NoSuchAsset):  # somebody else has
            self._lifecycle.delete(asset_id, with_things=True)


def _fate_of_known(held: Line, error: AlreadyIndexed) -> Fate:
    """A worker that died may have added the thing and not said so."""
    url = held.url if is_member(held.url) else clean_url(held.url)
    mine = error.asset.import_id == held.import_id and error.asset.url == url
    return Fate.INDEXED if mine and held.claims > 1 else Fate.KNOWN

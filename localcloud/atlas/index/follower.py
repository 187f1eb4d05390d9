"""Keeps one version of one index in step with its collection, by change stream.

On disk the index is always some state of the collection plus the resume token from which
to go on, so a crash of either side costs nothing but reading again. When the token has
fallen out of the oplog, or the collection was renamed, the collection is scanned; the
index goes on answering with what it has.

What a search may expect: `wait_current` returns once everything is in that was
acknowledged to any client of this proxy before the call, some milliseconds after the
write. When the follower is further behind than the given patience (a bulk load, a scan),
the search answers with what is there, as Atlas does.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from pymongo.errors import ConnectionFailure, OperationFailure

from localcloud.atlas.index.stores import Store, Token, encode_id
from localcloud.atlas.wire.upstream import Namespace, Upstream, WriteClock

log = logging.getLogger("atlas.follower")

COMMIT_CHANGES = 2_000
COMMIT_SECONDS = 0.5
QUIET_COMMIT_SECONDS = 30.0
PAUSE_SECONDS = 0.3
POLL_SECONDS = 0.003


class Listener(Protocol):
    """Told by the follower's thread what happened to its index."""

    def built(self, follower: Follower) -> None:
        """The index has caught up with its collection for the first time since the start."""

    def gone(self, follower: Follower) -> None:
        """The collection was dropped; the follower has ended."""

    def renamed(self, follower: Follower, namespace: Namespace) -> bytes | None:
        """The collection is now that one. Returns its uuid; None if it is gone already."""


class Follower:
    """One thread for one version of an index."""

    def __init__(
        self,
        upstream: Upstream,
        clock: WriteClock,
        store: Store,
        place: tuple[Namespace, bytes],
        listener: Listener,
    ) -> None:
        self.store = store
        self.loaded = threading.Event()
        self._upstream = upstream
        self._clock = clock
        self._namespace, self._uuid = place
        self._listener = listener
        self._position: Token | None = None
        self._current = -1  # the WriteClock's count up to which everything is in
        self._caught_up = False
        self._discarded = False
        self._changes = 0
        self._committed_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{place[0]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it commits what it has taken in."""
        self._stopping.set()

    def discard(self) -> None:
        """Ask the thread to end and to delete what is on disk."""
        self._discarded = True
        self._stopping.set()

    def join(self) -> None:
        self._thread.join()

    def wait_current(self, patience: float) -> None:
        """Wait until all writes counted by the clock are in, at most so many seconds."""
        seen = self._clock.count
        deadline = time.monotonic() + patience
        target = None
        while self._current < seen and time.monotonic() < deadline:
            position = self._position
            if position is None or self._stopping.is_set():
                return
            try:
                pending = self._upstream.pending(self._namespace, position)
            except OperationFailure:
                return  # the token is lost; the follower finds out by itself
            if pending.first is None or (target is not None and pending.first > target):
                self._current = max(self._current, seen)
                return
            target = target or pending.now
            while self._position is position and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)

    # The thread

    def _run(self) -> None:
        self._load()
        while not self._stopping.is_set():
            try:
                self._follow()
            except ConnectionFailure as error:
                log.info("%s: server away: %s", self._namespace, type(error).__name__)
            except OperationFailure as error:
                log.warning("%s: scanning again: %s", self._namespace, error.details)
                self._position = None
            except (OSError, sqlite3.Error) as error:
                log.error("%s: cannot write: %s", self._namespace, error)
                self.store.close()
                self._load()
            self._stopping.wait(PAUSE_SECONDS)
        self.store.close()
        if self._discarded:
            self.store.delete()

    def _load(self) -> None:
        self.store.open()
        self._position = self.store.token()
        self._changes = 0
        self.loaded.set()

    def _follow(self) -> None:
        """Take in changes until stopped, or until the collection is gone or moved."""
        if self._position is None:
            self._scan()
        moved = self._upstream.uuid(self._namespace) != self._uuid
        with self._upstream.watch(self._namespace, self._position) as stream:
            if not moved and not self._caught_up and self._nothing_pending():
                self._rest()
            while not self._stopping.is_set():
                change = stream.try_next()
                if change is None:
                    if moved:  # and the stream has nothing to say about it
                        self._end()
                        return
                    self._position = stream.resume_token
                    self._rest()
                elif change["operationType"] in ("drop", "dropDatabase", "invalidate"):
                    self._end()
                    return
                elif change["operationType"] == "rename":
                    self._rename(Namespace(change["to"]["db"], change["to"]["coll"]))
                    return
                else:
                    self._apply(change)
                    self._position = stream.resume_token
                    self._commit_if_due()
        self._commit()

    def _nothing_pending(self) -> bool:
        """Whether the index is current now: the stream itself says so only after a while."""
        if self._position is None:
            return False
        return self._upstream.pending(self._namespace, self._position).first is None

    def _scan(self) -> None:
        """Read the whole collection. Changes made meanwhile come by the stream afterwards;
        taking in a document twice does no harm."""
        began = time.monotonic()
        token = self._upstream.token(self._namespace)
        met: set[bytes] = set()
        for document in self._upstream.scan(self._namespace):
            if self._stopping.is_set():
                return
            self.store.put(document)
            met.add(encode_id(document["_id"]))
            if len(met) % COMMIT_CHANGES == 0:
                self.store.commit(None)
        self.store.keep_only(met)
        self._position = token
        self._commit()
        log.info("%s: %d documents in %.1f s", self._namespace, len(met), time.monotonic() - began)

    def _apply(self, change: Mapping[str, Any]) -> None:
        document = change.get("fullDocument")
        if document is None:  # deleted, or updated and deleted since
            self.store.remove(encode_id(change["documentKey"]["_id"]))
        else:
            self.store.put(document)
        self._changes += 1

    def _rest(self) -> None:
        """Nothing more has happened for now."""
        if not self._caught_up:
            self._commit()
            self._caught_up = True
            self._listener.built(self)
        elif self._changes or self._since_commit() > QUIET_COMMIT_SECONDS:
            self._commit()

    def _commit_if_due(self) -> None:
        if self._changes >= COMMIT_CHANGES or self._since_commit() > COMMIT_SECONDS:
            self._commit()

    def _since_commit(self) -> float:
        return time.monotonic() - self._committed_at

    def _commit(self) -> None:
        if self._position is None or self._discarded:
            return
        self.store.commit(self._position)
        self.store.compact()
        self._changes = 0
        self._committed_at = time.monotonic()

    def _end(self) -> None:
        self._stopping.set()
        self._listener.gone(self)

    def _rename(self, namespace: Namespace) -> None:
        """A token of the old name is no use under the new one."""
        uuid = self._listener.renamed(self, namespace)
        if uuid is None:
            self._end()
            return
        log.info("%s: renamed to %s", self._namespace, namespace)
        self._namespace, self._uuid = namespace, uuid
        self._position = None

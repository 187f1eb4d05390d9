"""Keeps one version of one index up to date with its collection, by a change stream.

The index on disk is always a state of the collection together with the resume token that follows
it, so after a crash some changes are read again and nothing is lost. If the oplog no longer
reaches back to the token, or the collection was renamed, the whole collection is scanned, and the
index answers with its old data meanwhile.

A search calls `wait_current` to include every write that was acknowledged to a client of this
proxy before. That takes some milliseconds. If the follower is further behind than the search
waits, for example during a bulk load, the search answers with the data that is there, as Atlas
does.
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

# Changes after which a busy follower commits.
COMMIT_CHANGES = 2_000
# Seconds after which a busy follower commits.
COMMIT_SECONDS = 0.5
# Seconds after which an idle follower commits its new token.
IDLE_COMMIT_SECONDS = 30.0
# Seconds before a follower starts again after an error.
RESTART_SECONDS = 0.3
# Seconds between two looks at the progress of a follower.
POLL_SECONDS = 0.003


class Listener(Protocol):
    """Receives the events of an index, in the thread of its follower."""

    def built(self, follower: Follower) -> None:
        """The index is up to date with its collection for the first time since the start."""

    def gone(self, follower: Follower) -> None:
        """The collection was dropped; the follower has ended."""

    def renamed(self, follower: Follower, namespace: Namespace) -> bytes | None:
        """The collection has a new name. Returns its uuid; None if it is already gone."""


class Follower:
    """The thread that keeps one version of an index up to date."""

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
        # The WriteClock's count up to which the index includes all writes.
        self._current = -1
        self._caught_up = False
        self._discarded = False
        self._changes = 0
        self._committed_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{place[0]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after a last commit."""
        self._stopping.set()

    def discard(self) -> None:
        """Ask the thread to end and to delete the index from disk."""
        self._discarded = True
        self._stopping.set()

    def join(self) -> None:
        self._thread.join()

    def wait_current(self, timeout: float) -> None:
        """Wait until the index includes all writes counted so far, at most `timeout` seconds."""
        seen = self._clock.count
        deadline = time.monotonic() + timeout
        target = None
        while self._current < seen and time.monotonic() < deadline:
            position = self._position
            if position is None or self._stopping.is_set():
                return
            try:
                pending = self._upstream.pending(self._namespace, position)
            except OperationFailure:
                return  # the oplog no longer reaches the token, as the follower will notice
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
            self._stopping.wait(RESTART_SECONDS)
        self.store.close()
        if self._discarded:
            self.store.delete()

    def _load(self) -> None:
        self.store.open()
        self._position = self.store.token()
        self._changes = 0
        self.loaded.set()

    def _follow(self) -> None:
        """Apply changes until stopped, or until the collection is dropped or renamed."""
        if self._position is None:
            self._scan()
        moved = self._upstream.uuid(self._namespace) != self._uuid
        with self._upstream.watch(self._namespace, self._position) as stream:
            if not moved and not self._caught_up and self._nothing_pending():
                self._rest()
            while not self._stopping.is_set():
                change = stream.try_next()
                if change is None:
                    if moved:  # and the stream reports no rename
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
        """Whether the index is current. The stream itself would report it only later."""
        if self._position is None:
            return False
        return self._upstream.pending(self._namespace, self._position).first is None

    def _scan(self) -> None:
        """Read the whole collection.

        The stream delivers the changes made meanwhile afterwards. Storing a document twice is
        harmless.
        """
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
        if document is None:  # deleted, perhaps after an update
            self.store.remove(encode_id(change["documentKey"]["_id"]))
        else:
            self.store.put(document)
        self._changes += 1

    def _rest(self) -> None:
        """Commit if it is time, while no further change waits."""
        if not self._caught_up:
            self._commit()
            self._caught_up = True
            self._listener.built(self)
        elif self._changes or self._since_commit() > IDLE_COMMIT_SECONDS:
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
        """Follow the collection under its new name, where the old token is not valid."""
        uuid = self._listener.renamed(self, namespace)
        if uuid is None:
            self._end()
            return
        log.info("%s: renamed to %s", self._namespace, namespace)
        self._namespace, self._uuid = namespace, uuid
        self._position = None

"""Keeps one version of one index up to date with its collection, by a change stream.

The index on disk is always a state of the collection together with the resume token that follows
it, so after a crash some changes are read again and nothing is lost. If the oplog no longer
reaches back to the token, or the collection was renamed, the whole collection is scanned, and the
index answers with its old data meanwhile. A scan writes only the documents that differ, and reads
the changes made meanwhile as it goes: else a busy collection would outrun the oplog at each scan.

A fault that passes, such as a full disk, is tried again from the last commit. Any other fault
makes the index FAILED until it is built anew; it concerns no other index.

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
from dataclasses import dataclass
from typing import Any, Protocol

import pymongo
from pymongo.change_stream import ChangeStream
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from localcloud.atlas.index.stores import Store, Token, encode_id
from localcloud.atlas.wire.upstream import (
    AWAIT_MS,
    IDLE_AWAIT_MS,
    Document,
    Namespace,
    Upstream,
    WriteClock,
)

log = logging.getLogger("atlas.follower")

# Changes after which a busy follower commits.
COMMIT_CHANGES = 2_000
# Seconds after which a busy follower commits.
COMMIT_SECONDS = 0.5
# Seconds after which an idle follower commits its new token.
IDLE_COMMIT_SECONDS = 30.0
# Seconds before a follower starts again after an error; they double while an index fails.
RESTART_SECONDS = 0.3
MAX_RESTART_SECONDS = 60.0
# Scanned documents between two looks at the changes made meanwhile.
SCAN_CHANGES = 500
# The server's codes for faults that pass: InternalError, CursorNotFound, OutOfDiskSpace and the
# end of a process. After any other, the token is taken for lost.
PASSING = frozenset({1, 43, 91, 11600, 14031})
# The changes that concern one document.
DOCUMENT_CHANGES = frozenset({"insert", "update", "replace", "delete"})
# Seconds for which changes come together, to be read at once, while no search waits for them.
GATHER_SECONDS = 0.1
# Changes read at once after which a follower goes on reading: it is behind.
MANY_CHANGES = 50
# Seconds between two looks at the progress of a follower.
POLL_SECONDS = 0.003


@dataclass(frozen=True)
class Pace:
    """How fast an index follows its collection, in seconds.

    `wait` is how long a search waits for its index to be loaded, and then to include all
    acknowledged writes. With a `lag`, a change is searched only that long after it was made, and no
    search waits for it: so does Atlas. `build` is how long a new index is built at least.
    """

    wait: float = 0.3
    lag: float = 0.0
    build: float = 0.0


QUICK = Pace()


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
        pace: Pace = QUICK,
    ) -> None:
        self.store = store
        # Whether the data on disk was loaded once, so that searches can be answered.
        self.loaded = threading.Event()
        # Whether the index is unusable after an unforeseen fault.
        self.failed = False
        self._is_open = False
        self._upstream = upstream
        self._clock = clock
        self._namespace, self._uuid = place
        self._listener = listener
        self._pace = pace
        # When a new index may be used at the earliest, on the monotonic clock.
        self._usable_at = 0.0
        self._position: Token | None = None
        # The stream in which the thread may be waiting.
        self._stream: ChangeStream[Document] | None = None
        # The WriteClock's count up to which the index includes all writes.
        self._current = -1
        self._caught_up = False
        self._discarded = False
        self._changes = 0
        # Changes of those that were read at once, up to the present one.
        self._read = 0
        self._committed_at = time.monotonic()
        self._stopping = threading.Event()
        # Set again and again while a search waits for changes.
        self._awaited = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{place[0]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after a last commit."""
        self._stopping.set()
        self._awaited.set()
        if (stream := self._stream) is not None:
            self._upstream.interrupt(self._namespace, stream)

    def discard(self) -> None:
        """Ask the thread to end and to delete the index from disk."""
        self._discarded = True
        self.stop()

    def join(self) -> None:
        self._thread.join()

    def wait_current(self) -> None:
        """Wait until the index includes all writes counted so far, as long as its pace tells."""
        if self._pace.lag:
            return
        timeout = self._pace.wait
        seen = self._clock.count(self._namespace.collection)
        deadline = time.monotonic() + timeout
        target = None
        while self._current < seen and time.monotonic() < deadline:
            position = self._position
            if position is None or self._stopping.is_set():
                return
            try:
                with pymongo.timeout(timeout):
                    pending = self._upstream.pending(self._namespace, position)
            except OperationFailure:
                return  # the oplog no longer reaches the token, as the follower will notice
            except PyMongoError as error:
                if error.timeout:
                    return
                raise
            if pending.first is None or (target is not None and pending.first > target):
                self._current = max(self._current, seen)
                return
            target = target or pending.now
            while self._position is position and time.monotonic() < deadline:
                self._awaited.set()
                time.sleep(POLL_SECONDS)

    # The thread

    def _run(self) -> None:
        pause = RESTART_SECONDS
        while not self._stopping.is_set():
            try:
                self._open()
                self._follow()
            except ConnectionFailure as error:
                log.info("%s: server away: %s", self._namespace, type(error).__name__)
            except OperationFailure as error:
                self._refused(error)
            except (OSError, sqlite3.Error) as error:
                log.error("%s: cannot write: %s", self._namespace, error)
                self._close()
            except Exception:
                log.exception("%s: index failed, building it anew", self._namespace)
                self._fail()
            pause = min(2 * pause, MAX_RESTART_SECONDS) if self.failed else RESTART_SECONDS
            self._stopping.wait(pause)
        self._close()
        if self._discarded:
            self.store.delete()

    def _open(self) -> None:
        """Load the store, unless it is open, and go back to its last commit."""
        if self._is_open:
            return
        self.store.open()
        self._is_open = True
        self._position = self.store.token()
        self._changes = 0
        self.loaded.set()

    def _close(self) -> None:
        self._is_open = False
        self.store.close()

    def _refused(self, error: OperationFailure) -> None:
        log.warning("%s: the server refused: %s", self._namespace, error.details)
        if error.code not in PASSING:
            self._position = None

    def _fail(self) -> None:
        self.failed = True
        self._caught_up = False
        self._close()
        self.store.delete()

    def _follow(self) -> None:
        """Apply changes until stopped, or until the collection is dropped or renamed."""
        if self._position is None:
            self._scan()
        moved = self._upstream.uuid(self._namespace) != self._uuid
        with self._upstream.watch(self._namespace, self._position) as stream:
            self._stream = stream
            if not moved and not self._caught_up and self._nothing_pending():
                self._rest()
            while not self._stopping.is_set():
                is_idle = self._caught_up and not self._changes and not moved
                self._upstream.set_wait(stream, IDLE_AWAIT_MS if is_idle else AWAIT_MS)
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
                    self._hold_back(change)
                    self._apply(change)
                    self._position = stream.resume_token
                    self._commit_if_due()
                    self._gather(stream)
        self._commit()

    def _nothing_pending(self) -> bool:
        """Whether the index is current. The stream itself would report it only later."""
        if self._position is None:
            return False
        return self._upstream.pending(self._namespace, self._position).first is None

    def _scan(self) -> None:
        """Read the whole collection, and the changes made meanwhile.

        What a change has told of a document is newer than what the scan may have read before.
        """
        began = time.monotonic()
        self._usable_at = began + self._pace.build
        met: set[bytes] = set()
        changed: set[bytes] = set()
        token = self._upstream.token(self._namespace)
        with self._upstream.watch(self._namespace, token, await_ms=1) as stream:
            for number, document in enumerate(self._upstream.scan(self._namespace), 1):
                if self._stopping.is_set():
                    return
                key = encode_id(document["_id"])
                met.add(key)
                if key not in changed and not self.store.has(document):
                    self.store.put(document)
                    self._changes += 1
                if number % SCAN_CHANGES == 0:
                    token = self._apply_waiting(stream, token, changed)
                if self._changes >= COMMIT_CHANGES:
                    self.store.commit(None)
                    self._changes = 0
        self.store.keep_only(met | changed)
        self._position = token
        self._commit()
        log.info("%s: %d documents in %.1f s", self._namespace, len(met), time.monotonic() - began)

    def _apply_waiting(
        self, stream: ChangeStream[Document], token: Token, changed: set[bytes]
    ) -> Token:
        """Apply the changes of documents that the stream has now, and note their keys.

        Returns the token after them. A change of the whole collection is left for later.
        """
        while stream.alive and (change := stream.try_next()) is not None:
            if change["operationType"] not in DOCUMENT_CHANGES:
                stream.close()
                return token
            self._apply(change)
            changed.add(encode_id(change["documentKey"]["_id"]))
            token = stream.resume_token or token
        if stream.alive:  # also past the changes of other collections
            token = stream.resume_token or token
        return token

    def _hold_back(self, change: Mapping[str, Any]) -> None:
        """Wait until the change is as old as the pace tells."""
        if self._pace.lag:
            age = time.time() - int(change["wallTime"]) / 1000
            self._stopping.wait(max(0.0, self._pace.lag - age))

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
            if time.monotonic() < self._usable_at:
                return
            self._listener.built(self)
            self._caught_up = True
            self.failed = False
        elif self._changes or self._since_commit() > IDLE_COMMIT_SECONDS:
            self._commit()

    def _gather(self, stream: ChangeStream[Document]) -> None:
        """Let some changes come together, if few were read, unless a search waits for them."""
        self._read += 1
        if not self._upstream.has_read(stream):
            if self._read < MANY_CHANGES and self._awaited.wait(GATHER_SECONDS):
                self._awaited.clear()
            self._read = 0

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
        self._listener.gone(self)  # it is told again if its catalog cannot be written
        self._stopping.set()

    def _rename(self, namespace: Namespace) -> None:
        """Follow the collection under its new name, where the old token is not valid."""
        uuid = self._listener.renamed(self, namespace)
        if uuid is None:
            self._end()
            return
        log.info("%s: renamed to %s", self._namespace, namespace)
        self._namespace, self._uuid = namespace, uuid
        self._position = None
        self._current = -1  # each name has its own count

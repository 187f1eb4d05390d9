"""All search indexes of this server: their catalog entries, their followers, their stores."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from localcloud.atlas.index.catalog import Catalog, Entry, Request
from localcloud.atlas.index.definitions import VECTOR_SEARCH, VectorDefinition, parse
from localcloud.atlas.index.follower import QUICK, Follower, Pace
from localcloud.atlas.index.stores import Store
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.vector.fields import FieldStores
from localcloud.atlas.wire.errors import CommandError, QueryError
from localcloud.atlas.wire.upstream import Namespace, Upstream, WriteClock

log = logging.getLogger("atlas.indexes")


class Indexes:
    """All search indexes. Its methods may be called from any thread."""

    def __init__(
        self, data_dir: Path, upstream: Upstream, clock: WriteClock, pace: Pace = QUICK
    ) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._directory = data_dir / "indexes"
        self._upstream = upstream
        self._clock = clock
        self._pace = pace
        self._lock = threading.RLock()
        self._catalog = Catalog(data_dir / "catalog.sqlite")
        self._entries = {entry.id: entry for entry in self._catalog.entries()}
        self._followers: dict[tuple[str, int], Follower] = {}
        self._sweep()
        for entry in list(self._entries.values()):
            try:
                self._follow(entry, entry.version)
                if entry.serving not in (None, entry.version):
                    self._follow(entry, entry.serving)
            except CommandError as error:  # an older version of this server accepted it
                log.warning("index %s is dropped: %s", entry.name, error)
                self._remove(entry)

    def stop(self) -> None:
        """Stop every follower after a last commit of its changes."""
        with self._lock:
            followers = list(self._followers.values())
        for follower in followers:
            follower.stop()
        for follower in followers:
            follower.join()
        self._catalog.close()

    # Commands

    def create(self, namespace: Namespace, requests: Sequence[Request]) -> list[Entry]:
        """Create the indexes, all or none. Raises CommandError.

        An index that already exists with the same definition is left as it is.
        """
        for request in requests:
            parse(request.type, request.definition)
        uuid = self._require(namespace)
        with self._lock:
            self._forget_namesakes(namespace, uuid)
            known = {entry.name: entry for entry in self._of(namespace)}
            created = []
            for request in requests:
                old = known.get(request.name)
                if old is None:
                    place = (namespace.db, namespace.collection, uuid)
                    known[request.name] = Entry.new(place, request)
                    created.append(known[request.name])
                elif (old.type, old.definition) != (request.type, request.definition):
                    raise CommandError(
                        "IndexAlreadyExists",
                        f"Index {request.name} already exists with a different definition."
                        " Drop it first if needed.",
                    )
            self._save(*created)
            for entry in created:
                self._follow(entry, entry.version)
            return [known[request.name] for request in requests]

    def update(
        self, namespace: Namespace, key: str, value: str, definition: Mapping[str, Any]
    ) -> None:
        """Give an index a new definition. Raises CommandError."""
        self._require(namespace)
        with self._lock:
            entry = self._only(namespace, key, value)
            parse(entry.type, definition)
            if entry.definition == definition:
                return
            if entry.version != entry.serving:
                self._discard(entry, entry.version)
            entry = entry.updated(definition)
            self._save(entry)
            self._follow(entry, entry.version)

    def drop(self, namespace: Namespace, key: str, value: str) -> None:
        """Raises CommandError if there is no such index, or no such collection."""
        self._require(namespace)
        with self._lock:
            self._remove(self._only(namespace, key, value))

    def listed(self, namespace: Namespace, key: str | None, value: object) -> list[dict[str, Any]]:
        """The documents of $listSearchIndexes, of all indexes or of the one with that value.

        `key` is "name", "id" or None.
        """
        with self._lock:
            entries = self._of(namespace)
        if entries and self._upstream.uuid(namespace) != entries[0].uuid:
            return []
        return [self._describe(e) for e in entries if key is None or _value(e, key) == value]

    def _require(self, namespace: Namespace) -> bytes:
        """The collection's uuid. Raises CommandError if it does not exist."""
        uuid = self._upstream.uuid(namespace)
        if uuid is None:
            raise CommandError("NamespaceNotFound", f"Collection '{namespace}' does not exist.")
        return uuid

    # Searching

    def serving(self, namespace: Namespace, name: str, kind: str, stage: str) -> Store | None:
        """The store of an index of that type; None if there is no such index.

        It includes all writes acknowledged before the call unless it is far behind. Raises
        QueryError if the index is of another type, or cannot be asked yet.
        """
        with self._lock:
            entry = next((e for e in self._of(namespace) if e.name == name), None)
            if entry is None:
                return None
            if entry.type != kind:
                raise QueryError(f"Cannot execute {stage} over {entry.type} index '{entry.name}'")
            follower = self._serving_follower(entry)
        if follower is None or not follower.loaded.wait(self._pace.wait) or follower.failed:
            state = "FAILED" if self._has_failed(entry) else "INITIAL_SYNC"
            noun = "vector" if kind == VECTOR_SEARCH else "search"
            raise QueryError(f"cannot query {noun} index {entry.name} while in state {state}")
        follower.wait_current()
        return follower.store

    def _serving_follower(self, entry: Entry) -> Follower | None:
        """The follower of the version that answers searches; None until one is built."""
        if entry.serving is None:
            return None
        return self._followers.get((entry.id, entry.serving))

    def _has_failed(self, entry: Entry) -> bool:
        """Whether the latest version cannot be built."""
        follower = self._followers.get((entry.id, entry.version))
        return follower is not None and follower.failed

    def _describe(self, entry: Entry) -> dict[str, Any]:
        """The document of $listSearchIndexes, with the fields of MongoDB's documentation."""
        serving = self._serving_follower(entry)
        queryable = serving is not None and serving.loaded.is_set() and not serving.failed
        ready = queryable and entry.serving == entry.version
        status = "FAILED" if self._has_failed(entry) else "READY" if ready else "BUILDING"
        return {
            "id": entry.id,
            "name": entry.name,
            "type": entry.type,
            "status": status,
            "queryable": queryable,
            "latestVersion": entry.version,
            "latestDefinitionVersion": {"version": entry.version, "createdAt": entry.created},
            "latestDefinition": entry.definition,
            "statusDetail": [],
        }

    # Called by followers

    def built(self, follower: Follower) -> None:
        with self._lock:
            found = self._place_of(follower)
            if found is None:
                return
            entry, version = found
            if version != entry.version or version == entry.serving:
                return
            self._save(entry.served())
            if entry.serving is not None:
                self._discard(entry, entry.serving)
        log.info("index %s of %s.%s is ready", entry.name, entry.db, entry.collection)

    def gone(self, follower: Follower) -> None:
        with self._lock:
            found = self._place_of(follower)
            if found is not None:
                log.info("index %s is gone with its collection", found[0].name)
                self._remove(found[0])

    def renamed(self, follower: Follower, namespace: Namespace) -> bytes | None:
        uuid = self._upstream.uuid(namespace)
        with self._lock:
            found = self._place_of(follower)
            if uuid is None or found is None:
                return None
            self._forget_namesakes(namespace, uuid)
            db, collection = namespace.db, namespace.collection
            self._save(replace(found[0], db=db, collection=collection, uuid=uuid))
        return uuid

    # For callers that hold the lock

    def _of(self, namespace: Namespace) -> list[Entry]:
        place = (namespace.db, namespace.collection)
        return [entry for entry in self._entries.values() if (entry.db, entry.collection) == place]

    def _only(self, namespace: Namespace, key: str, value: str) -> Entry:
        for entry in self._of(namespace):
            if _value(entry, key) == value:
                return entry
        raise CommandError(
            "IndexNotFound", f"No index with {key} {value} exists in namespace {namespace}"
        )

    def _save(self, *entries: Entry) -> None:
        self._catalog.save(*entries)
        self._entries.update({entry.id: entry for entry in entries})

    def _follow(self, entry: Entry, version: int) -> None:
        place = (Namespace(entry.db, entry.collection), entry.uuid)
        store = self._store(entry, version)
        follower = Follower(self._upstream, self._clock, store, place, self, self._pace)
        self._followers[entry.id, version] = follower
        follower.start()

    def _store(self, entry: Entry, version: int) -> Store:
        latest = version == entry.version
        given = entry.definition if latest else entry.serving_definition
        definition = parse(entry.type, given or {})
        directory = self._directory / entry.id / str(version)
        if isinstance(definition, VectorDefinition):
            return FieldStores(directory, definition)
        return TextStore(directory, definition)

    def _place_of(self, follower: Follower) -> tuple[Entry, int] | None:
        for (index_id, version), known in self._followers.items():
            if known is follower:
                return self._entries[index_id], version
        return None

    def _forget_namesakes(self, namespace: Namespace, uuid: bytes) -> None:
        """Remove the indexes of a dropped collection of the same name.

        Their followers have not noticed the drop yet.
        """
        for entry in self._of(namespace):
            if entry.uuid != uuid:
                self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        self._catalog.delete(entry.id)
        del self._entries[entry.id]
        for index_id, version in list(self._followers):
            if index_id == entry.id:
                self._discard(entry, version)

    def _discard(self, entry: Entry, version: int) -> None:
        follower = self._followers.pop((entry.id, version), None)
        if follower is not None:
            follower.discard()

    def _sweep(self) -> None:
        """Delete the directories that a crash has left of removed indexes and versions."""
        for directory in self._directory.glob("*/*"):
            entry = self._entries.get(directory.parent.name)
            if entry is None or directory.name not in (str(entry.version), str(entry.serving)):
                shutil.rmtree(directory)


def _value(entry: Entry, key: str) -> str:
    """The value of the entry's `name` or `id`."""
    return entry.name if key == "name" else entry.id

"""SecantusDB and the proxy before it, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bson.binary import Binary, BinaryVectorDtype
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure
from pymongo.operations import SearchIndexModel

from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from tests.support.small_disk import SmallDisk
from tools.harness.waiting import wait_for

Document = dict[str, Any]


class Atlas:
    """Both processes, each of which can be killed and started again on its port."""

    def __init__(
        self,
        directory: Path,
        disk: SmallDisk | None = None,
        search_wait: float = 30.0,
        options: Sequence[str] = (),
    ) -> None:
        """`disk` is where the proxy keeps its indexes, if it is another one; `options` are more of
        its options.

        Searches wait so long, in seconds, that they include all writes on a busy machine.
        """
        self.directory = directory
        self._disk = disk
        self._search_wait = search_wait
        self._options = options
        self.port = pick_port()
        self.upstream_port = pick_port({self.port})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log_starts: dict[str, int] = {}
        self.client: MongoClient[Document] = MongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
            serverSelectionTimeoutMS=1_000,
        )
        self.direct: MongoClient[Document] = MongoClient(
            f"mongodb://127.0.0.1:{self.upstream_port}/?directConnection=true"
        )

    def start(self, *names: str) -> None:
        """Start processes and wait until a client is served."""
        for name in names:
            log = self.directory / f"{name}.log"
            self._log_starts[name] = log.stat().st_size if log.exists() else 0
            self.processes[name] = spawn(self._program(name))
        wait_for(
            lambda: bool(self.client.admin.command("ping")["ok"]),
            "an answer",
            despite=ConnectionFailure,
        )

    def _program(self, name: str) -> Program:
        if name == "secantus":
            argv = secantus_argv(self.upstream_port, self.directory / "db")
        else:
            argv = [
                *(sys.executable, "-m", "localcloud.atlas", "--port", str(self.port)),
                *("--upstream-port", str(self.upstream_port)),
                *("--data-dir", str(self._disk.place if self._disk else self.directory / "atlas")),
                *("--search-wait", str(self._search_wait)),
                *self._options,
            ]
            argv = [*self._disk.enter, *argv] if self._disk else argv
        return Program(name, argv, self.directory / f"{name}.log")

    def kill(self, name: str, how: int = signal.SIGKILL) -> int:
        """End a process and wait for it. Returns its exit code."""
        process = self.processes.pop(name)
        os.kill(process.pid, how)
        return process.wait(20)

    def log(self, name: str) -> str:
        """What the process has written since its latest start."""
        data = (self.directory / f"{name}.log").read_bytes()
        return data[self._log_starts[name] :].decode()

    def stop(self) -> None:
        self.client.close()
        self.direct.close()
        for name in list(self.processes):
            self.kill(name)


def vector_field(similarity: str = "euclidean", dimensions: int = 8) -> Document:
    return {
        "type": "vector",
        "path": "embedding",
        "numDimensions": dimensions,
        "similarity": similarity,
    }


def create_index(
    collection: Collection[Document],
    *filters: str,
    name: str = "vector_index",
    similarity: str = "euclidean",
    dimensions: int = 8,
) -> None:
    """Create a vector index on `embedding` and wait until it can be asked."""
    fields = [vector_field(similarity, dimensions)]
    fields += [{"type": "filter", "path": path} for path in filters]
    collection.create_search_index(SearchIndexModel({"fields": fields}, name, "vectorSearch"))
    wait_queryable(collection, name)


def wait_queryable(collection: Collection[Document], name: str = "vector_index") -> None:
    wait_for(
        lambda: any(
            index["queryable"] and index["status"] == "READY"
            for index in collection.list_search_indexes(name)
        ),
        f"{name} queryable",
        despite=ConnectionFailure,
    )


def search_stage(vector: Any, limit: int = 10, **options: Any) -> Document:
    """A $vectorSearch stage: exact, unless numCandidates is given."""
    stage = {
        "index": "vector_index",
        "path": "embedding",
        "queryVector": vector if isinstance(vector, Binary) else [float(x) for x in vector],
        "limit": limit,
        **options,
    }
    if "numCandidates" not in stage:
        stage.setdefault("exact", True)
    return {"$vectorSearch": stage}


SCORE = {"$meta": "vectorSearchScore"}


def found(
    collection: Collection[Document], vector: Any, limit: int = 10, **options: Any
) -> list[tuple[Any, float]]:
    """_ids and scores, best first."""
    pipeline = [search_stage(vector, limit, **options), {"$project": {"score": SCORE}}]
    return [(hit["_id"], hit["score"]) for hit in collection.aggregate(pipeline)]


def ids(
    collection: Collection[Document], vector: Any, limit: int = 10, **options: Any
) -> list[Any]:
    return [key for key, _ in found(collection, vector, limit, **options)]


def binary(vector: Any) -> Binary:
    return Binary.from_vector([float(x) for x in vector], BinaryVectorDtype.FLOAT32)


def create_text_index(
    collection: Collection[Document], fields: Document, name: str = "default", **options: Any
) -> None:
    """Create a search index with those field mappings and wait until it can be asked."""
    definition = {"mappings": {"dynamic": False, "fields": fields}, **options}
    collection.create_search_index(SearchIndexModel(definition, name, "search"))
    wait_queryable(collection, name)


TEXT_SCORE = {"$meta": "searchScore"}


def scored(
    collection: Collection[Document], operator: Document, *stages: Document
) -> list[tuple[Any, float]]:
    """_ids and scores of a $search, best first."""
    pipeline = [{"$search": operator}, *stages, {"$project": {"score": TEXT_SCORE}}]
    return [(hit["_id"], hit["score"]) for hit in collection.aggregate(pipeline)]


def matches(collection: Collection[Document], operator: Document) -> list[Any]:
    """The _ids that a $search finds, in order of the _ids."""
    return sorted(key for key, _ in scored(collection, operator))

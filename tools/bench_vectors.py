"""How fast and how well the local `$vectorSearch` finds vectors: part of `make bench`.

    python -m tools.bench_vectors [quick] [peers | peers=PYTHON] [VECTORS]

The vectors are made from real ones: the embedding model reads the sentences of docs/ and examples/,
and each vector is a mixture of two sentences of one text with the difference of two others added,
so they have the directions and the density of real ones. The queries are sentences that were kept
out of that. Recall is the share of the exact ten nearest that were found. The index is filled
through its store, and then asked, written to and killed through pymongo.

`peers` compares other libraries on the same vectors, each in a process of its own and without a
server. They are installed in an environment of their own, which is deleted; or PYTHON is that of an
environment that has them. Beside each stands how long it takes to put all vectors in.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bson.binary import Binary, BinaryVectorDtype
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from pymongo.operations import SearchIndexModel

from localcloud.atlas import secantus_argv
from localcloud.atlas.index.definitions import VectorDefinition, parse
from localcloud.atlas.vector.fields import FieldStores
from localcloud.ports import pick_port
from localcloud.processes import Program, spawn
from localcloud.weights import cache
from tools.bench_peers import KINDS, NAMES, PACKAGES
from tools.harness.cloud import ROOT
from tools.harness.models import module_of
from tools.harness.waiting import wait_for

Floats = npt.NDArray[np.float32]
Document = dict[str, Any]

VECTORS, QUICK_VECTORS = 100_000, 20_000
QUERIES, FOUND = 100, 10
# Rows after which the store commits while it is filled.
COMMIT_ROWS = 2_000
# Documents that are inserted one by one, and that a kill follows.
INSERTS = 20
DEFINITION: Document = {
    "fields": [
        {"type": "vector", "path": "v", "numDimensions": 768, "similarity": "euclidean"},
        {"type": "filter", "path": "kind"},
    ]
}


def real_vectors() -> tuple[Floats, list[int]]:
    """The vectors of all sentences, and the number of the text that each one is from."""
    texts = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/texts/*.txt"))]
    sentences, of_text = [], []
    for number, path in enumerate(texts):
        for sentence in re.split(r"(?<=[.!?])\s+|\s*\|\s*|\n\n", path.read_text("utf-8")):
            if len(sentence) > 30:
                sentences.append(sentence)
                of_text.append(number)
    embedder = module_of("all-mpnet-base-v2", "embedder").Embedder(
        cache.present("all-mpnet-base-v2")
    )
    parts = [embedder.embed(sentences[at : at + 64]) for at in range(0, len(sentences), 64)]
    return np.concatenate(parts).astype(np.float32), of_text


def mixtures(count: int) -> tuple[Floats, Floats]:
    """So many unit vectors, and the queries."""
    real, of_text = real_vectors()
    draw = np.random.default_rng(4)
    asked = draw.permutation(len(real))[:QUERIES]
    base = np.setdiff1d(np.arange(len(real)), asked)
    texts = np.array(of_text)
    begins = np.searchsorted(texts[base], texts[base], "left")
    sizes = np.searchsorted(texts[base], texts[base], "right") - begins
    rows = np.empty((count, real.shape[1]), np.float32)
    for at in range(0, count, 50_000):
        size = min(50_000, count - at)
        one, third, fourth = draw.integers(0, len(base), (3, size))
        other = begins[one] + (draw.random(size) * sizes[one]).astype(np.intp)
        share = draw.uniform(0, 0.5, (size, 1)).astype(np.float32)
        mixed = (1 - share) * real[base[one]] + share * real[base[other]]
        scale = draw.uniform(0.2, 0.6, (size, 1)).astype(np.float32)
        mixed += scale * (real[base[third]] - real[base[fourth]])
        rows[at : at + size] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return rows, real[asked]


def nearest(rows: Floats, queries: Floats, kind: int | None = None) -> list[list[int]]:
    """The numbers of the exact nearest rows of each query, of one kind or of all."""
    found = []
    for query in queries:
        closeness = np.vecdot(rows, query)
        if kind is not None:
            closeness[np.arange(len(rows)) % KINDS != kind] = -2
        best = np.argpartition(-closeness, FOUND)[:FOUND]
        found.append([int(row) for row in best])
    return found


class Server:
    """SecantusDB and the proxy in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._behind = pick_port()
        self._port = pick_port({self._behind})
        uri = f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        self.client: MongoClient[Document] = MongoClient(uri, serverSelectionTimeoutMS=500)
        self.collection: Collection[Document] = self.client.bench.passages
        self._secantus = self._spawn("secantus", secantus_argv(self._behind, folder / "db"))
        self._proxy = self._start_proxy()

    def _spawn(self, name: str, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return spawn(Program(name, argv, self.folder / f"{name}.log"))

    def _start_proxy(self) -> subprocess.Popen[bytes]:
        place = ["--port", str(self._port), "--upstream-port", str(self._behind)]
        folder = ["--data-dir", str(self.folder / "atlas")]
        return self._spawn("atlas", [sys.executable, "-m", "localcloud.atlas", *place, *folder])

    def restart(self, how: signal.Signals, between: Callable[[], None], query: Floats) -> float:
        """End the proxy, and start it again. Returns the seconds until a search is answered. Until
        then it has to be refused. Raises RuntimeError if it finds nothing instead."""

        def is_answered() -> bool:
            if self.search(query):
                return True
            raise RuntimeError("an index that is loaded, or yet to load, found nothing")

        self._end(self._proxy, how)
        between()
        began = time.perf_counter()
        self._proxy = self._start_proxy()
        wait_for(is_answered, "an answer", despite=PyMongoError)
        return time.perf_counter() - began

    def create(self) -> Path:
        """Create the collection and its index. Returns the folder of the index."""
        database = self.client.bench
        wait_for(lambda: database.command("ping")["ok"], "the server", despite=PyMongoError)
        database.create_collection(self.collection.name)
        model = SearchIndexModel(DEFINITION, "vectors", "vectorSearch")
        self.collection.create_search_index(model)

        def ready() -> str | None:
            (index,) = self.collection.list_search_indexes()
            return str(index["id"]) if index["status"] == "READY" else None

        return self.folder / "atlas" / "indexes" / wait_for(ready, "the index") / "0"

    def search(self, query: Floats, kind: int | None = None) -> list[Any]:
        stage = {
            "index": "vectors",
            "path": "v",
            "queryVector": binary(query),
            "numCandidates": 10 * FOUND,
            "limit": FOUND,
            **({} if kind is None else {"filter": {"kind": kind}}),
        }
        shown = {"$project": {"score": {"$meta": "vectorSearchScore"}}}
        return [row["_id"] for row in self.collection.aggregate([{"$vectorSearch": stage}, shown])]

    def stop(self) -> None:
        self.client.close()
        self._end(self._proxy, signal.SIGTERM)
        self._end(self._secantus, signal.SIGTERM)

    def _end(self, process: subprocess.Popen[bytes], how: signal.Signals) -> None:
        process.send_signal(how)
        process.wait(60)


def binary(vector: Floats) -> Binary:
    return Binary.from_vector(vector.tolist(), BinaryVectorDtype.FLOAT32)


def fill(folder: Path, rows: Floats) -> None:
    """Put the rows into the index, as its follower does."""
    definition = parse("vectorSearch", DEFINITION)
    if not isinstance(definition, VectorDefinition):
        raise TypeError(definition)
    stores = FieldStores(folder, definition)
    stores.open()
    token = stores.token()
    for number, row in enumerate(rows):
        stores.put({"_id": number, "kind": number % KINDS, "v": binary(row)})
        if number % COMMIT_ROWS == 0:
            stores.commit(token)
    stores.commit(token)
    stores.close()


def measure(
    ask: Callable[[Floats], Sequence[Any]], queries: Floats, truth: Sequence[Sequence[int]]
) -> str:
    """The times of all queries, and how much of the truth they found."""
    for query in queries[:5]:
        ask(query)
    took, hits = [], 0
    for query, best in zip(queries, truth, strict=True):
        began = time.perf_counter()
        found = ask(query)
        took.append((time.perf_counter() - began) * 1000)
        hits += len(set(found) & set(best))
    slowest = statistics.quantiles(took, n=100)[-1]
    return f"{statistics.median(took):.1f} | {slowest:.1f} | {hits / FOUND / len(queries):.4f}"


def measure_server(server: Server, rows: Floats, queries: Floats) -> None:
    folder, size = server.create(), f"{len(rows):,}"
    filled = 0.0

    def timed_fill() -> None:
        nonlocal filled
        began = time.perf_counter()
        fill(folder, rows)
        filled = time.perf_counter() - began

    started = server.restart(signal.SIGTERM, timed_fill, queries[0])
    made = f", made in {filled:.0f} s"
    for kind, words in ((None, made), (3, f", one of {KINDS} kinds")):
        truth = nearest(rows, queries, kind)
        print(f"| $vectorSearch in {size}{words} | ", end="")
        print(measure(lambda query: server.search(query, kind), queries, truth), "|", flush=True)  # noqa: B023
    slowest = 0.0
    for number, query in enumerate(queries[:INSERTS]):
        key = f"new {number}"
        began = time.perf_counter()
        server.collection.insert_one({"_id": key, "kind": 0, "v": binary(query)})
        wait_for(lambda: key in server.search(query), "the document")  # noqa: B023
        slowest = max(slowest, time.perf_counter() - began)
    again = server.restart(signal.SIGKILL, lambda: None, queries[0])
    lost = [n for n, each in enumerate(queries[:INSERTS]) if f"new {n}" not in server.search(each)]
    print(f"| the slowest of {INSERTS} inserts, until it is found | {slowest * 1000:.0f} | | |")
    print(f"| a start with {size}, until a search is answered | {started * 1000:.0f} | | |")
    print(f"| a start after a kill: {len(lost)} of {INSERTS} lost | {again * 1000:.0f} | | |")


def peers_python(folder: Path) -> str:
    """The Python of a new environment that has the other libraries."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def measure_peers(python: str, folder: Path, rows: Floats, queries: Floats) -> None:
    """Run each library in a process of its own."""
    np.savez(folder / "vectors.npz", rows=rows, queries=queries)
    np.savez(
        folder / "truth.npz", all=nearest(rows, queries), filtered=nearest(rows, queries, kind=3)
    )
    for name in NAMES:
        peer = [python, str(ROOT / "tools" / "bench_peers.py"), name, str(folder)]
        done = subprocess.run(peer, check=False, capture_output=True, text=True)
        print(done.stdout.strip() or f"| {name} | {done.stderr.strip()[-200:]} | | |", flush=True)


def main() -> int:
    given = set(sys.argv[1:])
    numbers = [int(word) for word in given if word.isdigit()]
    count = numbers[0] if numbers else QUICK_VECTORS if "quick" in given else VECTORS
    rows, queries = mixtures(count)
    print("| what | median, ms | 99th percentile, ms | recall |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        server = Server(folder)
        try:
            measure_server(server, rows, queries)
        finally:
            server.stop()
        for word in given:
            if word.startswith("peers"):
                python = word.partition("=")[2] or peers_python(folder / "environment")
                measure_peers(python, folder, rows, queries)
    print(f"| load while this was measured | {os.getloadavg()[0]:.1f} | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

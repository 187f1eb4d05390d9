"""Libraries beside the local `$vectorSearch`, one a process: see bench_vectors.py.

    python tools/bench_peers.py NAME FOLDER

It runs in an environment that holds these libraries and numpy, and nothing of this project.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# The numbers of the nearest rows, of one kind or, for None, of all; None if it has no filter.
Ask = Callable[[Floats, int | None], Any]

PACKAGES = (
    *("numpy", "faiss-cpu", "hnswlib", "usearch", "chromadb", "qdrant-client", "lancedb"),
    *("sqlite-vec", "apsw", "pandas"),
)
# A row's kind is its number modulo this.
KINDS = 10
FOUND = 10
# Rows that are added at once.
BATCH = 1_000
# Queries of a library that takes more than a tenth of a second for one.
FEW = 20


def numpy_exact(rows: Floats, _folder: Path) -> Ask:
    kinds = np.arange(len(rows)) % KINDS

    def ask(query: Floats, kind: int | None) -> Any:
        closeness = rows @ query
        if kind is not None:
            closeness[kinds != kind] = -2
        return np.argpartition(-closeness, FOUND)[:FOUND].tolist()

    return ask


def selector(faiss: Any, kinds: Any, kind: int | None) -> dict[str, Any]:
    """What faiss' parameters of a search need to find one kind alone. `kinds` are those of the
    rows."""
    if kind is None:
        return {}
    return {"sel": faiss.IDSelectorBitmap(np.packbits(kinds == kind, bitorder="little"))}


def faiss_exact(rows: Floats, _folder: Path) -> Ask:
    faiss: Any = importlib.import_module("faiss")
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    kinds = np.arange(len(rows)) % KINDS

    def ask(query: Floats, kind: int | None) -> Any:
        settings = faiss.SearchParameters(**selector(faiss, kinds, kind))
        return index.search(query[None], FOUND, params=settings)[1][0].tolist()

    return ask


def faiss_graph(rows: Floats, _folder: Path) -> Ask:
    faiss: Any = importlib.import_module("faiss")
    index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 200
    index.add(rows)
    kinds = np.arange(len(rows)) % KINDS

    def ask(query: Floats, kind: int | None) -> Any:
        chosen = selector(faiss, kinds, kind)
        settings = faiss.SearchParametersHNSW(efSearch=100, **chosen)
        return index.search(query[None], FOUND, params=settings)[1][0].tolist()

    return ask


def faiss_bits(rows: Floats, _folder: Path) -> Ask:
    """Sign bits, and the exact distance of the nearest 800 by them: what the stand-in does."""
    faiss: Any = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    centre = rows[:4096].mean(axis=0)
    index = faiss.IndexBinaryFlat(rows.shape[1])
    for at in range(0, len(rows), BATCH):
        index.add(np.packbits(rows[at : at + BATCH] > centre, axis=1))
    kinds = np.arange(len(rows)) % KINDS

    def ask(query: Floats, kind: int | None) -> Any:
        settings = faiss.SearchParameters(**selector(faiss, kinds, kind))
        found = index.search(np.packbits(query > centre)[None], 800, params=settings)[1][0]
        found = found[found >= 0]
        return found[np.argsort(-(rows[found] @ query))][:FOUND].tolist()

    return ask


def faiss_rabitq(rows: Floats, _folder: Path) -> Ask:
    """RaBitQ by SIMD, and the exact distance of the nearest 200 by it. It has no filter."""
    faiss: Any = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    index = faiss.IndexRaBitQFastScan(rows.shape[1])
    index.train(rows[:20_000])
    index.add(rows)

    def ask(query: Floats, kind: int | None) -> Any:
        if kind is not None:
            return None
        found = index.search(query[None], 200)[1][0]
        return found[np.argsort(-(rows[found] @ query))][:FOUND].tolist()

    return ask


def hnswlib(rows: Floats, _folder: Path) -> Ask:
    library: Any = importlib.import_module("hnswlib")
    index = library.Index("ip", rows.shape[1])
    index.init_index(len(rows), M=16, ef_construction=200)
    index.add_items(rows)
    index.set_ef(100)
    index.set_num_threads(1)

    def ask(query: Floats, kind: int | None) -> Any:
        chosen = {} if kind is None else {"filter": lambda number: number % KINDS == kind}
        return index.knn_query(query, FOUND, **chosen)[0][0].tolist()

    return ask


def usearch(rows: Floats, _folder: Path) -> Ask:
    """A graph of float32 vectors. Its Python binding has no filter."""
    library: Any = importlib.import_module("usearch.index")
    index = library.Index(
        ndim=rows.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=16,
        expansion_add=200,
        expansion_search=100,
    )
    index.add(np.arange(len(rows)), rows)

    def ask(query: Floats, kind: int | None) -> Any:
        return None if kind is not None else index.search(query, FOUND).keys.tolist()

    return ask


def chromadb(rows: Floats, folder: Path) -> Ask:
    library: Any = importlib.import_module("chromadb")
    settings = library.Settings(anonymized_telemetry=False)
    client = library.PersistentClient(str(folder / "chroma"), settings)
    found = client.create_collection("rows", metadata={"hnsw:space": "ip"})
    for at in range(0, len(rows), BATCH):
        numbers = range(at, min(at + BATCH, len(rows)))
        found.add(
            ids=[str(number) for number in numbers],
            embeddings=rows[at : at + BATCH],
            metadatas=[{"kind": number % KINDS} for number in numbers],
        )

    def ask(query: Floats, kind: int | None) -> Any:
        chosen = {} if kind is None else {"where": {"kind": kind}}
        ids = found.query(query_embeddings=[query], n_results=FOUND, include=[], **chosen)["ids"]
        return [int(one) for one in ids[0]]

    return ask


def qdrant_local(rows: Floats, _folder: Path) -> Ask:
    library: Any = importlib.import_module("qdrant_client")
    models = library.models
    client = library.QdrantClient(":memory:")
    size = models.VectorParams(size=rows.shape[1], distance=models.Distance.DOT)
    client.create_collection("rows", vectors_config=size)
    client.upload_collection(
        "rows",
        vectors=rows,
        payload=[{"kind": number % KINDS} for number in range(len(rows))],
        ids=range(len(rows)),
    )

    def ask(query: Floats, kind: int | None) -> Any:
        wanted = None
        if kind is not None:
            match = models.FieldCondition(key="kind", match=models.MatchValue(value=kind))
            wanted = models.Filter(must=[match])
        answer = client.query_points("rows", query=query, limit=FOUND, query_filter=wanted)
        return [point.id for point in answer.points]

    return ask


def lancedb(rows: Floats, folder: Path) -> Ask:
    """IVF with product quantization; the nearest 100 by it are compared exactly."""
    library: Any = importlib.import_module("lancedb")
    arrow: Any = importlib.import_module("pyarrow")
    flat = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.ravel()), rows.shape[1])
    numbers = np.arange(len(rows))
    data = arrow.table({"id": numbers, "kind": numbers % KINDS, "vector": flat})
    table = library.connect(str(folder / "lance")).create_table("rows", data)
    table.create_index(metric="dot", num_partitions=256, num_sub_vectors=96)

    def ask(query: Floats, kind: int | None) -> Any:
        search = table.search(query).distance_type("dot").nprobes(20).refine_factor(10)
        if kind is not None:
            search = search.where(f"kind = {kind}", prefilter=True)
        return search.select(["id"]).limit(FOUND).to_arrow()["id"].to_pylist()

    return ask


def sqlite_vec(rows: Floats, folder: Path) -> Ask:
    sqlite: Any = importlib.import_module("apsw")  # the standard one may load no extensions
    library: Any = importlib.import_module("sqlite_vec")
    db = sqlite.Connection(str(folder / "vec.sqlite"))
    db.enable_load_extension(True)
    library.load(db)
    db.execute(f"CREATE VIRTUAL TABLE v USING vec0(kind INTEGER, row float[{rows.shape[1]}])")
    with db:
        db.executemany(
            "INSERT INTO v (rowid, kind, row) VALUES (?, ?, ?)",
            ((number, number % KINDS, row.tobytes()) for number, row in enumerate(rows)),
        )

    def ask(query: Floats, kind: int | None) -> Any:
        statement = "SELECT rowid FROM v WHERE row MATCH ? AND k = ?"
        values = [query.tobytes(), FOUND]
        if kind is not None:
            statement, values = f"{statement} AND kind = ?", [*values, kind]
        return [found for (found,) in db.execute(statement, values)]

    return ask


NAMES: dict[str, Callable[[Floats, Path], Ask]] = {
    "numpy, exact": numpy_exact,
    "faiss, exact": faiss_exact,
    "faiss, binary flat and 800 exact": faiss_bits,
    "faiss, RaBitQ fast scan and 200 exact": faiss_rabitq,
    "faiss, HNSW": faiss_graph,
    "hnswlib": hnswlib,
    "usearch": usearch,
    "chromadb": chromadb,
    "qdrant-client, local": qdrant_local,
    "lancedb": lancedb,
    "sqlite-vec": sqlite_vec,
}


def main() -> int:
    name, folder = sys.argv[1], Path(sys.argv[2])
    with np.load(folder / "vectors.npz") as found:
        rows, queries = found["rows"], found["queries"]
    began = time.perf_counter()
    ask = NAMES[name](rows, folder)
    built = time.perf_counter() - began
    with np.load(folder / "truth.npz") as truths:
        for kind, truth in ((None, truths["all"]), (3, truths["filtered"])):
            took, hits = [], 0
            for query, best in zip(queries, truth, strict=True):
                began = time.perf_counter()
                answer = ask(query, kind)
                took.append((time.perf_counter() - began) * 1000)
                if answer is None:
                    break
                hits += len(set(answer) & set(best.tolist()))
                if len(took) >= FEW and statistics.median(took) > 100:
                    break
            if answer is None:
                continue
            words = f", one of {KINDS} kinds" if kind is not None else f", made in {built:.0f} s"
            slowest = statistics.quantiles(took, n=100)[-1]
            recall = hits / FOUND / len(took)
            median = statistics.median(took)
            print(f"| {name}{words} | {median:.1f} | {slowest:.1f} | {recall:.4f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

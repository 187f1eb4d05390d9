"""How long a search takes with many passages: part of `make bench`.

    python -m tools.bench_search [PASSAGES]

Puts things with random vectors and random English words straight into the database of a copy,
then asks different queries over HTTP, one at a time.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo import MongoClient

from tools.harness.cloud import ROOT, Cloud, running_cloud
from tools.harness.person import Person
from tools.harness.waiting import wait_for

Document = dict[str, Any]

PASSAGES_A_THING = 50
QUERIES = 300
WORDS = sorted(
    {
        word
        for path in sorted((ROOT / "examples" / "texts").glob("*.txt"))
        for word in path.read_text("utf-8").lower().split()
        if word.isalpha()
    }
)


def things(passages: int) -> Iterator[tuple[Document, list[Document]]]:
    """Assets with their passages, as the app keeps them, but for the assets' numbers."""
    draw, vectors = random.Random(4), np.random.default_rng(4)  # noqa: S311
    moment = datetime.now(UTC)
    for number in range(passages // PASSAGES_A_THING):
        key = ObjectId()
        url = f"http://bench.test/{number}.html"
        asset: Document = {
            "_id": key,
            "kind": "web page",
            "url": url,
            "url_key": url,
            "title": f"Thing {number}",
            "content_type": "text/html",
            "status": "SEARCHABLE",
            "created_at": moment,
            "updated_at": moment,
            "lease_until": moment,
            "history": [],
        }
        rows = vectors.standard_normal((PASSAGES_A_THING, 768)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        yield (
            asset,
            [
                {
                    "_id": f"{key}:{position}",
                    "asset_id": key,
                    "position": position,
                    "text": " ".join(draw.choices(WORDS, k=120)),
                    "locator": {},
                    "title": asset["title"],
                    "content_type": "text/html",
                    "kind": "web page",
                    "site": ["bench.test"],
                    "added": moment,
                    "embedding": Binary.from_vector(vector.tolist(), BinaryVectorDtype.FLOAT32),
                }
                for position, vector in enumerate(rows)
            ],
        )


def fill(cloud: Cloud, passages: int) -> None:
    client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
    with client:
        for asset, rows in things(passages):
            client.iaat.assets.insert_one(asset)
            client.iaat.passages.insert_many(rows)


def main() -> int:
    passages = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    draw = random.Random(5)  # noqa: S311
    queries = [" ".join(draw.sample(WORDS, draw.randint(3, 9))) for _ in range(QUERIES)]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0"}) as cloud,
    ):
        fill(cloud, passages)
        person = Person(cloud)
        began = time.monotonic()

        def fast() -> bool:
            start = time.monotonic()
            person.search(f"Is the model there after {start - began} seconds?")
            return time.monotonic() - start < 0.25

        wait_for(lambda: fast() and fast() and fast(), "the model")
        for accept in ("application/json", "text/html"):
            took = measure(person.http, queries, accept)
            print(f"| a search over {passages:,} passages, {accept} | {took} |", flush=True)
            queries = [f"{query} again" for query in queries]
        person.http.close()
    return 0


def measure(http: httpx.Client, queries: list[str], accept: str) -> str:
    took = []
    for query in queries:
        began = time.perf_counter()
        http.get("/search", params={"query": query}, headers={"Accept": accept}).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    slowest = statistics.quantiles(took, n=100)[-1]
    return f"median {statistics.median(took):.0f} ms, 99th percentile {slowest:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())

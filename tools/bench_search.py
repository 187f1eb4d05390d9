"""How long a search takes with many passages: part of `make bench`.

    python -m tools.bench_search [quick] [PASSAGES] [books] [articles]

Puts things with random vectors and random English words straight into the database of a copy,
then asks different queries over HTTP, one at a time; then the same queries again, whose vectors
the app has kept; then a thing's page and a file, whose time is that of the server alone. Last, 50
readers ask at once. Beside each time stands what all processes of the copy computed for it, which
tells more on a machine that is busy with other things.

With `books` five things have all the passages. `articles` asks the questions of XQuAD in place of
all that, with a short pause between two: before its articles are indexed, meanwhile, and after it.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from pymongo import MongoClient

from tools.bench_imports import cpu_of, page, tell
from tools.harness.cloud import ROOT, Cloud, running_cloud
from tools.harness.indexing import index_all
from tools.harness.person import Person
from tools.harness.reference import MISSING
from tools.harness.site import running_site
from tools.harness.waiting import wait_for
from tools.harness.xquad import DATA, read

Document = dict[str, Any]

PASSAGES, QUICK_PASSAGES = 10_000, 2_000
PASSAGES_A_THING, BOOKS = 50, 5
QUERIES, QUICK_QUERIES = 300, 100
# Readers who ask at once, and the searches of each.
READERS, SEARCHES = 50, 4
# Seconds between two searches of the one who searches while articles are indexed.
PAUSE = 0.1
WORDS = sorted(
    {
        word
        for path in sorted((ROOT / "examples" / "texts").glob("*.txt"))
        for word in path.read_text("utf-8").lower().split()
        if word.isalpha()
    }
)


def things(passages: int, of_each: int) -> Iterator[tuple[Document, list[Document]]]:
    """Assets with their passages, as the app keeps them, but for the assets' numbers."""
    draw, vectors = random.Random(4), np.random.default_rng(4)  # noqa: S311
    moment = datetime.now(UTC)
    for number in range(passages // of_each):
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
        rows = vectors.standard_normal((of_each, 768)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        yield (
            asset,
            [
                {
                    "_id": f"{key}:{position}",
                    "asset_id": key,
                    "asset_key": str(key),
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


def fill(cloud: Cloud, passages: int, of_each: int = PASSAGES_A_THING) -> None:
    client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
    with client:
        for asset, rows in things(passages, of_each):
            client.iaat.assets.insert_one(asset)
            client.iaat.passages.insert_many(rows)


def until_fast(person: Person) -> None:
    """Wait until the query's model is loaded."""
    began = time.monotonic()

    def fast() -> bool:
        start = time.monotonic()
        person.search(f"Is the model there after {start - began} seconds?")
        return time.monotonic() - start < 0.25

    wait_for(lambda: fast() and fast() and fast(), "the model")


def searches(quick: bool, passages: int, of_each: int) -> None:
    """Print the times of searches over so many passages, with so many of each thing; of a thing's
    page and of a file."""
    draw = random.Random(5)  # noqa: S311
    queries = [
        " ".join(draw.sample(WORDS, draw.randint(3, 9)))
        for _ in range(QUICK_QUERIES if quick else QUERIES)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0"}) as cloud,
    ):
        fill(cloud, passages, of_each)
        person = Person(cloud)
        until_fast(person)
        print("| what | median | 99th percentile | computed for each |\n|---|---|---|---|")
        ask = Asker(cloud, person.http)
        size = f"{passages:,} passages of {passages // of_each:,} things"
        ask.all(f"a search over {size}, as JSON", [f"/search?query={each}" for each in queries])
        pages = [f"/search?query={each} again" for each in queries]
        ask.all(f"a search over {size}, as a page", pages, "text/html")
        ask.all("the same queries again, whose vectors were kept", pages, "text/html")
        thing = person.search(queries[0])[0]["asset_id"]
        ask.all("a thing's page", [f"/assets/{thing}"] * QUICK_QUERIES, "text/html")
        ask.all("a file", ["/static/style.css"] * QUICK_QUERIES)
        print(f"| {READERS} readers at once, {SEARCHES} searches each | {crowd(cloud)} |")
        person.http.close()


def searches_while_indexing() -> None:
    """Print the times of searches before, while and after the articles of XQuAD are indexed."""
    if not DATA.exists():
        sys.exit(MISSING)
    articles, asked = read(DATA)
    questions = iter([each.text for each in asked])
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_site() as site,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0", "FETCH_ALLOW": "127.0.0.1"}) as cloud,
        ThreadPoolExecutor(1) as pool,
    ):
        person, owner = Person(cloud), Person(cloud)
        person.index(site.add("/first", page(1)))  # readers and models are loaded once
        until_fast(person)
        print("| searches | how many | median | 95th percentile | 99th percentile |")
        print("|---|---|---|---|---|")
        search_for("before", person, questions, pool.submit(time.sleep, 15))
        before, began = cpu_of(cloud), time.monotonic()
        urls = [site.add(each.path, each.page()) for each in articles]
        work = pool.submit(index_all, owner, urls, lambda: cpu_of(cloud))
        search_for(f"while {len(urls)} articles are indexed", person, questions, work)
        seconds, spent = time.monotonic() - began, cpu_of(cloud)
        search_for("after it", person, questions, pool.submit(time.sleep, 15))
        print(f"| the articles took {seconds:.1f} s: {work.result()} | | | | |")
        tell(before, spent)
        person.http.close()
        owner.http.close()


def search_for(words: str, person: Person, questions: Iterator[str], work: Future[Any]) -> None:
    """Ask one question after the other until the work is done, and print what they took."""
    took = []
    while not work.done():
        began = time.perf_counter()
        person.search(next(questions))
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    cuts = statistics.quantiles(took, n=100)
    median = statistics.median(took)
    print(
        f"| {words} | {len(took)} | {median:.0f} ms | {cuts[94]:.0f} ms | {cuts[98]:.0f} ms |",
        flush=True,
    )


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    quick = "quick" in sys.argv
    if "articles" in sys.argv:
        searches_while_indexing()
    else:
        passages = numbers[0] if numbers else QUICK_PASSAGES if quick else PASSAGES
        of_each = passages // BOOKS if "books" in sys.argv else PASSAGES_A_THING
        searches(quick, passages, of_each)
    print(f"load while this was measured: {os.getloadavg()[0]:.1f}")
    return 0


class Asker:
    """Asks one path after another."""

    def __init__(self, cloud: Cloud, http: httpx.Client) -> None:
        self._cloud = cloud
        self._http = http

    def all(self, words: str, paths: list[str], accept: str = "application/json") -> None:
        """Print how long the answers took."""
        before, took = self._computed(), []
        for path in paths:
            began = time.perf_counter()
            self._http.get(path, headers={"Accept": accept}).raise_for_status()
            took.append((time.perf_counter() - began) * 1000)
        computed = (self._computed() - before) * 1000 / len(paths)
        slowest = statistics.quantiles(took, n=100)[-1]
        median = statistics.median(took)
        print(f"| {words} | {median:.0f} ms | {slowest:.0f} ms | {computed:.0f} ms |", flush=True)

    def _computed(self) -> float:
        """The CPU seconds of the copy so far."""
        return sum(cpu_of(self._cloud).values())


def crowd(cloud: Cloud) -> str:
    """The times of searches by many readers at once. Raises httpx.HTTPStatusError."""

    def read(reader: int) -> list[float]:
        draw, took = random.Random(reader), []  # noqa: S311
        with httpx.Client(base_url=cloud.address, timeout=120) as http:
            for _ in range(SEARCHES):
                query = " ".join(draw.sample(WORDS, 6))
                began = time.perf_counter()
                http.get("/search", params={"query": query}).raise_for_status()
                took.append((time.perf_counter() - began) * 1000)
        return took

    with ThreadPoolExecutor(READERS) as pool:
        took = [each for some in pool.map(read, range(READERS)) for each in some]
    slowest = statistics.quantiles(took, n=100)[-1]
    return f"{statistics.median(took):.0f} ms | {slowest:.0f} ms | "


if __name__ == "__main__":
    sys.exit(main())

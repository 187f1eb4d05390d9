"""How long the home page takes with many things: part of `make bench`.

    python -m tools.bench_home [quick] [THINGS]

Puts things straight into the database of a copy, then asks for different pages over HTTP, one
at a time. Beside the time of an answer stands what the app and its database computed for it,
which tells more than the former on a machine that is busy with other things.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from bson import ObjectId
from pymongo import MongoClient

from allthethings.processors import kind_of
from tools.bench_imports import cpu_of
from tools.harness.cloud import Cloud, running_cloud

Document = dict[str, Any]

# How often each page is asked for.
ASKED = 40
# Assets inserted by one command.
TOGETHER = 200
# Of a thousand assets, how many have each status.
STATUSES = {
    "SEARCHABLE": 955,
    "PROCESSING_ERROR": 20,
    "EMBEDDINGS_ERROR": 10,
    "PROCESSING": 10,
    "GENERATING_EMBEDDINGS": 5,
}
TYPES = {"audio/mpeg": 1, "text/html": 3}
TEXT = "A sentence of some length that stands in for what a page or a recording says. " * 80


def things(many: int) -> Iterator[Document]:
    """Assets as the app keeps them."""
    draw, last = random.Random(4), datetime.now(UTC)  # noqa: S311
    for number in range(many):
        url = f"https://host-{number % 50}.bench.test/{number}"
        moment = last - timedelta(minutes=many - number)
        status = draw.choices(list(STATUSES), list(STATUSES.values()))[0]
        history = [{"status": each, "at": moment} for each in ("SUBMITTED", "PROCESSING", status)]
        content_type = draw.choices(list(TYPES), list(TYPES.values()))[0]
        yield {
            "_id": ObjectId(),
            "kind": kind_of(content_type),
            "url": url,
            "url_key": url,
            "title": f"What thing number {number} is called by whoever published it",
            "text": TEXT,
            "content_type": content_type,
            "content_length": draw.randrange(10_000_000),
            "status": status,
            "error": "The server answered 404." if status.endswith("ERROR") else None,
            "created_at": moment,
            "updated_at": moment,
            "lease_until": last + timedelta(days=1),  # so that nobody goes on with them
            "history": history,
        }


def fill(cloud: Cloud, many: int) -> None:
    client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
    with client:
        left = things(many)
        while some := list(islice(left, TOGETHER)):
            client.iaat.assets.insert_many(some)


def addresses(http: httpx.Client, many: int) -> Iterator[tuple[str, str, Mapping[str, Any], str]]:
    """What is asked for: in words, the path, its parameters and the type."""
    middle = min(many // 40, 500)
    pages: list[tuple[str, Mapping[str, Any]]] = [
        ("first page", {}),
        (f"page {middle:,}", {"page": middle}),
        ("last page", {"page": "last"}),
        ("oldest first", {"sort": "oldest"}),
        ("oldest first, last page", {"sort": "oldest", "page": "last"}),
        ("failed", {"status": "failed"}),
        ("failed, page 20", {"status": "failed", "page": 20}),
        ("under way", {"status": "under-way"}),
        ("searchable audio, page 100", {"status": "searchable", "kind": "audio", "page": 100}),
        ("200 a page", {"per_page": 200}),
    ]
    for words, parameters in pages:
        for accept in ("text/html", "application/json"):
            yield words, "/", parameters, accept
    following = http.get("/", headers={"Accept": "application/json"}).json()["next"]
    yield "the next page", following, {}, "text/html"
    busy = http.get("/?status=under-way", headers={"Accept": "application/json"}).json()["assets"]
    watched = {"watch": ",".join(asset["id"] for asset in busy)}
    yield f"{len(busy)} rows watched", "/", watched, "application/json"
    yield "search page, nothing asked", "/search", {}, "text/html"


def measure(cloud: Cloud, http: httpx.Client, path: str, accept: str) -> str:
    took, answer = [], http.get(path, headers={"Accept": accept})
    before = cpu_of(cloud)
    for _ in range(ASKED):
        began = time.perf_counter()
        answer = http.get(path, headers={"Accept": accept}).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    after = cpu_of(cloud)
    spent = ", ".join(f"{name} {(after[name] - before[name]) / ASKED * 1000:.0f}" for name in after)
    slowest = statistics.quantiles(took, n=100)[-1]
    return (
        f"median {statistics.median(took):.0f} ms, 99th percentile {slowest:.0f} ms "
        f"(computed: {spent} ms) | {len(answer.content) / 1000:.1f} kB"
    )


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    many = numbers[0] if numbers else 2_000 if "quick" in sys.argv else 20_000
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0"}) as cloud,
        httpx.Client(base_url=cloud.address, timeout=120) as http,
    ):
        fill(cloud, many)
        for words, path, parameters, accept in addresses(http, many):
            asked = f"{path}?{urlencode(parameters)}" if parameters else path
            line = measure(cloud, http, asked, accept)
            print(f"| {words}, {accept} | {line} |", flush=True)
        load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
        print(f"| load while this was measured (1, 5, 15 minutes) | {load} | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

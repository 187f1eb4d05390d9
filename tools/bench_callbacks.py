"""How many callbacks a second are accepted: part of `make bench`.

    python -m tools.bench_callbacks [quick] [THINGS]

Puts things into the database of a copy, each with one passage that waits for the vector of a
prediction of its own, then delivers the callbacks of all of them to the app as the gateway does:
signed, over kept connections, as many at a time as the gateway has under way. Each one stores a
vector, makes a thing searchable and notes its delivery, and is answered when that is on the disk.
In the end the database is asked whether every thing has its vector.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from bson import ObjectId
from pymongo import MongoClient

from localcloud.hookdeck.delivery import CONCURRENCY
from tools.bench_imports import cpu_of, tell
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.signing import SIGNATURE, signature

Document = dict[str, Any]

THINGS, QUICK_THINGS = 4_000, 1_000
# Callbacks before those that are timed.
FIRST = 100
# Things that are inserted at once.
BATCH = 500
# Different vectors.
VECTORS = 64
VERSION = "b6b7585c9640cd7a9572c6e129c9549d79c9c31f0d3fdce7baac7c67ca38f305"


@dataclass(frozen=True)
class Callback:
    """One request of the gateway."""

    path: str
    body: bytes
    headers: dict[str, str]


def waiting_thing(number: int, key: ObjectId, prediction: str) -> tuple[Document, Document]:
    """An asset whose vectors are made, and its only passage. Nobody looks after it for a day."""
    moment, url = datetime.now(UTC), f"http://bench.test/{key}.html"
    asset = {
        "_id": key,
        "kind": "web page",
        "url": url,
        "url_key": url,
        "title": f"Thing {number}",
        "content_type": "text/html",
        "status": "GENERATING_EMBEDDINGS",
        "created_at": moment,
        "updated_at": moment,
        "lease_until": moment + timedelta(days=1),
        "text": text_of(number),
        "history": [{"status": "GENERATING_EMBEDDINGS", "at": moment}],
    }
    passage = {
        "_id": f"{key}:0",
        "asset_id": key,
        "asset_key": str(key),
        "position": 0,
        "text": text_of(number),
        "before": "",
        "locator": {},
        "title": asset["title"],
        "content_type": "text/html",
        "kind": "web page",
        "site": ["bench.test"],
        "added": moment,
        "replicate_embedding_id": prediction,
        "replicate_embedding_range": [0, 0],
    }
    return asset, passage


def text_of(number: int) -> str:
    return f"Stone number {number} of the wall is {number * 7} years old. " * 8


def callback(
    number: int, key: ObjectId, prediction: str, vector: Sequence[float], secret: str
) -> Callback:
    """The callback of a prediction of Replicate, as the gateway delivers it."""
    moment = datetime.now(UTC).isoformat()
    payload = {
        "id": prediction,
        "model": "replicate/all-mpnet-base-v2",
        "version": VERSION,
        "status": "succeeded",
        "input": {"text_batch": json.dumps([text_of(number)])},
        "output": [{"embedding": vector}],
        "error": None,
        "logs": "",
        "created_at": moment,
        "started_at": moment,
        "completed_at": moment,
        "metrics": {"predict_time": 0.1},
        "urls": {"get": f"https://api.replicate.com/v1/predictions/{prediction}"},
    }
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "x-hookdeck-eventid": f"evt_{prediction}",
        "x-hookdeck-requestid": f"req_{prediction}",
        "x-hookdeck-verified": "true",
        "x-hookdeck-attempt-count": "1",
        "x-hookdeck-attempt-trigger": "INITIAL",
        SIGNATURE: signature(secret, body),
    }
    return Callback(f"/webhooks/embedding/{key}/0-0", body, headers)


def prepare(client: MongoClient[Document], count: int, secret: str) -> list[Callback]:
    """Insert so many things. Returns their callbacks."""
    draw = np.random.default_rng(8).standard_normal((VECTORS, 768))
    vectors = (draw / np.linalg.norm(draw, axis=1, keepdims=True)).tolist()
    made = []
    for first in range(0, count, BATCH):
        rows = []
        for number in range(first, min(first + BATCH, count)):
            key = ObjectId()
            prediction = f"bench{key}"
            rows.append(waiting_thing(number, key, prediction))
            made.append(callback(number, key, prediction, vectors[number % VECTORS], secret))
        client.iaat.assets.insert_many([asset for asset, _ in rows])
        client.iaat.passages.insert_many([passage for _, passage in rows])
    return made


def deliver(address: str, callbacks: Sequence[Callback]) -> list[float]:
    """Send callbacks one after the other over one connection. Returns what each took, in ms. Exits
    when one is refused."""
    connection, took = HTTPConnection(urlsplit(address).netloc, timeout=60), []
    for each in callbacks:
        began = time.perf_counter()
        connection.request("POST", each.path, each.body, each.headers)
        answer = connection.getresponse()
        said = answer.read()
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            sys.exit(f"{each.path} was answered {answer.status}: {said.decode()}")
    connection.close()
    return took


def deliver_all(address: str, callbacks: Sequence[Callback], connections: int) -> list[float]:
    """Send callbacks over so many connections at once. Returns what each took, in ms."""
    parts = [callbacks[number::connections] for number in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        return [
            each for some in pool.map(lambda part: deliver(address, part), parts) for each in some
        ]


def measure(cloud: Cloud, client: MongoClient[Document], count: int, connections: int) -> None:
    made = prepare(client, FIRST + count, cloud.endpoints["HOOKDECK_WEBHOOK_SECRET"])
    deliver_all(cloud.address, made[:FIRST], connections)
    before, began = cpu_of(cloud), time.perf_counter()
    took = deliver_all(cloud.address, made[FIRST:], connections)
    seconds = time.perf_counter() - began
    after = cpu_of(cloud)
    without = client.iaat.passages.count_documents({"embedding": {"$exists": False}})
    unfinished = client.iaat.assets.count_documents({"status": {"$ne": "SEARCHABLE"}})
    if without or unfinished:
        sys.exit(f"{without} passages have no vector, {unfinished} things are not searchable")
    slowest = statistics.quantiles(took, n=100)[-1]
    print(
        f"| {count:,} callbacks, {connections} at a time | {count / seconds:.0f} "
        f"| {statistics.median(took):.0f} ms | {slowest:.0f} ms | {os.getloadavg()[0]:.1f} |"
    )
    tell(before, after)


def main(words: Sequence[str]) -> int:
    numbers = [int(word) for word in words if word.isdigit()]
    count = numbers[0] if numbers else QUICK_THINGS if "quick" in words else THINGS
    print("| what | accepted a second | median | 99th percentile | load |\n|---|---|---|---|---|")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0"}) as cloud,
    ):
        client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
        with client:
            measure(cloud, client, count // 4, 1)
            measure(cloud, client, count, CONCURRENCY)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

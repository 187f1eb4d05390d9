"""Whether every search answers the same after an export and an import, and how long both take.

    python -m tools.check_transfer FOLDER [fill] [export] [compare] [THINGS] [QUERIES]

`fill` puts things straight into the database of a copy. `export` asks that copy's search and
exports everything. `compare` imports the file into an empty copy, asks the same, and compares whole
answers, but for how long they took and for scores, whose part for words depends a little on how the
word index came about. Each can be a command of its own; without them, all are done, in a new
FOLDER.

A thing has two passages, each of sentences of two paragraphs of XQuAD. Only these paragraphs are
embedded: a passage's vector is made of theirs, and is its own.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from bson import ObjectId
from bson.binary import Binary, BinaryVectorDtype
from numpy.typing import NDArray
from pymongo import MongoClient

from allthethings.store.passage_index import SEARCH_INDEX, VECTOR_INDEX
from localcloud.weights import cache
from tools.harness.cloud import ROOT, Cloud, clean_environment, running_cloud
from tools.harness.models import module_of
from tools.harness.person import Person
from tools.harness.waiting import wait_for
from tools.harness.xquad import DATA, Question, read

Document = dict[str, Any]
Vectors = NDArray[np.float32]

THINGS, QUERIES = 10_000, 1_000
PASSAGES_A_THING = 2
# Things inserted by one command.
TOGETHER = 100
# The share of the first paragraph in the vector of a passage, and of the noise that makes each
# different.
FIRST, NOISE = 0.7, 0.1
# How the copies run: searches wait for an index that is behind for so many seconds.
SETTINGS = {"EXAMPLES": "0", "SEARCH_WAIT": "600"}
# The field of a passage that is not compared.
SCORE = "score"
ANSWERS, EXPORT = "answers.json", "everything.zip"


class Maker:
    """Makes things of paragraphs. The same `seed` makes the same things."""

    def __init__(self, paragraphs: Sequence[str], vectors: Vectors, seed: int = 4) -> None:
        self._sentences = [re.split(r"(?<=[.?!]) ", each) for each in paragraphs]
        self._vectors = vectors
        self._draw = random.Random(seed)  # noqa: S311
        self._noise = np.random.default_rng(seed)
        self._last = datetime(2026, 11, 1, tzinfo=UTC)

    def thing(self, number: int) -> tuple[Document, list[Document]]:
        """An asset with its passages, as the app keeps them."""
        key, host = ObjectId(), f"host-{number % 50}.transfer.test"
        texts, rows = zip(*(self._passage() for _ in range(PASSAGES_A_THING)), strict=True)
        moment = self._last - timedelta(minutes=number)
        about = {
            "title": f"Thing {number}: {' '.join(texts[0].split()[:5])}",
            "kind": "web page",
            "content_type": "text/html",
        }
        asset: Document = {
            "_id": key,
            "url": f"https://{host}/{number}",
            "url_key": f"https://{host}/{number}",
            "status": "SEARCHABLE",
            "text": "\n\n".join(texts),
            "created_at": moment,
            "updated_at": moment,
            "lease_until": moment,
            "lease_owner": None,
            "history": [{"status": "SEARCHABLE", "at": moment}],
            **about,
        }
        passages: list[Document] = [
            {
                "_id": f"{key}:{position}",
                "asset_id": key,
                "asset_key": str(key),
                "position": position,
                "text": text,
                "locator": {},
                "site": [host, "transfer.test"],
                "added": moment,
                "embedding": Binary.from_vector(row.tolist(), BinaryVectorDtype.FLOAT32),
                **about,
            }
            for position, (text, row) in enumerate(zip(texts, rows, strict=True))
        ]
        return asset, passages

    def _passage(self) -> tuple[str, Vectors]:
        first, second = self._draw.sample(range(len(self._sentences)), 2)
        told = [*self._some(first), *self._some(second)]
        noise = self._noise.standard_normal(self._vectors[first].shape, np.float32)
        row = FIRST * self._vectors[first] + (1 - FIRST) * self._vectors[second]
        row += NOISE * noise / np.linalg.norm(noise)
        return " ".join(told), row / np.linalg.norm(row)

    def _some(self, paragraph: int) -> list[str]:
        sentences = self._sentences[paragraph]
        return self._draw.sample(sentences, min(2, len(sentences)))


def queries(paragraphs: Sequence[str], questions: Sequence[Question], many: int) -> Iterator[str]:
    """Questions, single words, exact phrases, and each of them with a filter."""
    draw = random.Random(5)  # noqa: S311
    for number in range(many):
        words = draw.choice(paragraphs).split()
        first = draw.randrange(max(1, len(words) - 3))
        phrase = " ".join(words[first : first + 3]).replace('"', "")
        asked = [draw.choice(questions).text, draw.choice(words), f'"{phrase}"'][number % 3]
        filters = ["", "", f" site:host-{draw.randrange(50)}.transfer.test", " before:2026-10-30"]
        yield asked + filters[number % 4]


def fill(cloud: Cloud, paragraphs: Sequence[str], things: int) -> None:
    embedder = module_of("all-mpnet-base-v2", "embedder").Embedder(
        cache.present("all-mpnet-base-v2")
    )
    maker = Maker(paragraphs, np.asarray(embedder.embed(list(paragraphs)), np.float32))
    client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
    with client:
        for first in range(0, things, TOGETHER):
            made = [maker.thing(each) for each in range(first, min(first + TOGETHER, things))]
            client.iaat.assets.insert_many([asset for asset, _ in made])
            client.iaat.passages.insert_many([row for _, rows in made for row in rows])


def command(cloud: Cloud, *words: str) -> float:
    """Run a command of the app, and return how many seconds that took."""
    environment = clean_environment(cloud.data_dir, cloud.endpoints)
    argv = [sys.executable, "-m", "flask", "--app", "app", *words]
    began = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, env=environment, check=True)
    return time.perf_counter() - began


def answers(cloud: Cloud, asked: Sequence[str]) -> list[Document]:
    """What the search tells of each query."""
    person = Person(cloud)
    _wait_for_indexes(cloud)
    _warm_up(person)
    began, found = time.perf_counter(), []
    for query in asked:
        answer = person.http.get("/search", params={"query": query})
        told = answer.raise_for_status().json()
        del told["took_ms"]
        found.append(told)
    print(f"| {len(asked):,} queries asked | {time.perf_counter() - began:.0f} s |", flush=True)
    person.http.close()
    return found


def _wait_for_indexes(cloud: Cloud) -> None:
    """Until both have all that was written: with SETTINGS, a search waits for that."""
    vector = Binary.from_vector([1.0] * 768, BinaryVectorDtype.FLOAT32)
    near = {"path": "embedding", "queryVector": vector, "exact": True, "limit": 1}
    client: MongoClient[Document] = MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"])
    with client:
        for stage in (
            {"$search": {"index": SEARCH_INDEX, "exists": {"path": "position"}}},
            {"$vectorSearch": {"index": VECTOR_INDEX, **near}},
        ):
            client.iaat.passages.aggregate([stage, {"$limit": 1}]).next()


def _warm_up(person: Person) -> None:
    """Until the model in the app answers: before that, the model of Replicate does."""

    def fast() -> bool:
        began = time.monotonic()
        person.search(f"Is the model there at {began}?")
        return time.monotonic() - began < 0.5

    wait_for(lambda: fast() and fast() and fast(), "the model")


def fill_copy(folder: Path, things: int) -> None:
    with running_cloud(folder / "first", SETTINGS) as cloud:
        began = time.perf_counter()
        fill(cloud, _paragraphs(), things)
        print(f"| {things:,} things put in | {time.perf_counter() - began:.0f} s |", flush=True)


def _paragraphs() -> list[str]:
    return [each for article in read(DATA)[0] for each in article.paragraphs]


def export_copy(folder: Path, many: int) -> None:
    asked = list(queries(_paragraphs(), read(DATA)[1], many))
    with running_cloud(folder / "first", SETTINGS) as cloud:
        found = answers(cloud, asked)
        took = command(cloud, "export", str(folder / EXPORT))
    size = (folder / EXPORT).stat().st_size / 1_000_000
    print(f"| export | {took:.1f} s, {size:.0f} MB |")
    told = {"queries": asked, "answers": found}
    (folder / ANSWERS).write_text(json.dumps(told), "utf-8")


def compare_copy(folder: Path) -> int:
    """Import into an empty copy and compare. Returns how many answers differ."""
    told = json.loads((folder / ANSWERS).read_text("utf-8"))
    with running_cloud(folder / "second", SETTINGS) as cloud:
        took = command(cloud, "import", str(folder / EXPORT))
        print(f"| import into an empty copy | {took:.1f} s |", flush=True)
        found = answers(cloud, told["queries"])
    rows = zip(told["queries"], told["answers"], found, strict=True)
    pairs = [(query, difference(before, after)) for query, before, after in rows]
    differing = [(query, where) for query, where in pairs if where]
    hits = sum(bool(each["results"]) for each in found)
    print(f"| answers with results, of {len(found):,} | {hits:,} |")
    print(f"| answers that differ | {len(differing):,} |")
    for query, where in differing[:10]:
        print(f"differs: {query}: {where}", file=sys.stderr)
    return len(differing)


def difference(before: Any, after: Any, where: str = "") -> str | None:
    """The first place at which two answers differ, with both values; None if they are the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in [*before, *(after.keys() - before)] if key != SCORE]
        inner = [(f"{where}.{key}", before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        inner = [
            (f"{where}[{number}]", *pair)
            for number, pair in enumerate(zip(before, after, strict=True))
        ]
    else:
        return None if before == after else f"{where}: {before!r:.80} and {after!r:.80}"
    found = (difference(old, new, place) for place, old, new in inner)
    return next((each for each in found if each), None)


def main() -> int:
    given, *rest = sys.argv[1:] or sys.exit(__doc__)
    folder = Path(given)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(word) for word in rest if word.isdigit()]
    things, many = (*numbers, *(THINGS, QUERIES)[len(numbers) :])
    steps = [word for word in rest if not word.isdigit()] or ["fill", "export", "compare"]
    print("| what | measured |\n|---|---|")
    differing = 0
    for step in steps:
        if step == "fill":
            fill_copy(folder, things)
        elif step == "export":
            export_copy(folder, many)
        else:
            differing = compare_copy(folder)
    print(f"| load while this was measured | {os.getloadavg()[0]:.1f} |")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())

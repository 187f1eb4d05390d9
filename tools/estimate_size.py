"""What things come to in documents, bytes and calls, and what many of them would.

    python -m tools.estimate_size [--things 1000000] [--articles 48] [--minutes 10]

Indexes long pages and a recording of speech with a copy of everything, measures what that has left
in MongoDB, at Replicate and at Hookdeck, and multiplies. The pages are the articles of XQuAD, or
without it pages of sentences from the examples.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import httpx
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from tools.bench_ingest import articles, index, recording
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.site import Page, Site, running_site

COLLECTIONS = ("assets", "passages")
# Bytes of the record's id in each entry of an index.
RECORD_ID = 8
# Numbers in a vector.
DIMENSIONS = 768
# Bytes of a vector in memory: as float32, and as the search indexes of MongoDB quantize it. After
# https://www.mongodb.com/docs/vector-search/about/vector-quantization (read on 2026-11-29).
VECTOR_BYTES: Mapping[str, float] = {
    "float32": DIMENSIONS * 4,
    "scalar": DIMENSIONS * 4 / 3.75,
    "binary": DIMENSIONS * 4 / 24,
}
# Predictions a minute that Replicate lets one account create.
# https://replicate.com/docs/topics/predictions/rate-limits (read on 2026-11-29)
PREDICTIONS_PER_MINUTE = 600
# Events a second that Hookdeck delivers to a destination unless more is paid for.
# https://hookdeck.com/docs/platform/limits (read on 2026-11-29)
EVENTS_PER_SECOND = 5
HEADER = """\
| | each | {things:,} |
|---|---|---|"""


@dataclass(frozen=True)
class Totals:
    """What a copy has: documents and their bytes in BSON, without compression, by collection; bytes
    of the entries of all their indexes; predictions and events."""

    documents: Mapping[str, int]
    document_bytes: Mapping[str, int]
    index_bytes: int
    predictions: int
    events: int

    def __sub__(self, before: Totals) -> Totals:
        """What has come since then."""
        return Totals(
            {name: self.documents[name] - before.documents[name] for name in COLLECTIONS},
            {name: self.document_bytes[name] - before.document_bytes[name] for name in COLLECTIONS},
            self.index_bytes - before.index_bytes,
            self.predictions - before.predictions,
            self.events - before.events,
        )


def totals(cloud: Cloud) -> Totals:
    """What the copy has now."""
    documents, document_bytes, index_bytes = {}, {}, 0
    uri = cloud.endpoints["MONGODB_CONNECTION_URI"]
    with MongoClient[RawBSONDocument](uri, document_class=RawBSONDocument) as client:
        for name in COLLECTIONS:
            collection = client["iaat"][name]
            found = list(collection.find())
            documents[name] = len(found)
            document_bytes[name] = sum(len(each.raw) for each in found)
            keys = [list(dict(each["key"])) for each in collection.list_indexes()]
            index_bytes += sum(entry_bytes(each, fields) for each in found for fields in keys)
    return Totals(documents, document_bytes, index_bytes, _predictions(cloud), _events(cloud))


def entry_bytes(document: Mapping[str, Any], fields: list[str]) -> int:
    """Bytes of a document's entry in an index of these fields: their values in BSON, and the id of
    the record. WiredTiger stores less, since neighbours share the beginnings of their keys."""
    values = {str(number): _value(document, field) for number, field in enumerate(fields)}
    return len(bson.encode(values)) + RECORD_ID


def _value(document: Any, field: str) -> Any:
    """A field, also one of a document in it; None where there is none."""
    for name in field.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _predictions(cloud: Cloud) -> int:
    """How many predictions Replicate has."""
    token = cloud.endpoints["REPLICATE_API_TOKEN"]
    url: str | None = f"{cloud.endpoints['REPLICATE_BASE_URL']}/v1/predictions"
    count = 0
    while url:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        told = answer.raise_for_status().json()
        count, url = count + len(told["results"]), told["next"]
    return count


def _events(cloud: Cloud) -> int:
    """How many events Hookdeck has."""
    key = cloud.endpoints["HOOKDECK_PROJECT_API_KEY"]
    url = f"{cloud.endpoints['HOOKDECK_API_URL']}/2025-07-01/events"
    count, after = 0, None
    while True:
        query = {"limit": 250, **({"next": after} if after else {})}
        answer = httpx.get(
            url, params=query, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        told = answer.raise_for_status().json()
        count, after = count + len(told["models"]), told["pagination"].get("next")
        if not after:
            return count


def report(what: str, came: Totals, things: int) -> Iterator[str]:
    """The table of one kind: what each of them came to, and as many as `things` would."""
    number = came.documents["assets"]
    yield f"\n**{what}**\n"
    yield HEADER.format(things=things)
    for name in COLLECTIONS:
        yield _line(f"documents in `{name}`", came.documents[name] / number, things)
    for name in COLLECTIONS:
        each = came.document_bytes[name] / number
        yield _line_of_bytes(f"bytes of documents in `{name}`", each, things)
    each = came.index_bytes / number
    yield _line_of_bytes("bytes of the entries of their indexes", each, things)
    vectors = came.documents["passages"] / number
    for kind, size in VECTOR_BYTES.items():
        yield _line_of_bytes(f"bytes of vectors in memory, {kind}", vectors * size, things)
    yield _line("predictions", came.predictions / number, things)
    yield _line("events", came.events / number, things)
    minutes = came.predictions / number * things / PREDICTIONS_PER_MINUTE
    yield f"| hours at {PREDICTIONS_PER_MINUTE} predictions a minute | | {minutes / 60:,.2f} |"
    seconds = came.events / number * things / EVENTS_PER_SECOND
    yield f"| hours at {EVENTS_PER_SECOND} events a second | | {seconds / 3600:,.2f} |"


def _line(name: str, each: float, things: int) -> str:
    return f"| {name} | {each:,.2f} | {each * things:,.0f} |"


def _line_of_bytes(name: str, each: float, things: int) -> str:
    """In GB of 10^9 bytes, as price lists have them."""
    return f"| {name} | {each:,.0f} | {each * things / 1e9:,.2f} GB |"


def measured(
    cloud: Cloud, site: Site, pages: int, minutes: int, folder: Path
) -> tuple[Totals, Totals]:
    """What so many pages have come to, and then one recording of so many minutes."""
    empty = totals(cloud)
    index(cloud, [site.add(each.path, each.page()) for each in articles(pages)])
    with_pages = totals(cloud)
    path = folder / "speech.wav"
    recording(path, minutes)
    index(cloud, [site.add("/speech.wav", Page(path.read_bytes(), "audio/wav"))])
    return with_pages - empty, totals(cloud) - with_pages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--things", type=int, default=1_000_000)
    parser.add_argument("--articles", type=int, default=48)
    parser.add_argument("--minutes", type=int, default=10)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="estimate-") as folder,
        running_site() as site,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0", "FETCH_ALLOW": "127.0.0.1"}) as cloud,
    ):
        pages, speech = measured(cloud, site, given.articles, given.minutes, Path(folder))
    kinds = {"Pages": pages, f"Recordings of {given.minutes} minutes": speech}
    for what, came in kinds.items():
        for line in report(what, came, given.things):
            print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

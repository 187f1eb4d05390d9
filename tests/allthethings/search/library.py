"""What the tests of the search stand on: things in the database as the app writes them, and
somebody who searches."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from subprocess import DEVNULL, Popen
from sys import executable
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from bson import ObjectId
from pymongo.database import Database

from allthethings.assets.about import About
from allthethings.assets.locators import Heading, TimeSpan
from allthethings.assets.passages import Passage
from allthethings.assets.urls import sites_of, url_key
from allthethings.store.passages import PassageStore
from localcloud.ports import pick_port
from localcloud.weights.cache import ensure
from tools.harness.cloud import ROOT, Cloud, clean_environment
from tools.harness.person import JSON, Person
from tools.harness.waiting import wait_for

QUERIES = 1_000 if os.environ.get("SOAK") == "full" else 60
"""Random filtered queries."""
HTML = {"Accept": "text/html"}
FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 3 * 365

WORDS = ["anchor", "barley", "candle", "dahlia", "ember", "feather", "granite", "harbour"]
HOSTS = ["example.org", "www.example.org", "radio.example.org", "example.com", "192.0.2.7"]
LANGUAGES = ["en", "de", "und"]
KINDS = {"audio/mpeg": "audio", "application/ogg": "audio", "text/html": "web page"}
Vector = Sequence[float]
fresh = count()


def vector_of(text: str) -> Vector:
    """What the quick embedding model answers; see tests/faults/models/vectors."""
    numbers = np.random.default_rng(list(text.encode())).standard_normal(768)
    return unit(numbers)


def near_to(vector: Vector, distance: float = 0.3) -> Vector:
    """Another vector; with a distance of 0.3 at a cosine of about 0.96 to it."""
    noise = np.random.default_rng(next(fresh)).standard_normal(768)
    return unit(np.asarray(vector) + distance * noise / np.linalg.norm(noise))


def unit(numbers: Any) -> Vector:
    return [float(number) for number in numbers / np.linalg.norm(numbers)]


@dataclass(frozen=True)
class Thing:
    """One to be put into the database. `vectors` are those of its texts, unless told otherwise."""

    texts: Sequence[str]
    host: str = "example.org"
    content_type: str = "text/html"
    title: str | None = None
    added: datetime = FIRST_DAY
    language: str = "en"
    status: str = "SEARCHABLE"
    vectors: Sequence[Vector] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


class Library:
    """The things in a database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.assets = database["assets"]
        self.passages = database["passages"]
        self._store = PassageStore(self.passages)

    def put(self, thing: Thing) -> str:
        """The id of the new asset, with its passages and their vectors."""
        key = ObjectId()
        url = f"https://{thing.host}/{key}"
        history = [{"status": thing.status, "at": thing.added}]
        self.assets.insert_one(
            {
                "_id": key,
                "kind": KINDS[thing.content_type],
                "url": url,
                "url_key": url_key(url),
                "title": thing.title,
                "language": thing.language,
                "text": "\n\n".join(thing.texts),
                "content_type": thing.content_type,
                "content_length": 1000,
                "status": thing.status,
                "created_at": thing.added,
                "updated_at": thing.added,
                "lease_until": datetime.now(UTC) + timedelta(days=1),
                "history": history,
                **thing.more,
            }
        )
        asset_id, kind = str(key), KINDS[thing.content_type]
        name = thing.title or str(key)
        about = About(name, thing.content_type, kind, sites_of(url), thing.added, thing.language)
        spoken = kind == "audio"
        places = [
            TimeSpan(5.0 * n, 5.0 * n + 5) if spoken else Heading(f"Part {n}")
            for n in range(len(thing.texts))
        ]
        passages = [
            Passage(n, text, place)
            for n, (text, place) in enumerate(zip(thing.texts, places, strict=True))
        ]
        self._store.put(asset_id, about, passages)
        vectors = thing.vectors or [vector_of(text) for text in thing.texts]
        self._store.embed(asset_id, 0, vectors, f"prediction-of-{key}")
        return asset_id

    def move(self, asset_id: str, status: str) -> None:
        """Give it another status, whatever it had."""
        self.assets.update_one({"_id": ObjectId(asset_id)}, {"$set": {"status": status}})

    def url(self, asset_id: str) -> str:
        return str(self.assets.find_one({"_id": ObjectId(asset_id)})["url"])  # type: ignore[index]


def make_library(library: Library) -> None:
    """Things of every kind, site and day; also such as must never be found."""
    rng = random.Random(11)
    for number in range(80):
        library.put(
            Thing(
                texts=[_text(rng) for _ in range(60 if number == 0 else rng.randint(1, 6))],
                host=rng.choice(HOSTS),
                content_type=rng.choice(list(KINDS)),
                title=rng.choice([None, f"The {rng.choice(WORDS)} {rng.choice(WORDS)} {number}"]),
                # At midnight, too: where a day begins and another ends.
                added=FIRST_DAY + timedelta(days=rng.randrange(DAYS), hours=rng.choice([0, 0, 13])),
                language=rng.choice(LANGUAGES),
            )
        )
    for number, status in enumerate(["PROCESSED", "GENERATING_EMBEDDINGS", "EMBEDDINGS_ERROR"]):
        library.put(Thing([_text(rng)], host=HOSTS[number], status=status))
    deleted = library.put(Thing([_text(rng)]))
    library.assets.delete_one({"_id": ObjectId(deleted)})


def _text(rng: random.Random) -> str:
    return f"{' '.join(rng.choices(WORDS, k=6))}, and the {' '.join(rng.choices(WORDS, k=6))}."


@dataclass(frozen=True)
class Wanted:
    """A query, said in the syntax and in the parameters, and what it asks for."""

    text: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    not_kind: str | None = None
    site: str | None = None
    not_site: str | None = None
    lang: str | None = None
    not_lang: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    phrases: Sequence[str] = ()
    without: Sequence[str] = ()

    def allows(self, asset: Mapping[str, Any], texts: Sequence[str]) -> bool:
        kind, host = KINDS[asset["content_type"]], urlsplit(asset["url"]).hostname or ""
        return (
            (self.kind is None or kind == self.kind)
            and (self.not_kind is None or kind != self.not_kind)
            and (self.site is None or _within(host, self.site))
            and (self.not_site is None or not _within(host, self.not_site))
            and (self.lang is None or asset["language"] == self.lang)
            and (self.not_lang is None or asset["language"] != self.not_lang)
            and (self.after is None or asset["created_at"] >= self.after)
            and (self.before is None or asset["created_at"] < self.before)
            and all(_says(phrase, texts) for phrase in self.phrases)
            and not any(_says(phrase, texts) for phrase in self.without)
        )


Census = Sequence[tuple[Mapping[str, Any], Sequence[str]]]


def census(library: Library) -> Census:
    """Every searchable thing with its texts."""
    texts: dict[ObjectId, list[str]] = {}
    for row in library.passages.find({"embedding": {"$exists": True}}, {"asset_id": 1, "text": 1}):
        texts.setdefault(row["asset_id"], []).append(row["text"])
    return [
        (asset, [*texts[asset["_id"]], asset.get("title") or ""])
        for asset in library.assets.find({"status": "SEARCHABLE"}, {"text": 0})
        if asset["_id"] in texts
    ]


def scan(things: Census, wanted: Wanted) -> set[str]:
    """The ids of the things that the query allows, by a look at each."""
    return {str(asset["_id"]) for asset, texts in things if wanted.allows(asset, texts)}


def _within(host: str, site: str) -> bool:
    """A topmost domain is no site."""
    return host == site or ("." in site and host.endswith(f".{site}"))


def _says(phrase: str, texts: Sequence[str]) -> bool:
    """Whether one of the texts has the words one after the other."""
    spoken = [" ".join(re.findall(r"\w+", text.lower())) for text in texts]
    return any(f" {phrase} " in f" {words} " for words in spoken)


class Searcher(Person):
    """Asks, and turns pages."""

    def __init__(self, cloud: Cloud, address: str | None = None) -> None:
        super().__init__(cloud)
        self.http.base_url = httpx.URL(address or cloud.address)

    def answer(self, query: str = "", code: int = 200, **parameters: Any) -> dict[str, Any]:
        found = self.http.get("/search", params={"query": query, **parameters})
        assert found.status_code == code, found.text
        return dict(found.json())

    def page(self, query: str = "", code: int = 200, **parameters: Any) -> str:
        """The page that a browser gets."""
        given = {"query": query, **parameters}
        found = self.http.get("/search", params=given, headers=HTML)
        assert found.status_code == code, found.text
        return found.text

    def ids(self, query: str, **parameters: Any) -> list[str]:
        """The things on the first page."""
        return [result["asset_id"] for result in self.answer(query, **parameters)["results"]]

    def all_pages(self, query: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        for number in count(1):
            answer = self.answer(query, **parameters, page=str(number))
            yield answer
            if not answer["more"]:
                return

    def all_ids(self, query: str, **parameters: Any) -> list[str]:
        pages = self.all_pages(query, **parameters)
        return [result["asset_id"] for page in pages for result in page["results"]]


def app_environment(cloud: Cloud, **changed: str) -> dict[str, str]:
    """The environment of an app over the copy's database, with some settings changed."""
    tokenizer = ensure("all-mpnet-base-v2") / "tokenizer.json"
    settings = {
        **cloud.endpoints,
        "APP_URL": "",
        "TOKENIZER": str(tokenizer),
        "QUERY_EMBEDDINGS": "replicate",
        "NO_PROXY": "127.0.0.1",
        **changed,
    }
    return clean_environment(cloud.data_dir, settings)


@contextmanager
def another_app(cloud: Cloud, **changed: str) -> Iterator[str]:
    """The address of an app beside the copy's own, over the same database, with other settings."""
    port = pick_port()
    command = [executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    environment = app_environment(cloud, **changed)
    with Popen(command, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: _answers(address), "another app")
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/static/app.js", headers=JSON).is_success
    except httpx.TransportError:
        return False

"""The world of the fault tests: how much of everything, things to submit, and what must hold."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import httpx
from bson import ObjectId
from pymongo.database import Database

from tools.harness.cloud import Cloud
from tools.harness.person import JSON
from tools.harness.site import Page

Document = dict[str, Any]


# The statuses in their order; the errors come after all of them.
STORY = ["SUBMITTED", "PROCESSING", "PROCESSED", "GENERATING_EMBEDDINGS", "SEARCHABLE"]

WORDS = ["anchor", "barley", "candle", "dahlia", "ember", "feather", "granite", "harbour"]


@dataclass(frozen=True)
class Thing:
    """A recording or a page. `end` is the end that the models are told to come to: `text`, or
    one of `fail null wrong wait`, or one of those after `vectors:`."""

    name: str
    audio: bool
    end: str
    paragraphs: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"/{self.name}{'.mp3' if self.audio else ''}"

    @property
    def text(self) -> str:
        """What is said in it, with single spaces."""
        return " ".join(self.paragraphs)

    @property
    def fails_as(self) -> str | None:
        """The status in which it must end, if not SEARCHABLE."""
        if self.end == "text":
            return None
        return "EMBEDDINGS_ERROR" if self.end.startswith("vectors:") else "PROCESSING_ERROR"

    def repaired(self) -> Thing:
        """The same thing without its fault."""
        return replace(self, end="text")

    def page(self) -> Page:
        """What its server answers."""
        if self.audio:
            return recording("\n".join(self.paragraphs), self.end)
        body = "".join(f"<p>{paragraph}</p>" for paragraph in self.paragraphs)
        markup = f"<html><head><title>{self.name}</title></head><body><article>{body}"
        return Page(f"{markup}</article></body></html>".encode())


def recording(text: str, end: str = "text", seconds: float = 0.0) -> Page:
    """What the quick Whisper hears `text` in; see tests/faults/models/speech."""
    told = {"text": text, "seconds": seconds, "end": "text" if ":" in end else end}
    return Page(json.dumps(told).encode(), "audio/mpeg")


def make_thing(
    name: str, rng: random.Random, *, audio: bool = False, end: str = "text", paragraphs: int = 3
) -> Thing:
    """A thing whose every sentence is its own; about a passage for each of its paragraphs."""
    written = [
        f"Part {number} of {name} begins with the {' and the '.join(rng.choices(WORDS, k=4))}. "
        f"Then {name} speaks of the {', the '.join(rng.choices(WORDS, k=5))} "
        f"and ends with the {' near the '.join(rng.choices(WORDS, k=4))} in chapter {number}."
        for number in range(1, paragraphs + 1)
    ]
    if end.startswith("vectors:"):
        written[-1] += f" It is marked {end} at its end."
    return Thing(name, audio, end, tuple(written))


def rank(status: str) -> int:
    """How far a thing has come."""
    return STORY.index(status) if status in STORY else len(STORY)


def goes_forward(statuses: Sequence[str]) -> bool:
    """Whether every status is further than the one before."""
    ranks = [rank(status) for status in statuses]
    return all(before < after for before, after in pairwise(ranks))


def each_attempt_goes_forward(history: Sequence[Document]) -> bool:
    """Whether, in each attempt of a history, every status is further than the one before."""
    attempts: list[list[str]] = [[]]
    for entry in history:
        if entry.get("again"):
            attempts.append([])
        attempts[-1].append(entry["status"])
    return all(map(goes_forward, attempts))


def passages(database: Database[Document], asset_id: str) -> list[Document]:
    """What is kept of a thing for the search, in reading order."""
    found = database["passages"].find({"asset_id": ObjectId(asset_id)})
    return sorted(found, key=lambda passage: int(passage["position"]))


def unlike_its_text(database: Database[Document], asset_id: str, thing: Thing) -> str | None:
    """What is wrong with the passages of a searchable thing; None when they say its text once,
    in order, each with its vector."""
    kept = passages(database, asset_id)
    if [passage["position"] for passage in kept] != list(range(len(kept))):
        return f"positions {[passage['position'] for passage in kept]}"
    if " ".join(passage["text"] for passage in kept) != thing.text:
        return f"{len(kept)} passages that do not make its text"
    if bare := [passage["position"] for passage in kept if "embedding" not in passage]:
        return f"passages {bare} without a vector"
    return None


def predictions(cloud: Cloud, since: str = "") -> Iterator[Document]:
    """Every prediction that Replicate was asked for, newest first; or those created since."""
    token = cloud.endpoints["REPLICATE_API_TOKEN"]
    headers = {**JSON, "Authorization": f"Bearer {token}"}
    # Without TLS, whose certificates take longer to load than a page.
    with httpx.Client(headers=headers, timeout=60.0, verify=False) as client:  # noqa: S501
        following = f"{cloud.endpoints['REPLICATE_BASE_URL']}/v1/predictions"
        following += f"?{urlencode({'created_after': since})}" if since else ""
        while following:
            answer = client.get(following)
            answer.raise_for_status()
            page = answer.json()
            yield from page["results"]
            following = page["next"]


def tracebacks(cloud: Cloud) -> list[str]:
    """The lines of the app's log with which a traceback ends: what nobody foresaw."""
    lines = (cloud.data_dir / "logs" / "app.log").read_text("utf-8", "replace").splitlines()
    found = []
    for number, line in enumerate(lines):
        if line.startswith("Traceback"):
            rest = (each for each in lines[number + 1 :] if each and not each.startswith(" "))
            found.append(next(rest, line))
    return found

"""What must hold when the faults are over: everything is there, once, in its right end."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from tests.faults.stock import Stocked
from tests.faults.things import Document, each_attempt_goes_forward, predictions, unlike_its_text
from tools.harness.cloud import Cloud
from tools.harness.person import FINISHED, Person
from tools.harness.waiting import wait_for


@dataclass
class Convergence:
    """How many seconds after the restart things came to their end."""

    seconds: list[float] = field(default_factory=list)

    def add(self, other: Convergence) -> None:
        self.seconds += other.seconds

    def __str__(self) -> str:
        if not self.seconds:
            return "nothing was under way"
        middle, longest = statistics.median(self.seconds), max(self.seconds)
        return f"{len(self.seconds)} things, median {middle:.1f} s, longest {longest:.1f} s"


def database_of(cloud: Cloud) -> Database[Document]:
    """The app's database; the caller closes its client."""
    client: MongoClient[Document] = MongoClient(
        cloud.endpoints["MONGODB_CONNECTION_URI"], tz_aware=True
    )
    return client["iaat"]


def converge(database: Database[Document], restarts: Mapping[str, float]) -> Convergence:
    """Wait for the ends of these things; each counts from its own restart, in Unix time.

    Only those that were under way at their restart count.
    """
    found = Convergence()
    waiting = dict(restarts)

    def all_ended() -> bool:
        keys = [ObjectId(each) for each in waiting]
        for asset in database["assets"].find(
            {"_id": {"$in": keys}, "status": {"$in": [*FINISHED]}}, {"history": 1}
        ):
            seconds = asset["history"][-1]["at"].timestamp() - waiting.pop(str(asset["_id"]))
            if seconds > 0:
                found.seconds.append(seconds)
        return not waiting

    def stories() -> list[str]:
        keys = [ObjectId(each) for each in waiting]
        assets = database["assets"].find({"_id": {"$in": keys}}, {"history": 1})
        return [f"{asset['_id']} {_story(asset)}" for asset in assets]

    wait_for(all_ended, "the end of each thing under way", pause=0.2, moved=stories)
    return found


def _story(asset: Document) -> str:
    return ", ".join(
        f"{entry['status']} {entry['at']:%H:%M:%S.%f}" for entry in asset.get("history", ())
    )


def wrongs(cloud: Cloud, database: Database[Document], things: Mapping[str, Stocked]) -> list[str]:
    """Everything that is not as it has to be. All the things must have come to their ends."""
    assets = {str(asset["_id"]): asset for asset in database["assets"].find()}
    found = [
        f"{asset_id} ({stocked.url}): {wrong}"
        for asset_id, stocked in things.items()
        for wrong in _wrongs_of(database, asset_id, assets.get(asset_id), stocked)
    ]
    urls = Counter(asset["url"] for asset in assets.values())
    found += [f"{url} has {times} assets" for url, times in urls.items() if times > 1]
    owners = {str(each) for each in database["passages"].distinct("asset_id")}
    found += [f"passages of {asset_id}, which is not there" for asset_id in owners - assets.keys()]
    return found + _paid_twice(cloud, things)


def _wrongs_of(
    database: Database[Document], asset_id: str, asset: Document | None, stocked: Stocked
) -> list[str]:
    if asset is None:
        return ["lost"]
    found = []
    if asset["status"] != stocked.end or stocked.error not in (asset["error"] or ""):
        found.append(f"{asset['status']} {asset['error']!r}, not {stocked.end} {stocked.error!r}")
    if not each_attempt_goes_forward(asset["history"]):
        found.append(_story(asset))
    if asset["status"] == "SEARCHABLE":
        unlike = unlike_its_text(database, asset_id, stocked.thing)
        found += [unlike] if unlike else []
    return found


def _paid_twice(cloud: Cloud, things: Mapping[str, Stocked]) -> list[str]:
    """What Replicate was asked for more than once for these things, although it had not failed."""
    urls = {stocked.url for stocked in things.values()}
    names = {stocked.thing.name for stocked in things.values()}
    asked: dict[str, list[str]] = {}
    for prediction in predictions(cloud):
        given = prediction["input"]
        what = given.get("audio") or given.get("text_batch")
        ours = given.get("audio") in urls or names & {*re.findall(r"\bof (\S+) begins", str(what))}
        # A search asks without a webhook.
        if ours and "webhook" in prediction and prediction["status"] != "failed":
            when = f"{prediction['id']} {prediction['status']} {prediction['created_at']}"
            asked.setdefault(str(what), []).append(when)
    return [f"asked for again: {what[:90]} {ids}" for what, ids in asked.items() if len(ids) > 1]


def not_found(
    person: Person, database: Database[Document], things: Mapping[str, Stocked]
) -> list[str]:
    """The searchable things that a search for one of their passages does not find first."""
    missed = []
    for asset_id, stocked in things.items():
        if stocked.end != "SEARCHABLE" or stocked.thing.end == "vectors:slow":
            continue
        passage = database["passages"].find_one({"asset_id": ObjectId(asset_id)}, {"text": 1})
        results = person.search(passage["text"]) if passage else []
        if not results or results[0]["asset_id"] != asset_id:
            missed.append(f"{asset_id} ({stocked.url}) is not found")
    return missed


def undelivered(cloud: Cloud) -> Counter[str]:
    """The gateway's events that were not delivered, by their state and last answer."""
    url: str | None = f"{cloud.endpoints['HOOKDECK_API_URL']}/2025-07-01/events"
    headers = {"Authorization": f"Bearer {cloud.endpoints['HOOKDECK_PROJECT_API_KEY']}"}
    found: Counter[str] = Counter()
    with httpx.Client(headers=headers, timeout=60.0) as client:
        following: str | None = None
        while True:
            options = {"limit": "250"} | ({"next": following} if following else {})
            answer = client.get(str(url), params=options)
            answer.raise_for_status()
            page = answer.json()
            for event in page["models"]:
                if event["status"] != "SUCCESSFUL":
                    last = event["response_status"] or event["error_code"]
                    found[f"{event['status']} after {last}"] += 1
            following = page["pagination"].get("next")
            if not following:
                return found

"""What a crash left half done, put into the database as it was left; with quick models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from replicate.client import Client

from allthethings.processors.audio import WHISPER_VERSION
from tests.faults.things import recording
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

SPEECH = recording("The sea is salty, and the rivers bring the salt.")
TEXT = "The swift sleeps on the wing and lands only to nest under the eaves of old houses."
Document = dict[str, Any]


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


@pytest.fixture(scope="module")
def replicate(cloud: Cloud) -> Iterator[Client]:
    replicate = Client(
        api_token=cloud.endpoints["REPLICATE_API_TOKEN"],
        base_url=cloud.endpoints["REPLICATE_BASE_URL"],
    )
    yield replicate
    replicate._client.close()  # the SDK has no other way


@pytest.fixture(scope="module")
def database(cloud: Cloud) -> Iterator[Database[Document]]:
    client: MongoClient[Document]
    with MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"]) as client:
        yield client["iaat"]


def left(database: Database[Document], url: str, status: str, **fields: Any) -> str:
    """An asset whose worker died a minute ago."""
    then = datetime.now(UTC) - timedelta(minutes=1)
    asset = {
        "_id": ObjectId(),
        "url": url,
        "url_key": url,
        "content_type": "audio/mpeg",
        "content_length": None,
        "status": status,
        "created_at": then,
        "updated_at": then,
        "lease_until": then,
        "history": [{"status": status, "at": then}],
        **fields,
    }
    database["assets"].insert_one(asset)
    return str(asset["_id"])


def passage(database: Database[Document], asset_id: str, **fields: Any) -> None:
    database["passages"].insert_one(
        {
            "_id": f"{asset_id}:0",
            "asset_id": ObjectId(asset_id),
            "position": 0,
            "text": TEXT,
            "locator": {},
            "content_type": "audio/mpeg",
            "replicate_embedding_id": None,
            **fields,
        }
    )


@dataclass(frozen=True)
class LeftBehind:
    """The ids of the assets, and of the prediction that was paid for and not recorded."""

    never_asked: str
    paid: str
    paid_prediction: str
    unknown: str
    no_vectors_asked: str
    no_vectors_owed: str


@pytest.fixture(scope="module")
def left_behind(database: Database[Document], site: Site, replicate: Client) -> LeftBehind:
    """All that crashes left at once, so that one look of the reconciler mends it."""
    paid_url = site.add("/left-paid.mp3", SPEECH)
    paid = replicate.predictions.create(version=WHISPER_VERSION, input={"audio": paid_url})
    nowhere = "http://127.0.0.1/left"
    found = LeftBehind(
        never_asked=left(database, site.add("/left-unasked.mp3", SPEECH), "SUBMITTED"),
        paid=left(database, paid_url, "SUBMITTED"),
        paid_prediction=paid.id,
        unknown=left(database, f"{nowhere}-1", "PROCESSING", replicate_process_id="a" * 26),
        no_vectors_asked=left(database, f"{nowhere}-2", "PROCESSED", text=TEXT),
        no_vectors_owed=left(database, f"{nowhere}-3", "GENERATING_EMBEDDINGS", text=TEXT),
    )
    passage(database, found.no_vectors_asked)
    passage(database, found.no_vectors_owed)
    return found


def test_a_thing_whose_prediction_was_never_asked_for(
    left_behind: LeftBehind, person: Person
) -> None:
    assert person.finished(left_behind.never_asked)["status"] == "SEARCHABLE"


def test_a_prediction_whose_record_was_lost_is_not_paid_for_twice(
    left_behind: LeftBehind, person: Person, replicate: Client
) -> None:
    asset = person.finished(left_behind.paid)
    assert asset["status"] == "SEARCHABLE"
    ours = [
        each.id
        for each in replicate.predictions.list().results
        if (each.input or {}).get("audio") == asset["url"]
    ]
    assert ours == [left_behind.paid_prediction]


def test_a_prediction_that_replicate_does_not_know(left_behind: LeftBehind, person: Person) -> None:
    asset = person.finished(left_behind.unknown)
    assert asset["status"] == "PROCESSING_ERROR"
    assert "no longer knows" in asset["error"]


def test_vectors_that_were_never_asked_for(left_behind: LeftBehind, person: Person) -> None:
    assert person.finished(left_behind.no_vectors_asked)["status"] == "SEARCHABLE"
    found = [result["asset_id"] for result in person.search("swift eaves")]
    assert left_behind.no_vectors_asked in found


def test_vectors_that_nobody_owes(left_behind: LeftBehind, person: Person) -> None:
    asset_id = left_behind.no_vectors_owed
    failed = person.finished(asset_id)
    assert failed["status"] == "EMBEDDINGS_ERROR"
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    wait_for(lambda: person.asset(asset_id)["status"] == "SEARCHABLE", "a second chance")


def test_deletions_that_were_interrupted(database: Database[Document]) -> None:
    """One before its asset was removed, one after that."""
    ids = [left(database, f"http://127.0.0.1/left-{which}", "SEARCHABLE") for which in "ab"]
    keys = [ObjectId(each) for each in ids]
    for asset_id in ids:
        passage(database, asset_id)
    database["assets"].delete_one({"_id": keys[1]})
    database["deletions"].insert_many([{"_id": key, "at": datetime.now(UTC)} for key in keys])
    wait_for(
        lambda: (
            not any(
                database[name].count_documents({field: {"$in": keys}})
                for name, field in (
                    ("passages", "asset_id"),
                    ("assets", "_id"),
                    ("deletions", "_id"),
                )
            )
        ),
        "the rest of them gone",
    )

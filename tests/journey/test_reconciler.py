"""What a crash left half done, put into the database as it was left; with quick models."""

from __future__ import annotations

from collections.abc import Iterator
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


def test_a_thing_whose_prediction_was_never_asked_for(
    database: Database[Document], person: Person, site: Site
) -> None:
    asset_id = left(database, site.add("/left-1.mp3", SPEECH), "SUBMITTED")
    assert person.finished(asset_id)["status"] == "SEARCHABLE"


def test_a_prediction_whose_record_was_lost_is_not_paid_for_twice(
    database: Database[Document], person: Person, site: Site, cloud: Cloud
) -> None:
    url = site.add("/left-2.mp3", SPEECH)
    replicate = Client(
        api_token=cloud.endpoints["REPLICATE_API_TOKEN"],
        base_url=cloud.endpoints["REPLICATE_BASE_URL"],
    )
    paid = replicate.predictions.create(version=WHISPER_VERSION, input={"audio": url})
    asset_id = left(database, url, "SUBMITTED")
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    ours = [
        each.id
        for each in replicate.predictions.list().results
        if (each.input or {}).get("audio") == url
    ]
    replicate._client.close()  # the SDK has no other way
    assert ours == [paid.id]


def test_a_prediction_that_replicate_does_not_know(
    database: Database[Document], person: Person
) -> None:
    asset_id = left(
        database, "http://127.0.0.1/left-3", "PROCESSING", replicate_process_id="a" * 26
    )
    asset = person.finished(asset_id)
    assert asset["status"] == "PROCESSING_ERROR"
    assert "no longer knows" in asset["error"]


def test_vectors_that_were_never_asked_for(database: Database[Document], person: Person) -> None:
    asset_id = left(database, "http://127.0.0.1/left-4", "PROCESSED", text=TEXT)
    passage(database, asset_id)
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    assert person.search("swift eaves")[0]["asset_id"] == asset_id


def test_vectors_that_nobody_owes(database: Database[Document], person: Person) -> None:
    asset_id = left(database, "http://127.0.0.1/left-5", "GENERATING_EMBEDDINGS", text=TEXT)
    passage(database, asset_id)
    failed = person.finished(asset_id)
    assert failed["status"] == "EMBEDDINGS_ERROR"
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    wait_for(lambda: person.asset(asset_id)["status"] == "SEARCHABLE", "a second chance")


@pytest.mark.parametrize("gone", [False, True])
def test_a_deletion_that_was_interrupted(database: Database[Document], gone: bool) -> None:
    """Before the asset was removed, or after that."""
    asset_id = left(
        database,
        f"http://127.0.0.1/left-6-{gone}",
        "SEARCHABLE",
    )
    passage(database, asset_id)
    if gone:
        database["assets"].delete_one({"_id": ObjectId(asset_id)})
    database["deletions"].insert_one({"_id": ObjectId(asset_id), "at": datetime.now(UTC)})
    wait_for(
        lambda: (
            not database["passages"].count_documents({"asset_id": ObjectId(asset_id)})
            and not database["assets"].count_documents({"_id": ObjectId(asset_id)})
            and not database["deletions"].count_documents({})
        ),
        "the rest of it gone",
    )

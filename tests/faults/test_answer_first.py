"""Who waits for an answer does not wait for the many requests to Replicate of a long thing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bson import ObjectId
from pymongo.database import Database

from allthethings.mongo import Database as AppDatabase
from allthethings.pipeline.embedding_stage import BATCH
from allthethings.store.documents import now
from tests.faults.apart import left
from tests.faults.crew import Member, serving_beside
from tests.faults.slow_replicate import ASKS, SlowReplicate, slow_replicate
from tests.faults.things import Document, Thing, make_thing, passages, predictions, unlike_its_text
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

# So that each paragraph of a thing is about a passage.
SHORT = {"PASSAGE_SIZE": "60"}
BOOK = 3_000
OF_ITS_TEXT = "prediction-of-the-text"


@pytest.fixture(scope="module")
def slow(cloud: Cloud) -> Iterator[SlowReplicate]:
    with slow_replicate(cloud) as slow:
        yield slow


@pytest.fixture(scope="module")
def other(
    cloud: Cloud, slow: SlowReplicate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Person]:
    """Who uses another server, whose Replicate is slow."""
    log = tmp_path_factory.mktemp("answer-first") / "serve.log"
    with serving_beside(cloud, log, REPLICATE_BASE_URL=slow.address, **SHORT) as (served, _):
        person = Person(served)
        yield person
        person.http.close()


@pytest.fixture
def stores(cloud: Cloud) -> Iterator[AppDatabase]:
    """The app's stores over the copy's database."""
    stores = AppDatabase(cloud.endpoints["MONGODB_CONNECTION_URI"], "iaat")
    yield stores
    stores.close()


def being_read(stores: AppDatabase, thing: Thing) -> str:
    """A recording that waits for its text, and that nobody takes up."""
    url = f"http://127.0.0.1:9/{thing.name}.mp3"
    held = {"lease_until": now() + timedelta(hours=1), "replicate_process_id": OF_ITS_TEXT}
    return left(stores, "PROCESSING", timedelta(0), url=url, url_key=url, kind="recording", **held)


def call_back(person: Person, asset_id: str, thing: Thing) -> int:
    """Bring the text of the thing; how that is answered."""
    segments = [
        {"start": number, "end": number + 1, "text": text}
        for number, text in enumerate(thing.paragraphs)
    ]
    output = {"transcription": thing.text, "segments": segments}
    told = {"id": OF_ITS_TEXT, "status": "succeeded", "output": output}
    return person.call_back(f"audio/{asset_id}", told).status_code


def asked_for(requests: Sequence[str]) -> int:
    """How many of the requests ask for a prediction."""
    return sum(re.match(ASKS, each) is not None for each in requests)


def batches(cloud: Cloud, thing: Thing) -> Counter[str]:
    """How often each batch of this thing's passages was asked for, by its text."""
    texts = [row["input"].get("text_batch", "") for row in predictions(cloud)]
    return Counter(text for text in texts if f" of {thing.name} " in text)


def searchable_once(
    cloud: Cloud, person: Person, database: Database[Document], asset_id: str, thing: Thing
) -> None:
    """The thing came to its end, and each of its passages was asked for once."""
    wait_for(
        lambda: person.asset(asset_id)["status"] == "SEARCHABLE",
        f"{thing.name} searchable",
        pause=0.2,
        moved=lambda: person.moved(asset_id),
    )
    assert unlike_its_text(database, asset_id, thing) is None
    asked = batches(cloud, thing)
    assert {*asked.values()} == {1}
    assert sum(len(json.loads(text)) for text in asked) == len(passages(database, asset_id))
    statuses = [entry["status"] for entry in person.asset(asset_id)["history"]]
    assert statuses == ["PROCESSING", "PROCESSED", "GENERATING_EMBEDDINGS", "SEARCHABLE"]


@pytest.mark.parametrize(
    "paragraphs",
    [
        4 * BATCH,
        pytest.param(BOOK, marks=pytest.mark.slow("a minute; four batches stand for a hundred")),
    ],
)
def test_a_callback_is_answered_before_the_second_batch_is_asked_for(
    cloud: Cloud,
    database: Database[Document],
    stores: AppDatabase,
    slow: SlowReplicate,
    other: Person,
    paragraphs: int,
) -> None:
    thing = make_thing(f"answered-{paragraphs}", Random(1), audio=True, paragraphs=paragraphs)
    asset_id = being_read(stores, thing)
    slow.hold(ASKS, but=1)
    assert call_back(other, asset_id, thing) == 200
    assert sum(batches(cloud, thing).values()) == 1
    slow.let_go()
    searchable_once(cloud, other, database, asset_id, thing)


@pytest.mark.slow("one kill more; the app is killed at other points without it")
def test_a_kill_between_the_answer_and_the_requests_is_made_good(
    cloud: Cloud,
    database: Database[Document],
    stores: AppDatabase,
    slow: SlowReplicate,
    person: Person,
    tmp_path: Path,
) -> None:
    thing = make_thing("killed-answering", Random(2), audio=True, paragraphs=4 * BATCH)
    asset_id = being_read(stores, thing)
    settings = {"REPLICATE_BASE_URL": slow.address, **SHORT}
    with serving_beside(cloud, tmp_path / "serve.log", **settings) as (served, member):
        other = Person(served)
        slow.hold(ASKS, but=1)
        assert call_back(other, asset_id, thing) == 200
        wait_for(lambda: asked_for(slow.came) == 2, "the second request")
        kill(member)
        other.http.close()
    slow.let_go()
    wait_for(lambda: asked_for(slow.passed) == 2, "the second prediction, which nobody noted")
    # As it is when the lease has ended.
    stores.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"lease_until": now()}}
    )
    searchable_once(cloud, person, database, asset_id, thing)


def kill(member: Member) -> None:
    member.process.kill()
    member.process.wait()


def test_what_is_left_to_the_worker_is_done_by_the_worker(
    cloud: Cloud,
    database: Database[Document],
    stores: AppDatabase,
    slow: SlowReplicate,
    tmp_path: Path,
) -> None:
    thing = make_thing("left-over", Random(3), audio=True, paragraphs=4 * BATCH)
    asset_id = being_read(stores, thing)
    settings = {"REPLICATE_BASE_URL": slow.address, "LEAVE_TO_WORKER": "1", **SHORT}
    with serving_beside(cloud, tmp_path / "serve.log", **settings) as (served, _):
        other = Person(served)
        slow.hold(ASKS, but=1)
        assert call_back(other, asset_id, thing) == 200
        searchable_once(cloud, other, database, asset_id, thing)
        assert asked_for(slow.came) == 1
        other.http.close()


# -- what people do


@pytest.fixture
def long(person: Person, site: Site, request: pytest.FixtureRequest) -> tuple[str, Thing]:
    """A page of three batches whose vectors do not come, and its id."""
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    thing = make_thing(name, Random(4), paragraphs=6 * BATCH)
    thing = replace(thing, paragraphs=tuple(f"{each} vectors:wait" for each in thing.paragraphs))
    asset_id = person.submit(site.add(thing.path, thing.page()))
    reach(person, asset_id, "GENERATING_EMBEDDINGS")
    return asset_id, thing


def ends(cloud: Cloud, thing: Thing) -> set[str]:
    """How the predictions for its passages stand."""
    found = [row for row in predictions(cloud) if f" of {thing.name} " in str(row["input"])]
    assert len(found) >= 3
    return {row["status"] for row in found}


def all_ended(cloud: Cloud, thing: Thing) -> bool:
    """Whether no prediction for its passages runs any more, and some were cancelled."""
    found = ends(cloud, thing)
    return "canceled" in found and found.isdisjoint({"starting", "processing"})


@pytest.mark.parametrize(("act", "code"), [("cancel", 202), ("delete", 200)])
def test_its_predictions_are_cancelled_after_the_answer(
    cloud: Cloud,
    slow: SlowReplicate,
    other: Person,
    long: tuple[str, Thing],
    act: str,
    code: int,
) -> None:
    asset_id, thing = long
    slow.hold(r"POST /v1/predictions/.*/cancel")
    assert other.http.post(f"/assets/{asset_id}/{act}").status_code == code
    assert "canceled" not in ends(cloud, thing)
    slow.let_go()
    wait_for(lambda: all_ended(cloud, thing), "the end of all its predictions")
    if act == "cancel":
        assert other.http.post(f"/assets/{asset_id}/delete").status_code == 200


def test_a_retry_is_answered_before_its_predictions_are_looked_at(
    cloud: Cloud,
    slow: SlowReplicate,
    other: Person,
    long: tuple[str, Thing],
    stores: AppDatabase,
) -> None:
    """Those that run on are waited for."""
    asset_id, thing = long
    stores.assets.collection.update_one(
        {"_id": ObjectId(asset_id)}, {"$set": {"status": "EMBEDDINGS_ERROR", "error": "It failed."}}
    )
    before = sum(batches(cloud, thing).values())
    slow.hold(r"GET /v1/predictions/")
    answer = other.http.post(f"/assets/{asset_id}/retry")
    assert (answer.status_code, answer.json()["asset"]["status"]) == (202, "PROCESSED")
    slow.let_go()
    reach(other, asset_id, "GENERATING_EMBEDDINGS")
    assert sum(batches(cloud, thing).values()) == before
    assert other.http.post(f"/assets/{asset_id}/delete").status_code == 200
    wait_for(lambda: all_ended(cloud, thing), "the end of all its predictions")


def reach(person: Person, asset_id: str, status: str) -> None:
    wait_for(lambda: person.asset(asset_id)["status"] == status, f"{asset_id} {status}")

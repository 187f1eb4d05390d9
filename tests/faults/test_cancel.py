"""A person ends a thing at each of its stages; what comes afterwards changes nothing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pymongo.database import Database as Documents

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import BadInput, NoSuchAsset
from allthethings.mongo import Database
from allthethings.pipeline.lifecycle import CANCELLED
from allthethings.replicate.predictions import Prediction
from allthethings.store.transitions import Transitions
from tests.faults.apart import (
    NOWHERE,
    OwnReplicate,
    existing,
    in_parts,
    left,
    pipeline_of,
)
from tests.faults.things import Document, make_thing, passages, predictions, recording
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.servers import answer, serving
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

S = AssetStatus


def reach(person: Person, asset_id: str, status: str) -> None:
    wait_for(lambda: person.asset(asset_id)["status"] == status, f"{asset_id} {status}")


def cancel(person: Person, asset_id: str, status: str) -> dict[str, Any]:
    """Cancel it; the asset, which must have ended so."""
    told = person.http.post(f"/assets/{asset_id}/cancel")
    assert told.status_code == 202, told.text
    asset = person.asset(asset_id)
    assert (asset["status"], asset["error"]) == (status, CANCELLED)
    assert asset["history"][-1]["cancelled"] is True
    assert "Cancelled by you" in asset["now"]["trouble"]
    return asset


def canceled(cloud: Cloud, words: str) -> list[Document]:
    """The predictions with those words in their input, once every one is canceled."""

    def all_canceled() -> list[Document] | None:
        told = told_of(cloud, words)
        return told if {each["status"] for each in told} == {"canceled"} else None

    return wait_for(all_canceled, f"an end to the predictions with {words}")


def told_of(cloud: Cloud, words: str) -> list[Document]:
    """The predictions with those words in their input, newest first."""
    return [each for each in predictions(cloud) if words in json.dumps(each["input"])]


def test_while_its_text_is_made(cloud: Cloud, person: Person, site: Site) -> None:
    url = site.add("/long-talk.mp3", recording("It goes on and on.", "wait"))
    asset_id = person.submit(url)
    reach(person, asset_id, "PROCESSING")
    asset = cancel(person, asset_id, "PROCESSING_ERROR")
    (asked,) = canceled(cloud, url)

    output = {"transcription": "Too late.", "segments": []}
    for late in (
        {"id": asked["id"], "status": "succeeded", "output": output},
        {"id": asked["id"], "status": "canceled", "output": None},
        {"id": "stranger", "status": "failed", "error": "no"},
    ):
        assert person.call_back(f"audio/{asset_id}", late).status_code == 200
        assert person.asset(asset_id) == asset
    assert person.http.post(f"/assets/{asset_id}/cancel").status_code == 409

    site.add("/long-talk.mp3", recording("It is short now."))
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    again = person.finished(asset_id)
    assert (again["status"], again["text"]) == ("SEARCHABLE", "It is short now.")
    assert len(told_of(cloud, url)) == 2


def test_how_far_it_is_is_told_without_the_text(person: Person, site: Site) -> None:
    """From the model's log, through Replicate, to the page."""
    # One line: of several at once, Cog reports the first, and the others with the next.
    meter = " 37%|███▋      | 111/300 [00:10<00:17, 11.10s/s]"
    told = {"text": "A long talk.", "end": "wait", "log": meter}
    asset_id = person.submit(site.add("/told.mp3", Page(json.dumps(told).encode(), "audio/mpeg")))

    def state() -> dict[str, Any]:
        return dict(person.http.get(f"/assets/{asset_id}/state").json()["asset"])

    wait_for(lambda: state()["progress"]["share"] == 0.37, "the share that is done", pause=0.2)
    now = state()["now"]
    assert (now["percent"], now["doing"]) == (25, "37% transcribed")
    shown = person.http.get(f"/assets/{asset_id}", headers={"Accept": "text/html"}).text
    assert "37% transcribed" in shown

    behind = person.submit(site.add("/behind.mp3", recording("Next, please.", "wait")))
    reach(person, behind, "PROCESSING")
    waits = person.http.get(f"/assets/{behind}/state").json()["asset"]["now"]["doing"]
    assert waits == "Waiting for a model. 1 thing is ahead of it."
    for each in (behind, asset_id):
        cancel(person, each, "PROCESSING_ERROR")


def test_while_its_vectors_are_made(
    cloud: Cloud, person: Person, site: Site, database: Documents[Document]
) -> None:
    thing = make_thing("held-back", Random(3), end="vectors:wait")
    asset_id = person.submit(site.add(thing.path, thing.page()))
    reach(person, asset_id, "GENERATING_EMBEDDINGS")
    asset = cancel(person, asset_id, "EMBEDDINGS_ERROR")
    assert asset["text"]
    asked = canceled(cloud, f" of {thing.name} ")

    # What was paid for is kept for another try, and no more than that happens.
    last = len(passages(database, asset_id)) - 1
    vectors = [{"embedding": [0.5] * 768}] * (last + 1)
    path = f"embedding/{asset_id}/0-{last}"
    for late in (
        {"id": asked[0]["id"], "status": "canceled", "output": None},
        {"id": asked[0]["id"], "status": "succeeded", "output": vectors},
    ):
        assert person.call_back(path, late).status_code == 200
        now = person.asset(asset_id)
        assert {**now, "progress": {}} == {**asset, "progress": {}}
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    assert person.finished(asset_id)["status"] == "SEARCHABLE"
    assert len(told_of(cloud, f" of {thing.name} ")) == len(asked)


def test_a_late_word_of_the_first_try_does_not_end_the_second(
    cloud: Cloud, person: Person, site: Site
) -> None:
    thing = make_thing("twice-held", Random(4), end="vectors:wait")
    asset_id = person.submit(site.add(thing.path, thing.page()))
    reach(person, asset_id, "GENERATING_EMBEDDINGS")
    cancel(person, asset_id, "EMBEDDINGS_ERROR")
    (first,) = told_of(cloud, f" of {thing.name} ")
    person.http.post(f"/assets/{asset_id}/retry")
    reach(person, asset_id, "GENERATING_EMBEDDINGS")
    last = len(json.loads(first["input"]["text_batch"])) - 1
    late = {"id": first["id"], "status": "canceled", "output": None}
    assert person.call_back(f"embedding/{asset_id}/0-{last}", late).status_code == 200
    assert person.asset(asset_id)["status"] == "GENERATING_EMBEDDINGS"
    cancel(person, asset_id, "EMBEDDINGS_ERROR")
    canceled(cloud, f" of {thing.name} ")


def test_while_its_page_is_read(person: Person) -> None:
    thing = make_thing("slow-page", Random(5))
    asked, go = threading.Event(), threading.Event()
    gets: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        if head.startswith(b"GET"):
            gets.append(head)
        if len(gets) > 1:  # the first is for the canonical URL, before there is a thing
            asked.set()
            go.wait(60)
        answer(thing.page().body, "Content-Type: text/html; charset=utf-8")(connection, head)

    with serving(script) as server, ThreadPoolExecutor(1) as pool:
        url = server.url("/slow-page")
        submitting = pool.submit(person.submit, url)
        assert asked.wait(60)
        (asset_id,) = [each["id"] for each in person.assets() if each["url"] == url]
        cancel(person, asset_id, "PROCESSING_ERROR")
        go.set()
        assert submitting.result(60) == asset_id
        asset = person.asset(asset_id)
        assert (asset["status"], asset["error"], asset["text"]) == (
            "PROCESSING_ERROR",
            CANCELLED,
            None,
        )
        assert asset["progress"]["total"] == 0
        again = person.http.post(f"/assets/{asset_id}/retry")
        assert again.status_code == 202
        assert again.json()["asset"]["error"] is None
        assert person.finished(asset_id)["status"] == "SEARCHABLE"


def test_what_has_ended_or_is_not_there_is_not_cancelled(person: Person, site: Site) -> None:
    asset = person.index(site.add("/over.mp3", recording("It is over.")))
    assert person.http.post(f"/assets/{asset['id']}/cancel").status_code == 409
    assert person.asset(asset["id"]) == asset
    assert person.http.post(f"/assets/{'0' * 24}/cancel").status_code == 404
    assert person.http.post("/assets/none/cancel").status_code == 404


def test_what_was_cancelled_can_be_deleted(person: Person, site: Site) -> None:
    url = site.add("/unloved.mp3", recording("Nobody listens.", "wait"))
    asset_id = person.submit(url)
    reach(person, asset_id, "PROCESSING")
    cancel(person, asset_id, "PROCESSING_ERROR")
    assert person.http.post(f"/assets/{asset_id}/delete").status_code == 200
    assert person.http.get(f"/assets/{asset_id}").status_code == 404


# -- in the middle of a step


class Interrupted(OwnReplicate):
    """Something happens when a prediction was created, and nobody has noted it yet."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.created: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.cancels = True

    def create(self, version: str, values: Any, webhook: str) -> Prediction:
        prediction = super().create(version, values, webhook)
        self.created.append(prediction.id)
        self.meanwhile()
        return prediction

    def cancel(self, prediction_id: str) -> None:
        if self.cancels:
            super().cancel(prediction_id)

    def ends(self) -> list[str]:
        found = [self.get(prediction_id) for prediction_id in self.created]
        return [each.status for each in found if each]


class GoesOn(Transitions):
    """Its text arrives just before it is ended."""

    def move(self, asset_id: str, to: AssetStatus, **fields: Any) -> bool:
        if to is S.PROCESSING_ERROR:
            super().move(asset_id, S.PROCESSED)
        return super().move(asset_id, to, **fields)


@pytest.fixture
def replicate(cloud: Cloud) -> Iterator[Interrupted]:
    with closing(Interrupted(cloud)) as replicate:
        yield replicate


def statuses(asset: Asset) -> Sequence[str]:
    return [entry["status"] for entry in asset.history]


def test_while_the_prediction_of_its_text_is_created(
    apart: Database, replicate: Interrupted, site: Site
) -> None:
    url = site.add("/unnoted.mp3", recording("It hangs.", "wait"))
    asset_id = left(apart, "SUBMITTED", timedelta(0), url=url)
    pipeline = pipeline_of(apart, replicate, NOWHERE)
    replicate.meanwhile = lambda: pipeline.lifecycle.cancel(asset_id)
    pipeline.text.process(existing(apart, asset_id))
    asset = existing(apart, asset_id)
    assert (asset.status, asset.error) == (S.PROCESSING_ERROR, CANCELLED)
    assert replicate.ends() == ["canceled"]

    # Nor does its callback end another try, which has no prediction yet.
    late = {"id": replicate.created[0], "status": "canceled", "output": None}
    replicate.meanwhile = lambda: pipeline.text.record(asset_id, late)
    pipeline.lifecycle.retry(asset_id)
    assert existing(apart, asset_id).status is S.PROCESSING
    pipeline.lifecycle.cancel(asset_id)
    assert replicate.ends() == ["canceled", "canceled"]


def test_while_a_prediction_of_its_vectors_is_created(
    apart: Database, replicate: Interrupted
) -> None:
    asset_id = in_parts(apart, 1)
    pipeline = pipeline_of(apart, replicate, NOWHERE)
    replicate.meanwhile = lambda: pipeline.lifecycle.cancel(asset_id)
    pipeline.embeddings.request(asset_id)
    asset = existing(apart, asset_id)
    assert (asset.status, asset.error) == (S.EMBEDDINGS_ERROR, CANCELLED)
    assert replicate.ends() == ["canceled"]


def test_vectors_whose_prediction_takes_its_time_to_end_are_not_waited_for(
    apart: Database, replicate: Interrupted
) -> None:
    asset_id = in_parts(apart, 1)
    pipeline = pipeline_of(apart, replicate, NOWHERE)
    pipeline.embeddings.request(asset_id)
    replicate.cancels = False
    pipeline.lifecycle.cancel(asset_id)
    pipeline.lifecycle.retry(asset_id)
    first, second = replicate.created
    late = {"id": first, "status": "canceled", "output": None}
    pipeline.embeddings.record(asset_id, 0, 0, late)
    assert existing(apart, asset_id).status is S.GENERATING_EMBEDDINGS
    assert apart.passages.owed(asset_id) == [(second, 0, 0)]
    replicate.cancels = True
    for each in (first, second):
        replicate.cancel(each)


def test_what_went_on_in_between_ends_where_it_is(apart: Database, replicate: Interrupted) -> None:
    asset_id = left(apart, "PROCESSING", timedelta(minutes=1))
    apart.transitions = GoesOn(apart.assets.collection)
    asset = pipeline_of(apart, replicate, NOWHERE).lifecycle.cancel(asset_id)
    assert statuses(asset) == ["PROCESSING", "PROCESSED", "EMBEDDINGS_ERROR"]
    assert asset.cancelled


def test_two_who_cancel_are_one(apart: Database, replicate: Interrupted) -> None:
    asset_id = left(apart, "PROCESSING", timedelta(minutes=1))
    pipeline = pipeline_of(apart, replicate, NOWHERE)
    pipeline.lifecycle.cancel(asset_id)
    with pytest.raises(BadInput, match="Only a thing that is under way"):
        pipeline.lifecycle.cancel(asset_id)
    assert statuses(existing(apart, asset_id)) == ["PROCESSING", "PROCESSING_ERROR"]
    pipeline.lifecycle.delete(asset_id)
    with pytest.raises(NoSuchAsset):
        pipeline.lifecycle.cancel(asset_id)

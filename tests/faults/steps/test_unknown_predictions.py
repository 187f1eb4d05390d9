"""Signed callbacks about predictions whose ids nobody has recorded, of the thing or of another."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any, cast

import pytest

import app as application
from allthethings.assets.asset import AssetStatus
from allthethings.errors import ServiceUnavailable
from allthethings.generators import EMBEDDING_VERSION
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.replicate.client import ReplicateClient
from allthethings.web.services import Services
from tests.allthethings.web.in_memory import make_settings
from tests.faults.apart import (
    NOWHERE,
    Watched,
    existing,
    in_parts,
    left,
    pipeline_of,
)
from tests.faults.things import Document, recording
from tools.harness.servers import answer, serving
from tools.harness.signing import SIGNATURE, signature
from tools.harness.site import Site
from tools.harness.waiting import wait_for

S = AssetStatus
TEXT = {"transcription": "Words of a stranger.", "segments": []}
VECTORS = [{"embedding": [0.5] * 768}]


def kept(database: Database, asset_id: str) -> list[Any]:
    """All that is kept of a thing."""
    return [existing(database, asset_id), *database.passages.of(asset_id)]


def ended(replicate: Watched, prediction_id: str) -> None:
    wait_for(lambda: replicate.status(prediction_id) in ("succeeded", "failed"), "its end")


def told(prediction_id: str, status: str, output: object) -> Document:
    output = output if status == "succeeded" else None
    return {"id": prediction_id, "status": status, "output": output, "error": None}


@pytest.mark.parametrize("status", ["succeeded", "failed"])
@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/x-gone"])
def test_a_kind_that_asks_no_model_takes_no_text(
    database: Database, pipeline: Pipeline, status: str, content_type: str
) -> None:
    asset_id = left(database, "SUBMITTED", timedelta(0), content_type=content_type)
    before = kept(database, asset_id)
    pipeline.text.record(asset_id, told("stranger", status, TEXT))
    assert kept(database, asset_id) == before


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_only_a_prediction_of_the_recording_itself_counts(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site, status: str
) -> None:
    mine = site.add("/mine.mp3", recording("My own words."))
    other = site.add("/other.mp3", recording("The words of another."))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=mine)
    before = kept(database, asset_id)
    of_another = replicate.create(WHISPER_VERSION, {"audio": other}, NOWHERE).id
    of_another_model = replicate.create(EMBEDDING_VERSION, {"text": mine}, NOWHERE).id
    for each in (of_another, of_another_model):
        ended(replicate, each)
    for each in ("stranger", of_another, of_another_model):
        pipeline.text.record(asset_id, told(each, status, TEXT))
        assert kept(database, asset_id) == before

    of_itself = replicate.create(WHISPER_VERSION, {"audio": mine}, NOWHERE).id
    ended(replicate, of_itself)
    pipeline.text.record(asset_id, told(of_itself, status, TEXT))
    asset = existing(database, asset_id)
    assert (asset.replicate_process_id, asset.text) == (of_itself, "My own words.")


def test_a_text_that_overtakes_the_record_of_its_prediction(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    """The callback is there before Replicate's answer to the request is."""
    url = site.add("/early.mp3", recording("Here already."))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=url)

    def call_back(number: int) -> None:
        if number == 1:
            ended(replicate, replicate.created[0])
            pipeline.text.record(asset_id, told(replicate.created[0], "succeeded", TEXT))

    replicate.after_create = call_back
    pipeline.text.process(existing(database, asset_id))
    asset = existing(database, asset_id)
    assert (asset.status, asset.text) == (S.GENERATING_EMBEDDINGS, "Here already.")
    assert asset.replicate_process_id == replicate.created[0]
    assert asset.replaced_process_ids == ()
    assert len(replicate.created) == 2


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_only_a_prediction_of_the_passages_themselves_counts(
    database: Database, replicate: Watched, pipeline: Pipeline, status: str
) -> None:
    asset_id = in_parts(database, 1)
    before = kept(database, asset_id)
    others = [
        replicate.create(EMBEDDING_VERSION, {"text_batch": json.dumps(texts)}, NOWHERE).id
        for texts in (["Of another thing."], ["Of another thing.", "And of two passages."])
    ]
    for each in others:
        ended(replicate, each)
    for each in ("stranger", *others):
        lie = {"text_batch": json.dumps(["vectors:wait 0"])}
        payload = {**told(each, status, VECTORS), "input": lie}
        pipeline.embeddings.record(asset_id, 0, 0, payload)
        assert kept(database, asset_id) == before


def test_vectors_that_overtake_the_record_of_their_prediction(
    database: Database, replicate: Watched, pipeline: Pipeline
) -> None:
    asset_id = in_parts(database, 1, ending="quick")

    def call_back(_number: int) -> None:
        ended(replicate, replicate.created[0])
        pipeline.embeddings.record(asset_id, 0, 0, told(replicate.created[0], "succeeded", VECTORS))

    replicate.after_create = call_back
    pipeline.embeddings.request(asset_id)
    assert existing(database, asset_id).status is S.SEARCHABLE
    assert len(replicate.created) == 1


@pytest.mark.parametrize("problem", ["away", "refuses"])
def test_what_replicate_cannot_be_asked_for_comes_again(database: Database, problem: str) -> None:
    refusal = answer(b'{"detail": "no"}', "Content-Type: application/json", status="401 No")
    with ExitStack() as stack:
        server = stack.enter_context(serving(refusal))
        address = server.url("") if problem == "refuses" else "http://127.0.0.1:9"
        client = stack.enter_context(closing(ReplicateClient("r8_of_the_tests", address)))
        pipeline = pipeline_of(database, client, NOWHERE)
        for asset_id, path, output in (
            (left(database, "SUBMITTED", timedelta(0)), "audio/{}", TEXT),
            (in_parts(database, 1), "embedding/{}/0-0", VECTORS),
        ):
            before = kept(database, asset_id)
            code, retry_after = call_back(
                database, pipeline, path.format(asset_id), told("p1", "succeeded", output)
            )
            assert (code, retry_after) == (503, "30")
            assert kept(database, asset_id) == before
            with pytest.raises(ServiceUnavailable, match="Replicate is not available"):
                pipeline.text.record(
                    left(database, "SUBMITTED", timedelta(0), url_key=path), told("p1", "failed", 0)
                )


def call_back(
    database: Database, pipeline: Pipeline, path: str, payload: Document
) -> tuple[int, str | None]:
    """What the app answers to a callback: the status, and when to come again."""
    settings = make_settings()
    anything = cast(Any, None)
    parts = Services(
        database,
        pipeline,
        imports=anything,
        checks=anything,
        search=anything,
        watch=anything,
        webhook_secret=settings.hookdeck_webhook_secret,
    )
    client = application.create_web(settings, parts).test_client()
    body = json.dumps(payload).encode()
    headers = {SIGNATURE: signature(settings.hookdeck_webhook_secret, body)}
    answered = client.post(f"/webhooks/{path}", data=body, headers=headers)
    return answered.status_code, answered.headers.get("Retry-After")

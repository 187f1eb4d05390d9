"""What Replicate was asked for, and how it answered, is kept with the asset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allthethings.assets.asset import Asset
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.replicate.records import MAX_TEXT
from tests.faults.apart import NOWHERE, Watched, existing, left
from tests.faults.steps.attempting import Make
from tests.faults.things import recording
from tools.harness.site import Site
from tools.harness.waiting import wait_for

OUTPUT = {"transcription": "What was said in it.", "segments": []}


def read(database: Database, asset_id: str) -> Asset:
    asset = database.assets.get(asset_id)
    assert asset is not None
    return asset


def asked_for(asset: Asset, url: str) -> bool:
    """Whether it is kept what its prediction was asked for."""
    told = dict(asset.replicate_request or {})
    assert told["created_at"]
    known = (told["id"], told["version"], told["input"]["audio"])
    return known == (asset.replicate_process_id, WHISPER_VERSION, url)


def ended(prediction_id: str, url: str, **fields: Any) -> dict[str, Any]:
    told = {"id": prediction_id, "version": WHISPER_VERSION, "input": {"audio": url}}
    return {**told, "status": "succeeded", "output": OUTPUT, "logs": "x" * 9_000, **fields}


def test_of_a_prediction_that_brings_the_text(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/kept.mp3", recording("It waits.", "wait"))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=url)
    pipeline.text.process(existing(database, asset_id))
    asset = read(database, asset_id)
    assert asked_for(asset, url)
    assert asset.replicate_response is None

    pipeline.text.record(asset_id, ended(replicate.created[0], url))
    asset = read(database, asset_id)
    assert asked_for(asset, url)
    assert dict(asset.replicate_response or {}) == {
        **{"id": replicate.created[0], "version": WHISPER_VERSION, "status": "succeeded"},
        "input": {"audio": url},
        "logs": "x" * MAX_TEXT,
    }


def test_of_a_prediction_that_failed(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/kept-failure.mp3", recording("It waits.", "wait"))
    asset_id = left(database, "SUBMITTED", timedelta(0), url=url)
    pipeline.text.process(existing(database, asset_id))
    failed = ended(replicate.created[0], url, status="failed", error="told to fail", output=None)
    pipeline.text.record(asset_id, failed)
    response = dict(read(database, asset_id).replicate_response or {})
    assert (response["status"], response["error"]) == ("failed", "told to fail")


def test_of_a_prediction_that_is_found_again_after_a_crash(
    database: Database, replicate: Watched, make: Make, site: Site
) -> None:
    url = site.add("/found-again.mp3", recording("It waits.", "wait"))
    lost = replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE).id
    asset_id = left(database, "SUBMITTED", timedelta(minutes=1), url=url)
    _, reconciler = make(patience=timedelta(minutes=1))
    reconciler.reconcile()
    asset = read(database, asset_id)
    assert asset.replicate_process_id == lost
    assert asked_for(asset, url)


def test_of_a_prediction_whose_callback_overtakes_its_record(
    database: Database, replicate: Watched, pipeline: Pipeline, site: Site
) -> None:
    url = site.add("/overtaken.mp3", recording("It is soon over."))
    made = replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE).id
    asset_id = left(database, "SUBMITTED", timedelta(minutes=1), url=url)

    def recorded() -> bool:
        pipeline.text.record(asset_id, ended(made, url))
        return existing(database, asset_id).replicate_process_id == made

    wait_for(recorded, "the end of the prediction")
    asset = read(database, asset_id)
    assert asked_for(asset, url)
    assert dict(asset.replicate_response or {})["status"] == "succeeded"

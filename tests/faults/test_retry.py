"""A second try asks for nothing that was paid for."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

from pymongo.database import Database

from allthethings.pipeline.embedding_stage import BATCH
from tests.faults.things import Document, make_thing, passages, predictions
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

THING = make_thing("twice", Random(7), end="vectors:fail", paragraphs=3 * BATCH)


def batches(cloud: Cloud) -> Counter[str]:
    """How often each batch of this thing's passages was asked for, by its text."""
    texts = [row["input"].get("text_batch", "") for row in predictions(cloud)]
    return Counter(text for text in texts if f" of {THING.name} " in text)


def test_only_the_batch_that_failed_is_asked_for_again(
    cloud: Cloud, person: Person, site: Site, database: Database[Document]
) -> None:
    asset_id = person.submit(site.add(THING.path, THING.page()))

    def kept() -> bool:
        """Whether it has failed, and all but the last batch brought their vectors."""
        rows = passages(database, asset_id)
        bare = [row["position"] for row in rows if "embedding" not in row]
        return bool(bare) and min(bare) >= (len(rows) - 1) // BATCH * BATCH

    assert person.finished(asset_id)["status"] == "EMBEDDINGS_ERROR"
    wait_for(kept, "the vectors of the batches that did not fail")

    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    wait_for(lambda: sum(batches(cloud).values()) == 4, "one batch asked for again")
    failed = person.finished(asset_id)
    assert failed["status"] == "EMBEDDINGS_ERROR"

    asked = batches(cloud)
    assert sorted(asked.values()) == [1, 1, 2]
    assert "vectors:fail" in asked.most_common(1)[0][0]
    assert all(len(json.loads(text)) <= BATCH for text in asked)


def test_a_replay_of_the_failure_does_not_fail_the_second_try(
    cloud: Cloud, person: Person, site: Site
) -> None:
    thing = make_thing("replayed", Random(8), end="vectors:null")
    asset_id = person.submit(site.add(thing.path, thing.page()))
    assert person.finished(asset_id)["status"] == "EMBEDDINGS_ERROR"
    first = next(row for row in predictions(cloud) if f" of {thing.name} " in str(row["input"]))
    last = len(json.loads(first["input"]["text_batch"])) - 1

    before = len(person.asset(asset_id)["history"])
    person.http.post(f"/assets/{asset_id}/retry")
    late = {"id": first["id"], "status": "succeeded", "output": None}
    assert person.call_back(f"embedding/{asset_id}/0-{last}", late).status_code == 200

    def second_try() -> list[str]:
        history = person.asset(asset_id)["history"]
        return [entry["status"] for entry in history[before:]]

    wait_for(lambda: "EMBEDDINGS_ERROR" in second_try(), "the end of the second try")
    assert second_try() == ["PROCESSED", "GENERATING_EMBEDDINGS", "EMBEDDINGS_ERROR"]

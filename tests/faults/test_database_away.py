"""The database or Replicate is away for a while, with people at work: they are told so, nothing
is lost, and everything goes on by itself. And things that are given up, or deleted, under way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.faults.aftermath import (
    Convergence,
    converge,
    not_found,
    undelivered,
    wrongs,
)
from tests.faults.conftest import Report
from tests.faults.kills import frozen, kept_away, let_pass, wait_until_well
from tests.faults.load import under_load
from tests.faults.stock import Stock, Stocked
from tests.faults.things import Document, predictions
from tests.support.copies import QUICK
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

OUTAGE = 10.0
Outage = Callable[..., AbstractContextManager[None]]
ANOTHER = pytest.mark.slow("half a minute each; that MongoDB is away stands for all outages")
OUTAGES = [
    pytest.param(kept_away, ("MongoDB",), id="MongoDB away"),
    pytest.param(frozen, ("MongoDB",), id="MongoDB frozen", marks=ANOTHER),
    pytest.param(kept_away, ("MongoDB", "the search proxy"), id="both away", marks=ANOTHER),
    pytest.param(frozen, ("the search proxy",), id="the search proxy frozen", marks=ANOTHER),
    pytest.param(kept_away, ("Replicate",), id="Replicate away", marks=ANOTHER),
    pytest.param(frozen, ("Replicate",), id="Replicate frozen", marks=ANOTHER),
]
HASTY = {"RECONCILE_AFTER": "2", "PREDICTION_DEADLINE": "6"}
GONE = 404
WAITING = {"starting", "processing"}


@pytest.mark.parametrize(("outage", "parts"), OUTAGES)
def test_a_service_that_is_away_loses_nothing(
    victim_copy: Cloud,
    kept: Database[Document],
    someone: Person,
    site: Site,
    figure: Report,
    outage: Outage,
    parts: tuple[str, ...],
) -> None:
    name = f"{'-and-'.join(parts)}-{outage.__name__}".replace(" ", "-").replace("_", "-").lower()
    convergence = Convergence()
    with under_load(victim_copy.address, Stock(site, name)) as load:
        for _ in range(SIZES.outages):
            before = len(load.accepted)
            wait_for(
                lambda: len(load.accepted) >= before + 4,  # noqa: B023
                "things under way",
                moved=lambda: len(load.accepted),
            )
            with outage(victim_copy, *parts):
                let_pass(OUTAGE)
            back = wait_until_well(victim_copy)
            convergence.add(converge(kept, dict.fromkeys(load.accepted_before(back), back)))
    things = load.accepted_before(time.time())
    converge(kept, dict.fromkeys(things, time.time()))

    figure(f"{name}, {SIZES.outages} times {OUTAGE:.0f} s: convergence", str(convergence))
    figure("things submitted meanwhile, answers", f"{len(things)}, {load.told()}")
    figure("the slowest answer", f"{load.slowest:.1f} s")
    figure("callbacks not delivered", str(dict(undelivered(victim_copy))))
    assert load.wrong == []
    assert [what for what in load.answers if not what.split()[-1].isdigit()] == []
    assert wrongs(victim_copy, kept, things) == []
    assert not_found(someone, kept, things) == []


# -- given up, and deleted


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A copy that gives a prediction a few seconds."""
    with running_cloud(tmp_path_factory.mktemp("hasty") / "var", {**QUICK, **HASTY}) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def people(hasty: Cloud) -> Iterator[Person]:
    person = Person(hasty)
    yield person
    person.http.close()


def waiting(stock: Stock, *, audio: bool) -> Stocked:
    """A thing whose prediction does not end by itself: its text's, or its vectors'."""
    return stock.make(audio=audio, end="wait" if audio else "vectors:wait")


@pytest.mark.slow(
    "starts a copy of its own; steps/test_tries.py has its reconciler give up by itself"
)
def test_a_prediction_that_is_stuck_is_given_up_with_the_reason(
    hasty: Cloud, people: Person, site: Site
) -> None:
    stock = Stock(site, "stuck")
    things = [waiting(stock, audio=number % 2 == 0) for number in range(2 * SIZES.kills_at_a_point)]
    ids = {people.submit(stocked.url): stocked for stocked in things}
    ends = [people.finished(asset_id) for asset_id in ids]
    assert [(end["status"], end["error"]) for end in ends] == [
        (stocked.thing.fails_as, "The model did not finish in time; the prediction was cancelled.")
        for stocked in ids.values()
    ]
    assert {each["status"] for each in _asked(hasty, things)} == {"canceled"}


STAGES = [
    ("PROCESSING", {"audio": True, "end": "wait"}),
    ("GENERATING_EMBEDDINGS", {"end": "vectors:wait", "paragraphs": 40}),
    ("SEARCHABLE", {"audio": True}),
    ("PROCESSING_ERROR", {"audio": True, "end": "fail"}),
    ("EMBEDDINGS_ERROR", {"end": "vectors:fail"}),
]


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        pytest.param(
            stage,
            kind,
            id=stage,
            marks=() if stage == "PROCESSING" else pytest.mark.slow("four seconds for each stage"),
        )
        for stage, kind in STAGES
    ],
)
def test_a_thing_deleted_stays_away(
    victim_copy: Cloud,
    kept: Database[Document],
    someone: Person,
    site: Site,
    stage: str,
    kind: dict[str, object],
) -> None:
    stocked = Stock(site, f"deleted-{stage}".lower()).make(**kind)  # type: ignore[arg-type]
    asset_id = someone.submit(stocked.url)
    wait_for(lambda: someone.asset(asset_id)["status"] == stage, stage)
    _delete_for_good(victim_copy, kept, someone, asset_id, stocked)


@pytest.mark.parametrize(("audio", "stage"), [(True, "SUBMITTED"), (False, "PROCESSED")])
def test_a_thing_deleted_while_replicate_is_away_stays_away(
    victim_copy: Cloud,
    kept: Database[Document],
    someone: Person,
    site: Site,
    audio: bool,
    stage: str,
) -> None:
    stocked = waiting(Stock(site, f"deleted-{stage}".lower()), audio=audio)
    with kept_away(victim_copy, "Replicate"):
        asset_id = someone.submit(stocked.url)
        assert someone.asset(asset_id)["status"] == stage
        someone.http.post(f"/assets/{asset_id}/delete").raise_for_status()
    wait_until_well(victim_copy)
    _is_gone(victim_copy, kept, someone, asset_id, [stocked])


def _delete_for_good(
    cloud: Cloud, kept: Database[Document], person: Person, asset_id: str, stocked: Stocked
) -> None:
    person.http.post(f"/assets/{asset_id}/delete").raise_for_status()
    _is_gone(cloud, kept, person, asset_id, [stocked])
    for prediction in _asked(cloud, [stocked]):  # the callback of an answer that came too late
        text = {"transcription": stocked.thing.text, "segments": []}
        late = {"id": prediction["id"], "status": "succeeded", "output": text}
        assert person.call_back(f"audio/{asset_id}", late).status_code == GONE
        vectors = [{"embedding": [0.0] * 768}] * len(stocked.thing.paragraphs)
        path = f"embedding/{asset_id}/0-{len(vectors) - 1}"
        assert person.call_back(path, late | {"output": vectors}).status_code == GONE
    _is_gone(cloud, kept, person, asset_id, [stocked])
    again = person.submit(stocked.url)
    assert again != asset_id
    person.http.post(f"/assets/{again}/delete").raise_for_status()


def _is_gone(
    cloud: Cloud,
    kept: Database[Document],
    person: Person,
    asset_id: str,
    things: list[Stocked],
) -> None:
    """Nothing is left of it, nothing runs for it any more, and nobody finds it."""
    wait_for(lambda: not _running(cloud, things), "every prediction of it at an end")
    assert person.http.get(f"/assets/{asset_id}").status_code == GONE
    assert _left(kept, [asset_id]) == []
    query = things[0].thing.paragraphs[0]
    if "vectors:" not in query:
        assert asset_id not in [result["asset_id"] for result in person.search(query)]


@pytest.mark.slow("half a minute; one is deleted at each stage without it")
def test_things_deleted_at_random_moments_stay_away(
    victim_copy: Cloud, kept: Database[Document], someone: Person, site: Site, figure: Report
) -> None:
    draw, stock = random.Random(3), Stock(site, "fleeting")
    things = [waiting(stock, audio=number % 2 == 0) for number in range(5 * SIZES.kills_at_a_point)]
    ids = []
    for stocked in things:
        submitting = ThreadPoolExecutor(1)
        accepted = submitting.submit(someone.submit, stocked.url)
        document = wait_for(partial(kept["assets"].find_one, {"url": stocked.url}), "it")
        time.sleep(draw.uniform(0.0, 0.05))  # a random moment, most likely before its answer
        someone.http.post(f"/assets/{document['_id']}/delete").raise_for_status()
        ids.append(str(document["_id"]))
        accepted.result()
        submitting.shutdown()
    left = len(_running(victim_copy, things))
    figure("deleted at random moments, predictions left running", f"{len(things)}, {left}")
    wait_for(lambda: not _left(kept, ids), "nothing of them left")
    wait_for(lambda: not _running(victim_copy, things), "every prediction at an end")


def _left(kept: Database[Document], ids: list[str]) -> list[Document]:
    """What the database still has of things."""
    keys = {"$in": [ObjectId(each) for each in ids]}
    return [
        *kept["assets"].find({"_id": keys}),
        *kept["passages"].find({"asset_id": keys}, {"embedding": 0}),
    ]


def _running(cloud: Cloud, things: list[Stocked]) -> list[str]:
    return [each["id"] for each in _asked(cloud, things) if each["status"] in WAITING]


def _asked(cloud: Cloud, things: list[Stocked]) -> list[Document]:
    """The predictions for these things' texts and vectors."""
    urls = {stocked.url for stocked in things}
    starts = tuple(f'["{stocked.thing.paragraphs[0][:30]}' for stocked in things)
    return [
        prediction
        for prediction in predictions(cloud)
        if prediction["input"].get("audio") in urls
        or str(prediction["input"].get("text_batch")).startswith(starts)
    ]

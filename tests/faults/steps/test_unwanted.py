"""What nobody needs any more at Replicate goes, also where that was away, or the worker died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from allthethings.assets.asset import AssetStatus
from allthethings.errors import BadInput
from allthethings.mongo import Database
from allthethings.pipeline.handover import THREADS, Aside, to_the_worker
from allthethings.pipeline.reconciler import Reconciler
from allthethings.pipeline.unwanted import Cleanup, UnwantedPredictions
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.replicate.client import ReplicateClient
from allthethings.store.documents import now
from tests.faults.apart import NOWHERE, Watched, left
from tests.faults.steps.attempting import Make
from tests.faults.things import recording
from tools.harness.site import Site
from tools.harness.waiting import wait_for

NOW = timedelta(0)


@pytest.fixture
def running(replicate: Watched, site: Site) -> str:
    """A prediction that does not end by itself."""
    url = site.add("/unwanted.mp3", recording("It goes on.", "wait"))
    return replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE).id


def test_what_a_process_that_serves_leaves_is_cancelled_by_the_worker(
    database: Database, replicate: Watched, make: Make, running: str
) -> None:
    clean_up = Cleanup(database.unwanted, replicate, to_the_worker)
    serving = UnwantedPredictions(database, clean_up)
    serving.cancel([running, "found"], found=["found"])
    assert replicate.status(running) in ("starting", "processing")
    make()[0].clean_up()
    wait_for(lambda: replicate.status(running) == "canceled", "the cancellation")
    assert database.unwanted.claim() is None


def test_it_is_cancelled_when_replicate_is_back(
    database: Database, replicate: Watched, make: Make, running: str
) -> None:
    away = ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")
    make(client=away)[0].unwanted.cancel([running, "another"])
    away.close()
    waiting = {"claimed_until": {"$lte": now() + timedelta(hours=1)}}
    assert database.database["unwanted"].count_documents(waiting) == 2
    database.database["unwanted"].update_many({}, {"$set": {"claimed_until": now()}})
    make()[0].clean_up()
    wait_for(lambda: replicate.status(running) == "canceled", "the cancellation")
    assert database.database["unwanted"].count_documents({}) == 0


class Died(BaseException):
    """The process ends here."""


def dies_after(monkeypatch: pytest.MonkeyPatch, subject: object, name: str) -> None:
    """Let the process die right after what this method does."""
    does = getattr(subject, name)

    def last(*args: Any, **named: Any) -> None:
        does(*args, **named)
        raise Died

    monkeypatch.setattr(subject, name, last)


@pytest.mark.parametrize(
    ("act", "last"),
    [("cancel", "move"), ("retry", "start_again"), ("give_up", "give_up"), ("stuck", "move")],
)
def test_what_a_process_left_that_died_is_cancelled(
    database: Database,
    replicate: Watched,
    make: Make,
    running: str,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    last: str,
) -> None:
    pipeline, _ = make()
    status = "PROCESSING_ERROR" if act == "retry" else "PROCESSING"
    asset_id = left(database, status, timedelta(0), replicate_process_id=running)
    wait_for(lambda: replicate.status(running) == "processing", "the model at work")
    acts: dict[str, Callable[[], object]] = {
        "cancel": lambda: pipeline.lifecycle.cancel(asset_id),
        "retry": lambda: pipeline.lifecycle.retry(asset_id),
        "give_up": lambda: pipeline.unwanted.give_up(asset_id, [running]),
        "stuck": Reconciler(database, replicate, pipeline, NOW, NOW).reconcile,
    }
    with monkeypatch.context() as patched:
        dies_after(patched, database.transitions, last)
        with pytest.raises(Died):
            acts[act]()
    assert database.unwanted.claim() is None
    database.database["unwanted"].update_many({}, {"$set": {"claimed_until": now()}})
    make()[0].clean_up()
    wait_for(lambda: replicate.status(running) == "canceled", "the cancellation")


def test_a_cancel_that_comes_too_late_stops_nothing(
    database: Database,
    replicate: Watched,
    make: Make,
    running: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thing has failed just before."""
    asset_id = left(database, "PROCESSING", timedelta(0), replicate_process_id=running)
    pipeline, _ = make()
    hold = database.unwanted.hold

    def held(ids: list[str]) -> str:
        database.transitions.move(asset_id, AssetStatus.PROCESSING_ERROR)
        return hold(ids)

    monkeypatch.setattr(database.unwanted, "hold", held)
    with pytest.raises(BadInput):
        pipeline.lifecycle.cancel(asset_id)
    assert database.database["unwanted"].count_documents({}) == 0
    assert replicate.status(running) in ("starting", "processing")


def meet(others: threading.Barrier) -> None:
    """Wait for the others. Raises BrokenBarrierError where they do not come."""
    others.wait(30)


class Silent(ReplicateClient):
    """Replicate does not answer a cancellation before it is `over`."""

    def __init__(self) -> None:
        super().__init__("r8_of_the_tests", NOWHERE)
        self.over = threading.Event()

    def cancel(self, prediction_id: str) -> None:
        if not self.over.wait(60):
            raise TimeoutError(prediction_id)


def test_what_is_to_be_cancelled_takes_one_thread(database: Database) -> None:
    """Whatever else is handed over is done while Replicate does not answer."""
    aside, others = Aside(), threading.Barrier(THREADS)
    with closing(Silent()) as silent:
        clean_up = Cleanup(database.unwanted, silent, aside)
        unwanted = UnwantedPredictions(database, clean_up)
        for number in range(THREADS):
            unwanted.cancel([f"prediction{number}"])
        for _ in range(THREADS - 1):
            aside(lambda: meet(others), others.abort)
        meet(others)
        silent.over.set()
        wait_for(lambda: not aside.busy, "the end of the cancellations")
    assert database.database["unwanted"].count_documents({}) == 0

"""Looks are planned, claimed by one worker at a time, and given back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient

from allthethings.assets.looks import SPREAD, Schedule
from allthethings.mongo import Database
from allthethings.store.documents import now
from allthethings.store.schedule import Claim, LookSchedule
from tests.allthethings.store.assets import insert
from tests.allthethings.store.conftest import Commands

HOUR = timedelta(hours=1)


@pytest.fixture
def schedule(database: Database) -> LookSchedule:
    collection = database.assets.collection
    collection.create_index([("status", 1), ("look_again_at", 1)])
    return LookSchedule(collection, {"status": "SEARCHABLE"})


def key(database: Database, **fields: Any) -> ObjectId:
    return ObjectId(insert(database, **fields))


def stored(database: Database, of: ObjectId) -> dict[str, Any]:
    found = database.assets.collection.find_one({"_id": of})
    assert found is not None
    return found


def claimed(schedule: LookSchedule, of: ObjectId, *, due: bool = False) -> Claim:
    claim = schedule.claim(of, due=due)
    assert claim is not None
    return claim


def test_due_is_what_may_be_looked_at_and_waits_longest(
    database: Database, schedule: LookSchedule
) -> None:
    second = key(database, look_again_at=now() - HOUR)
    first = key(database, look_again_at=now() - 2 * HOUR)
    key(database, look_again_at=now() + HOUR)
    key(database, look_again_at=now() - HOUR, status="PROCESSING")
    key(database, look_again_at=now() - HOUR, looking_until=now() + HOUR)
    key(database)
    assert [each["_id"] for each in schedule.due(10)] == [first, second]
    assert len(schedule.due(1)) == 1


def test_one_of_many_workers_gets_a_look(database: Database, schedule: LookSchedule) -> None:
    thing = key(database, look_again_at=now())
    with ThreadPoolExecutor(8) as many:
        claims = list(many.map(lambda _: schedule.claim(thing, due=True), range(8)))
    assert sum(claim is not None for claim in claims) == 1
    assert schedule.due(10) == []


def test_a_look_on_request_needs_not_be_due(database: Database, schedule: LookSchedule) -> None:
    thing = key(database)
    assert schedule.claim(thing, due=True) is None
    assert schedule.end(claimed(schedule, thing), None, {"looks": {"outcome": "unchanged"}})
    found = stored(database, thing)
    assert found["looks"] == {"outcome": "unchanged"}
    assert (found["looking_until"], "look_again_at" in found) == (None, False)


def test_a_worker_whose_claim_ran_out_changes_nothing(
    database: Database, schedule: LookSchedule
) -> None:
    thing = key(database, look_again_at=now())
    late = claimed(schedule, thing, due=True)
    database.assets.collection.update_one({"_id": thing}, {"$set": {"looking_until": now() - HOUR}})
    later = claimed(schedule, thing, due=True)
    assert not schedule.end(late, None, {"looks": {"outcome": "gone"}})
    assert schedule.end(later, now() + HOUR, {"looks": {"outcome": "changed"}})
    assert stored(database, thing)["looks"] == {"outcome": "changed"}


def test_a_chosen_schedule_wins_over_the_default(
    database: Database, schedule: LookSchedule
) -> None:
    never, daily, default = (key(database) for _ in range(3))
    assert schedule.choose(never, Schedule.NEVER, Schedule.DAILY)
    assert schedule.choose(daily, Schedule.DAILY, Schedule.NEVER)
    assert schedule.choose(default, None, Schedule.NEVER)
    assert schedule.plan(Schedule.WEEKLY, 10) == 1
    assert schedule.plan(Schedule.WEEKLY, 10) == 0
    assert "look_again_at" not in stored(database, never)
    for thing, days in ((daily, 1), (default, 7)):
        wait = stored(database, thing)["look_again_at"] - now()
        assert timedelta(days=days) * (1 - 2 * SPREAD) <= wait <= timedelta(days=days * 1.1)
    assert not schedule.choose(ObjectId(), Schedule.DAILY, Schedule.NEVER)


def test_nothing_is_planned_by_a_default_of_never(
    database: Database, schedule: LookSchedule
) -> None:
    thing = key(database)
    assert schedule.plan(Schedule.NEVER, 10) == 0
    assert "look_again_at" not in stored(database, thing)


def test_first_looks_are_planned_by_one_write(database: Database, server: str) -> None:
    for _ in range(5):
        key(database)
    commands = Commands()
    with MongoClient[Any](server, event_listeners=[commands]) as client:
        collection = client[database.database.name]["assets"]
        schedule = LookSchedule(collection, {"status": "SEARCHABLE"})
        assert schedule.plan(Schedule.DAILY, 10) == 5
        assert commands.names == ["find", "update"]
        assert schedule.plan(Schedule.DAILY, 10) == 0

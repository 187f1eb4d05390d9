"""What is to go at Replicate is noted once, and seen to by one worker at a time."""

from __future__ import annotations

from datetime import timedelta

from allthethings.mongo import Database
from allthethings.store.documents import now
from allthethings.store.unwanted import CLAIM, KEPT, Unwanted


def age(database: Database, field: str, ago: timedelta) -> None:
    database.database["unwanted"].update_many({}, {"$set": {field: now() - ago}})


def test_one_worker_sees_to_each(database: Database) -> None:
    database.unwanted.put(Unwanted.PREDICTION, ["p1"])
    database.unwanted.put(Unwanted.FILE, ["f1"])
    database.unwanted.put(Unwanted.PREDICTION, ["p1"])
    claims = {database.unwanted.claim() for _ in range(3)}
    assert claims == {(Unwanted.PREDICTION, "p1"), (Unwanted.FILE, "f1"), None}
    database.unwanted.remove("p1")
    age(database, "claimed_until", timedelta(0))
    assert database.unwanted.claim() == (Unwanted.FILE, "f1")


def test_another_worker_sees_to_it_when_the_first_has_died(database: Database) -> None:
    database.unwanted.put(Unwanted.PREDICTION, ["p1"])
    assert database.unwanted.claim()
    assert database.unwanted.claim() is None
    age(database, "claimed_until", timedelta(0))
    assert database.unwanted.claim() == (Unwanted.PREDICTION, "p1")


def test_it_is_forgotten_when_it_must_have_gone_by_itself(database: Database) -> None:
    database.unwanted.put(Unwanted.FILE, ["f1"])
    age(database, "at", KEPT - CLAIM)
    database.unwanted.expire()
    assert database.unwanted.claim()
    age(database, "at", KEPT + CLAIM)
    age(database, "claimed_until", timedelta(0))
    database.unwanted.expire()
    assert database.unwanted.claim() is None


def test_what_is_held_goes_when_it_is_put_or_the_hold_is_over(database: Database) -> None:
    unwanted = database.unwanted
    unwanted.hold(["put", "over"])
    assert unwanted.claim() is None
    unwanted.put(Unwanted.PREDICTION, ["put"])
    assert unwanted.claim() == (Unwanted.PREDICTION, "put")
    assert unwanted.claim() is None
    age(database, "claimed_until", timedelta(0))
    assert {unwanted.claim(), unwanted.claim()} == {
        (Unwanted.PREDICTION, "put"),
        (Unwanted.PREDICTION, "over"),
    }


def test_who_holds_it_releases_nothing_of_others(database: Database) -> None:
    unwanted = database.unwanted
    ids = ["mine", "put", "another's"]
    unwanted.put(Unwanted.PREDICTION, ["put"])
    another = unwanted.hold(["another's"])
    unwanted.release(ids, unwanted.hold(ids))
    unwanted.release(["put"], another)
    assert {each["_id"] for each in database.database["unwanted"].find()} == {"put", "another's"}
    mine = unwanted.hold(["wanted by nobody"])
    unwanted.put(Unwanted.PREDICTION, ["wanted by nobody"])
    unwanted.release(["wanted by nobody"], mine)
    assert database.database["unwanted"].count_documents({}) == 3

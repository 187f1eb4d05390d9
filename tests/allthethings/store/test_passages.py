"""Vectors meet the text that they were made of, whatever comes late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from allthethings.assets.about import NAMES, About
from allthethings.assets.locators import Whole
from allthethings.assets.passages import Passage
from allthethings.errors import ServiceUnavailable
from allthethings.mongo import Database

ABOUT = About("A page", "text/html", "web page", ["x.test"], datetime(2025, 3, 1, tzinfo=UTC), "en")
VECTOR = [0.5] * 768
OLDER = ["The first text.", "It goes on.", "It ends."]
NEWER = ["Another text.", "It goes on."]


def put(database: Database, asset_id: str, texts: list[str], tries: int) -> bool:
    passages = [Passage(number, text, Whole()) for number, text in enumerate(texts)]
    return database.passages.put(asset_id, ABOUT, passages, tries)


def texts(database: Database, asset_id: str) -> list[str]:
    return [row["text"] for row in database.passages.of(asset_id)]


def embedded(database: Database, asset_id: str) -> list[bool]:
    return [row["embedded"] for row in database.passages.of(asset_id)]


def test_vectors_of_an_older_text_are_ignored(database: Database) -> None:
    """Nobody has noted the requests for either, as after a crash."""
    asset_id = str(ObjectId())
    put(database, asset_id, NEWER, 0)
    store = database.passages
    assert store.waiting(asset_id, 0, 1, "old", OLDER[:1]) == 0
    assert store.waiting(asset_id, 0, 1, "new", NEWER) == 2
    assert store.embed(asset_id, 0, [VECTOR, VECTOR], "old", OLDER[:2]) == 1
    assert embedded(database, asset_id) == [False, True]  # the text that both have
    assert store.embed(asset_id, 0, [VECTOR, VECTOR], "new", NEWER) == 1
    assert embedded(database, asset_id) == [True, True]


def test_vectors_whose_text_is_not_told_are_taken(database: Database) -> None:
    asset_id = str(ObjectId())
    put(database, asset_id, NEWER, 0)
    assert database.passages.embed(asset_id, 0, [VECTOR, VECTOR], "new") == 2


@pytest.mark.parametrize("there", [1, 2])
def test_passages_of_an_interrupted_write_are_completed(database: Database, there: int) -> None:
    asset_id = str(ObjectId())
    assert put(database, asset_id, ["Cut otherwise.", *OLDER[1:there]], 0)
    assert put(database, asset_id, OLDER, 0)
    assert texts(database, asset_id) == OLDER
    assert put(database, asset_id, OLDER[:1], 0)
    assert texts(database, asset_id) == OLDER[:1]


def test_only_awaited_vectors_are_kept_where_that_is_asked(database: Database) -> None:
    asset_id = str(ObjectId())
    put(database, asset_id, NEWER, 0)
    database.passages.requested(asset_id, 0, 0, "mine")
    vectors = [VECTOR, VECTOR]
    store = database.passages
    assert store.embed(asset_id, 0, vectors, "other", NEWER, only_awaited=True) == 0
    assert store.embed(asset_id, 0, vectors, "mine", NEWER, only_awaited=True) == 1
    assert embedded(database, asset_id) == [True, False]


def test_a_late_text_does_not_replace_that_of_a_later_try(database: Database) -> None:
    asset_id = str(ObjectId())
    assert put(database, asset_id, NEWER, 2)
    assert not put(database, asset_id, OLDER, 1)
    assert texts(database, asset_id) == NEWER
    assert put(database, asset_id, OLDER, 3)
    assert texts(database, asset_id) == OLDER


def test_a_write_that_is_not_confirmed_is_no_later_try(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica set that changes over may write, and not confirm it in time."""
    unconfirmed = {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "timed out"}]}

    def bulk_write(*_: object, **__: object) -> None:
        raise BulkWriteError(unconfirmed)

    monkeypatch.setattr(Collection, "bulk_write", bulk_write)
    with pytest.raises(ServiceUnavailable):
        put(database, str(ObjectId()), ["One."], 0)


def test_a_later_try_keeps_vectors_of_the_same_text(database: Database) -> None:
    asset_id = str(ObjectId())
    put(database, asset_id, OLDER, 0)
    database.passages.embed(asset_id, 0, [VECTOR] * 3, "old", OLDER)
    assert put(database, asset_id, ["Other words.", "It goes on."], 1)
    assert embedded(database, asset_id) == [False, True]
    assert not put(database, asset_id, OLDER, 0)


def test_passages_of_the_version_before_are_embedded_and_replaced(database: Database) -> None:
    """They have neither a hash nor a try."""
    asset_id = str(ObjectId())
    put(database, asset_id, OLDER, 0)
    database.passages.collection.update_many({}, {"$unset": {"digest": "", "tries": ""}})
    assert database.passages.waiting(asset_id, 0, 2, "p", OLDER) == 3
    assert database.passages.embed(asset_id, 0, [VECTOR] * 3, "p", OLDER) == 3
    assert put(database, asset_id, NEWER, 0)
    assert texts(database, asset_id) == NEWER


@pytest.mark.parametrize("name", NAMES)
def test_passages_without_one_of_the_fields_get_it(database: Database, name: str) -> None:
    older, newer = str(ObjectId()), str(ObjectId())
    put(database, older, OLDER, 0)
    put(database, newer, NEWER, 0)
    store = database.passages
    assert store.untold() == set()
    store.collection.update_many({"asset_id": ObjectId(older)}, {"$unset": {name: ""}})
    assert store.untold() == {older}
    store.tell(older, ABOUT)
    assert store.untold() == set()
    stored = store.collection.find({"asset_id": ObjectId(older)}).to_list()
    assert [{each: row[each] for each in NAMES} for row in stored] == [ABOUT.fields()] * len(OLDER)

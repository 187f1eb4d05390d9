"""What the driver's errors mean."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import DocumentTooLarge, OperationFailure, ServerSelectionTimeoutError

from allthethings.assets.asset import AssetStatus
from allthethings.errors import ErrorCode, ServiceUnavailable, UnusableThing
from allthethings.mongo import Database
from allthethings.store.documents import Document, available
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.transitions import Transitions
from tests.allthethings.store.assets import insert


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServerSelectionTimeoutError("nobody there"), ErrorCode.DATABASE_UNAVAILABLE),
        (OperationFailure("not primary", 10107), ErrorCode.DATABASE_UNAVAILABLE),
        (OperationFailure("available disk space is too low", 14031), ErrorCode.DATABASE_FULL),
        (
            OperationFailure("you are over your space quota, using 514 MB of 512 MB", 8000),
            ErrorCode.DATABASE_FULL,
        ),
    ],
)
def test_a_driver_error_has_a_code(error: Exception, code: ErrorCode) -> None:
    with pytest.raises(ServiceUnavailable, match="MongoDB is not available") as caught, available():
        raise error
    assert caught.value.code is code
    assert caught.value.retryable is (code is not ErrorCode.DATABASE_FULL)


def test_an_index_that_is_being_built_is_named() -> None:
    told = (
        "PlanExecutor error during aggregation :: caused by :: "
        "cannot query vector index vector_index while in state INITIAL_SYNC"
    )
    with (
        pytest.raises(ServiceUnavailable, match="its search index is being built") as caught,
        available(),
    ):
        raise OperationFailure(told, 8)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "error",
    [
        DocumentTooLarge("BSON document too large (17000000 bytes)"),
        OperationFailure("BSONObj size: 17000000 is invalid", 10334),
        OperationFailure("Resulting document after update is larger than 16777216", 17419),
    ],
)
def test_a_document_that_is_too_large_is_no_outage(error: Exception) -> None:
    with pytest.raises(UnusableThing, match="too long to be stored") as caught, available():
        raise error
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.TEXT_TOO_LONG, False)


def test_the_driver_itself_refuses_a_document_that_is_too_large(database: Database) -> None:
    asset_id = insert(database, status="SUBMITTED")
    with pytest.raises(UnusableThing, match="too long to be stored"):
        database.transitions.move(asset_id, AssetStatus.PROCESSED, text="x" * (17 * 1024 * 1024))
    assert database.assets.existing(asset_id).status is AssetStatus.SUBMITTED


class Contended(Collection[Document]):
    """A collection in which assets of the same URL come and go: each is deleted before it is
    found, `rounds` times, and another one is there before the next insert."""

    rounds = 0

    def find_one(self, *given: Any, **named: Any) -> Document | None:
        if self.rounds == 0:
            return super().find_one(*given, **named)
        self.rounds -= 1
        gone = super().find_one(*given)
        assert gone is not None
        self.delete_one({"_id": gone["_id"]})
        found = super().find_one(*given, **named)
        super().insert_one({**gone, "_id": ObjectId()})
        return found


@pytest.mark.parametrize(
    ("rounds", "outcome"), [(1, AlreadyIndexed), (3, AlreadyIndexed), (99, ServiceUnavailable)]
)
def test_who_is_late_again_and_again_is_told(
    database: Database, rounds: int, outcome: type[Exception]
) -> None:
    database.assets.collection.create_index("url_key", unique=True)
    contended = Contended(database.database, "assets")
    contended.rounds = rounds
    insert(database, url_key="https://x.test/same")
    with pytest.raises(outcome):
        Transitions(contended).insert(
            "https://x.test/same", "https://x.test/same", "k", "t/x", None
        )

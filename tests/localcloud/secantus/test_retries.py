"""A write that a client sends again is done once."""

from __future__ import annotations

import pytest
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from tests.localcloud.secantus.test_writes import Pair


def _as_if_unanswered(session: ClientSession) -> None:
    """The next write has the number of the last one, as a retry has."""
    assert session._server_session is not None
    session._server_session._transaction_id -= 1


def test_a_retry_gets_the_first_answer(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "n": 0})
        with each.database.client.start_session() as session:
            for _ in range(3):
                found = each.find_one_and_update(
                    {"_id": 1},
                    {"$inc": {"n": 1}},
                    session=session,
                    return_document=ReturnDocument.AFTER,
                )
                assert found == {"_id": 1, "n": 1}
                _as_if_unanswered(session)
            each.update_one({"_id": 1}, {"$inc": {"n": 5}}, session=session)
        assert each.find_one({"_id": 1}) == {"_id": 1, "n": 6}


def test_each_session_has_its_own_answers(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "n": 0})
        client = each.database.client
        with client.start_session() as one, client.start_session() as other:
            for session in (one, other):
                each.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            for session in (one, other):
                _as_if_unanswered(session)
                each.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        assert each.find_one({"_id": 1}) == {"_id": 1, "n": 2}


def test_a_write_that_failed_is_done_anew(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1})
        with each.database.client.start_session() as session:
            with pytest.raises(DuplicateKeyError):
                each.insert_one({"_id": 1, "n": 2}, session=session)
            each.delete_one({"_id": 1})
            _as_if_unanswered(session)
            each.insert_one({"_id": 1, "n": 2}, session=session)
        assert each.find_one({"_id": 1}) == {"_id": 1, "n": 2}


def test_another_write_with_the_number_of_the_last_is_done(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "n": 0})
        with each.database.client.start_session() as session:
            each.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            _as_if_unanswered(session)
            each.update_one({"_id": 1}, {"$inc": {"n": 10}}, session=session)
        assert each.find_one({"_id": 1}) == {"_id": 1, "n": 11}

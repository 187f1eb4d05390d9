"""A write that a client sends again is done once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from tests.localcloud.secantus.test_writes import Pair
from tools.harness.cloud import ROOT

# Writes in a hundred sessions, and an hour later in one.
OLD_SESSIONS = """
from secantus.transactions import TransactionRegistry
from localcloud.secantus import patches

patches.apply()
moment = 0.0
known = TransactionRegistry(time_func=lambda: moment)

def write(session, number):
    known.on_retryable_write(session, number)
    assert known.retryable_reply(session, number, b"x") is None
    known.record_retryable(session, number, b"x", {"ok": 1.0, "n": 1})

for number in range(100):
    write(b"%016d" % number, 1)
assert len(known._last_number) == len(known._retryable) == 100
moment = 3600.0
for number in range(1, 100):
    write(b"a session of now", number)
assert len(known._last_number) == len(known._retryable) == 1, len(known._last_number)
"""


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


def test_nothing_is_kept_of_sessions_that_are_over() -> None:
    command = [sys.executable, "-c", OLD_SESSIONS]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr

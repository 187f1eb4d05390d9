"""A write that a client sends again is done once."""

from __future__ import annotations

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from secantus.transactions import TransactionRegistry

from localcloud.secantus import retries
from tests.localcloud.secantus.test_writes import Pair


def _as_if_unanswered(session: ClientSession) -> None:
    """The next write has the number of the last one, as a retry has."""
    assert session._server_session is not None
    session._server_session._transaction_id -= 1


def test_a_retry_gets_the_first_answer(pair: Pair) -> None:
    for each in pair:
        each.insert_one({"_id": 1, "n": 0})
        with each.database.client.start_session() as session:
            for _ in range(2):
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


def test_each_session_has_one_answer_and_old_ones_go() -> None:
    now = 0.0
    registry = TransactionRegistry(time_func=lambda: now)
    for number in range(100):
        retries.record_retryable(registry, b"one", number, b"write", {"ok": 1.0, "n": number})
    retries.record_retryable(registry, b"two", 1, b"write", {"ok": 1.0, "errorLabels": ["x"]})
    assert len(registry._retryable) == 2
    assert retries.retryable_reply(registry, b"one", 99, b"write") == {"ok": 1.0, "n": 99}
    assert retries.retryable_reply(registry, b"one", 98, b"write") is None
    assert retries.retryable_reply(registry, b"one", 99, b"another") is None
    assert retries.retryable_reply(registry, b"two", 1, b"write") == {"ok": 1.0}
    now = retries.LIFETIME + 1
    assert retries.retryable_reply(registry, b"one", 99, b"write") is None
    assert not registry._retryable


def test_a_write_that_failed_is_done_anew() -> None:
    registry = TransactionRegistry()
    retries.record_retryable(registry, b"one", 1, b"write", {"ok": 0.0, "code": 11000})
    retries.record_retryable(registry, b"one", 2, b"write", {"ok": 1.0, "writeErrors": [{}]})
    assert retries.retryable_reply(registry, b"one", 1, b"write") is None
    assert retries.retryable_reply(registry, b"one", 2, b"write") is None


def test_clients_that_end_no_session_fill_no_memory() -> None:
    registry = TransactionRegistry()
    for number in range(retries.MOST + 50):
        retries.record_retryable(registry, b"%d" % number, 1, b"write", {"ok": 1.0})
    assert len(registry._retryable) == retries.MOST
    assert retries.retryable_reply(registry, b"49", 1, b"write") is None
    assert retries.retryable_reply(registry, b"50", 1, b"write") == {"ok": 1.0}

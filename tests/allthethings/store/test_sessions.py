from __future__ import annotations

from datetime import timedelta

from allthethings.mongo import Database
from allthethings.store import sessions
from allthethings.store.documents import now


def test_an_ended_session_is_known_to_every_process(database: Database, server: str) -> None:
    other = Database(server, database.database.name)
    assert not other.ended_sessions.has_ended("one")
    database.ended_sessions.end("one")
    database.ended_sessions.end("one")
    assert other.ended_sessions.has_ended("one")
    assert not other.ended_sessions.has_ended("two")
    other.close()


def test_it_is_forgotten_when_its_cookies_have_expired(database: Database) -> None:
    old = now() - sessions.LIFETIME - timedelta(seconds=1)
    young = now() - sessions.LIFETIME + timedelta(minutes=1)
    database.database["ended_sessions"].insert_many(
        [{"_id": "old", "at": old}, {"_id": "young", "at": young}]
    )
    database.ended_sessions.end("new")
    known = [name for name in ("old", "young", "new") if database.ended_sessions.has_ended(name)]
    assert known == ["young", "new"]

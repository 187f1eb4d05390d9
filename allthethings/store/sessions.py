"""Ended sessions: the collection `ended_sessions` has one document for each."""

from __future__ import annotations

from datetime import timedelta

from pymongo.collection import Collection

from allthethings.store.documents import Document, available, now

# How old the cookie of a session may be. An ended session is forgotten only when its cookies are
# older than that.
LIFETIME = timedelta(days=31)


class EndedSessions:
    """Keeps which sessions were ended before their cookies expired."""

    def __init__(self, sessions: Collection[Document]) -> None:
        self._sessions = sessions

    def end(self, session_id: str) -> None:
        """From here on the session has ended, in every process of the app."""
        with available():
            self._sessions.update_one(
                {"_id": session_id}, {"$setOnInsert": {"at": now()}}, upsert=True
            )
            self._sessions.delete_many({"at": {"$lt": now() - LIFETIME}})

    def has_ended(self, session_id: str) -> bool:
        """Whether somebody has ended the session."""
        with available():
            return self._sessions.find_one({"_id": session_id}, {"_id": True}) is not None

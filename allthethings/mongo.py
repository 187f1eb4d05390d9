"""MongoDB: one client a process, and the stores over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from allthethings.assets.asset import AssetStatus
from allthethings.errors import BadInput
from allthethings.store.asset_documents import WITHOUT_TEXT
from allthethings.store.assets import Assets
from allthethings.store.changes import ChangeStore
from allthethings.store.deletions import Deletions
from allthethings.store.documents import Document, available, now
from allthethings.store.imports import ImportStore
from allthethings.store.leases import Leases
from allthethings.store.lists import ListStore
from allthethings.store.members import MemberStore
from allthethings.store.passage_index import PassageIndex
from allthethings.store.passages import PassageStore
from allthethings.store.revisions import RevisionPassages, RevisionStore
from allthethings.store.scans import ScanStore
from allthethings.store.schedule import LookSchedule
from allthethings.store.sessions import EndedSessions
from allthethings.store.transitions import Transitions
from allthethings.store.unwanted import UnwantedStore

TIMEOUT_MS = 5_000
# Milliseconds, for whatever the connection string does not set itself.
TIMEOUTS: Mapping[str, Any] = {
    "serverSelectionTimeoutMS": TIMEOUT_MS,
    "connectTimeoutMS": TIMEOUT_MS,
    "socketTimeoutMS": 4 * TIMEOUT_MS,
}
# The things that are looked at again.
SEARCHABLE: Mapping[str, Any] = {"status": AssetStatus.SEARCHABLE.value}


class Stores:
    """The stores that the stages of the pipeline work with: over a collection of things, or over
    one of new versions of things, and over their passages and scanned pages."""

    def __init__(
        self,
        assets: Collection[Document],
        deletions: Collection[Document],
        passages: PassageStore,
        scans: ScanStore,
        unwanted: UnwantedStore,
    ) -> None:
        self.assets = Assets(assets)
        self.transitions = Transitions(assets)
        self.leases = Leases(assets)
        self.deletions = Deletions(deletions, assets)
        self.passages = passages
        self.scans = scans
        self.unwanted = unwanted


class Database(Stores):
    """The client of this process, made once, and the stores over it.

    Raises BadInput when the connection string cannot be read.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.client = _client(uri)
        self.database = database = self.client[name]
        things, passages = database["assets"], PassageStore(database["passages"])
        scans, unwanted = ScanStore(database["scans"]), UnwantedStore(database["unwanted"])
        super().__init__(things, database["deletions"], passages, scans, unwanted)
        self.look_schedule = LookSchedule(things, SEARCHABLE, WITHOUT_TEXT)
        self.revisions = RevisionStore(database)
        self.changes = ChangeStore(database["changes"])
        self.ended_sessions = EndedSessions(database["ended_sessions"])
        self.of_revisions = Stores(
            database["revisions"],
            database["revision_deletions"],
            RevisionPassages(database),
            scans,
            unwanted,
        )
        self.imports = ImportStore(database)
        self.members = MemberStore(database)
        self.lists = ListStore(database)
        self.passage_index = PassageIndex(database["passages"])

    def check(self) -> None:
        """Write a document and read it. Raises ServiceUnavailable when the server cannot."""
        with available():
            self.database["health"].replace_one({"_id": 1}, {"checked_at": now()}, upsert=True)
            self.database["health"].find_one({"_id": 1})

    def close(self) -> None:
        self.client.close()


def _client(uri: str) -> MongoClient[Document]:
    given = {name.lower() for name, _ in parse_qsl(uri.partition("?")[2])}
    timeouts = {name: value for name, value in TIMEOUTS.items() if name.lower() not in given}
    try:
        return MongoClient(uri, tz_aware=True, appname="index-all-the-things", **timeouts)
    except (PyMongoError, ValueError):
        # The driver's words, and so the cause, may quote a piece of the password.
        raise BadInput(
            "MONGODB_CONNECTION_URI cannot be read. It begins with mongodb:// or mongodb+srv://, "
            "and a user name or password in it is percent-encoded."
        ) from None

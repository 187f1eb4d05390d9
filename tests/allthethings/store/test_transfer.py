"""An export holds everything; an import adds what is not there, and can be done again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.collection import Collection

from allthethings.errors import BadInput
from allthethings.mongo import Database
from allthethings.store import transfer
from allthethings.store.documents import now
from tests.allthethings.store.conftest import fresh

NUMBER = 3
VECTOR = [0.25] * 768


@pytest.fixture
def elsewhere(server: str) -> Iterator[Database]:
    """An empty database, with the index that makes a URL one asset."""
    database = Database(server, f"elsewhere-{next(fresh)}")
    database.database["assets"].create_index("url_key", unique=True, name="url_key")
    yield database
    database.close()


@pytest.fixture
def filled(database: Database) -> Database:
    """Three assets of two passages each."""
    for number in range(NUMBER):
        key = add_asset(database, f"https://example.org/{number}")
        about = {"title": f"No. {number}", "added": now()}
        database.database["passages"].insert_many(
            {
                "_id": f"{key}:{position}",
                "asset_id": key,
                "text": "Straße",
                "embedding": VECTOR,
                **about,
            }
            for position in range(2)
        )
        database.database["changes"].insert_one({"_id": f"{key}:2", "asset_id": key})
    return database


def add_asset(database: Database, url: str) -> ObjectId:
    key = ObjectId()
    database.database["assets"].insert_one(
        {
            "_id": key,
            "url": url,
            "url_key": url,
            "status": "SEARCHABLE",
            "updated_at": now(),
            "lease_owner": "another",
            "lease_until": now(),
        }
    )
    return key


def documents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All of them but for who holds them."""
    return {
        name: [
            {field: value for field, value in each.items() if not field.startswith("lease_")}
            for each in database.database[name].find().sort("_id")
        ]
        for name in transfer.COLLECTIONS
    }


def test_an_empty_database_has_the_same_afterwards(
    filled: Database, elsewhere: Database, tmp_path: Path
) -> None:
    file = tmp_path / "all.zip"
    written = transfer.export(filled.database, file)
    assert (written["assets"], written["passages"]) == (NUMBER, 2 * NUMBER)
    counts = transfer.load(elsewhere.database, file)
    assert (counts.added, counts.there) == (sum(written.values()), 0)
    assert documents(elsewhere) == documents(filled)
    held = elsewhere.database["assets"].find_one({}, {"lease_owner": 1})
    assert held is not None
    assert held["lease_owner"] is None


def test_an_import_that_was_interrupted_is_completed(
    filled: Database, elsewhere: Database, tmp_path: Path
) -> None:
    file = tmp_path / "all.zip"
    transfer.export(filled.database, file)
    transfer.load(elsewhere.database, file)
    elsewhere.database["passages"].delete_many({"text": "Straße", "_id": {"$regex": ":1$"}})
    elsewhere.database["changes"].drop()
    assert transfer.load(elsewhere.database, file).added == 2 * NUMBER
    assert documents(elsewhere) == documents(filled)
    assert transfer.load(elsewhere.database, file).added == 0


def test_what_is_there_stays(filled: Database, elsewhere: Database, tmp_path: Path) -> None:
    """One thing has moved on, and the URL of another is another asset."""
    file = tmp_path / "all.zip"
    transfer.export(filled.database, file)
    first, second, _ = filled.database["assets"].find().sort("_id")
    other = add_asset(elsewhere, second["url"])
    elsewhere.database["assets"].insert_one({**first, "status": "SUBMITTED", "updated_at": now()})
    counts = transfer.load(elsewhere.database, file)
    assert (counts.refused, counts.kept) == (1, 1)
    assert {each["asset_id"] for each in elsewhere.database["passages"].find()}.isdisjoint(
        {first["_id"], second["_id"], other}
    )
    kept = elsewhere.database["assets"].find_one({"_id": first["_id"]})
    assert kept is not None
    assert kept["status"] == "SUBMITTED"


def test_a_text_that_was_replaced_stays(
    filled: Database, elsewhere: Database, tmp_path: Path
) -> None:
    file = tmp_path / "all.zip"
    transfer.export(filled.database, file)
    transfer.load(elsewhere.database, file)
    first = elsewhere.database["assets"].find_one({}, sort=[("_id", 1)])
    assert first
    elsewhere.database["assets"].update_one({"_id": first["_id"]}, {"$set": {"revision": 1}})
    elsewhere.database["passages"].delete_many({"asset_id": first["_id"]})
    counts = transfer.load(elsewhere.database, file)
    assert (counts.added, counts.kept) == (0, 1)


def test_what_belongs_to_an_asset_comes_with_it_or_not_at_all(
    filled: Database, elsewhere: Database, tmp_path: Path
) -> None:
    """The URL of one list is another asset."""
    assets = filled.database["assets"].find().sort("_id").limit(2)
    for key in [each["_id"] for each in assets]:
        filled.database["imports"].insert_one({"_id": key, "depth": 0})
        line = {"_id": f"{key}:1", "import_id": key, "depth": 0}
        filled.database["import_lines"].insert_one(line)
        filled.database["members"].insert_one({"_id": f"{key}:m", "archive_id": key})
        filled.database["scans"].insert_one({"_id": f"{key}:0", "asset_id": key})
    by_person = {"_id": ObjectId(), "state": "done"}
    filled.database["imports"].insert_one(by_person)
    file = tmp_path / "all.zip"
    transfer.export(filled.database, file)
    first, second, _ = filled.database["assets"].find().sort("_id")
    add_asset(elsewhere, first["url"])
    transfer.load(elsewhere.database, file)
    wanted = second["_id"]
    for name, field in (("import_lines", "import_id"), ("members", "archive_id")):
        assert [each[field] for each in elsewhere.database[name].find()] == [wanted]
    assert [each["asset_id"] for each in elsewhere.database["scans"].find()] == [wanted]
    found = {each["_id"] for each in elsewhere.database["imports"].find()}
    assert found == {wanted, by_person["_id"]}


def rewritten(file: Path, member: str, change: bytes) -> Path:
    """A copy of the file with other content of a member."""
    copy = file.with_name("copy.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            new.writestr(name, change if name == member else old.read(name))
    return copy


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-100]) and file, "cannot be read"),
        (
            lambda file: rewritten(file, "assets.jsonl", b"{}\n"),
            "assets.jsonl does not match its checksum",
        ),
        (lambda file: rewritten(file, "manifest.json", b"[]"), "not a complete export"),
        (
            lambda file: rewritten(file, "manifest.json", json.dumps({"format": 2}).encode()),
            "later version",
        ),
        (lambda file: file.with_name("nowhere.zip"), "cannot be read"),
    ],
    ids=["cut off", "changed", "no manifest", "of a later version", "not there"],
)
def test_a_file_that_is_no_whole_export_changes_nothing(
    filled: Database, elsewhere: Database, tmp_path: Path, damage: Any, message: str
) -> None:
    file = tmp_path / "all.zip"
    transfer.export(filled.database, file)
    with pytest.raises(BadInput, match=message):
        transfer.load(elsewhere.database, damage(file))
    assert elsewhere.database["assets"].count_documents({}) == 0


def test_a_failed_export_leaves_the_last_one(tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    file.write_text("the last one")
    away = Database("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100", "x")
    with pytest.raises(Exception, match="MongoDB is not available"):
        transfer.export(away.database, file)
    away.close()
    assert file.read_text() == "the last one"


def test_no_collection_is_forgotten(database: Database) -> None:
    """Each that a store works with is exported, or left out on purpose."""
    named = {collection.name for collection in _collections(database)}
    assert named == {*transfer.COLLECTIONS} | (transfer.LEFT_OUT - {"health"})


def _collections(part: object) -> Iterator[Collection[Any]]:
    """All that the part holds, and its parts."""
    for value in vars(part).values():
        if isinstance(value, Collection):
            yield value
        elif type(value).__module__.startswith("allthethings.") and hasattr(value, "__dict__"):
            yield from _collections(value)

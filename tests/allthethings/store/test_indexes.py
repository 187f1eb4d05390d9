"""Data of the version before, and of other programs, is brought up to date."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bson import ObjectId
from pymongo.collection import Collection

from allthethings.assets.asset import AssetStatus
from allthethings.errors import BadInput
from allthethings.mongo import Database
from allthethings.processors import about, kind_of
from allthethings.store import indexes
from allthethings.store.asset_list import AssetFilter, PageRequest
from tests.allthethings.store.assets import THEN, insert


@pytest.fixture(autouse=True)
def _without_search_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """This server has none; tests/localcloud/atlas creates them."""
    monkeypatch.setattr(indexes, "SEARCH_INDEXES", ())


def create(database: Database) -> Sequence[str]:
    return indexes.create_indexes(
        database.database, kind_of, lambda asset: about(asset, asset.title)
    )


def test_assets_get_what_lists_and_leases_need(database: Database) -> None:
    page, recording = insert(database), insert(database, content_type="audio/mpeg")
    strange = insert(database, content_type="audio/mpeg", kind="talk")
    waiting = insert(database, status="SUBMITTED", kind="web page")
    assert "Assets: 3 brought up to date." in create(database)
    for kind, ids in (("web page", [waiting, page]), ("audio", [recording]), ("talk", [strange])):
        listed = database.assets.page(PageRequest(AssetFilter(kind=kind))).assets
        assert [asset.id for asset in listed] == ids
    assert database.leases.claim(waiting, AssetStatus.SUBMITTED) is not None
    assert not [line for line in create(database) if "brought up to date" in line]


def test_indexes_that_an_update_needs_are_missing_until_they_are_created(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Collection, "list_search_indexes", lambda _: [])
    before = set(indexes.missing_indexes(database.database))
    assert {"url_key", "members.url", "revisions.thing_id"} <= before
    create(database)
    assert indexes.missing_indexes(database.database) == []
    created = {
        name if collection == "assets" else f"{collection}.{name}"
        for collection in database.database.list_collection_names()
        for name in database.database[collection].index_information()
        if name != "_id_"
    }
    assert created == before


@pytest.mark.parametrize(("number", "more"), [(2, ""), (4, ", ...")])
def test_documents_of_other_programs_are_refused(
    database: Database, number: int, more: str
) -> None:
    """The unique index takes one document without a key, but not two."""
    assets = database.assets.collection
    keys = [assets.insert_one({"note": "not an asset"}).inserted_id for _ in range(number)]
    with pytest.raises(BadInput) as refused:
        create(database)
    told = ", ".join(map(str, keys[:3]))
    assert f"has written: _id {told}{more}. Nothing was changed." in str(refused.value)
    assert "url_key" not in assets.index_information()
    assets.delete_many({"_id": {"$in": keys[1:]}})
    create(database)
    assert assets.index_information()["url_key"]["unique"]


def test_what_the_version_before_needed_is_dropped(database: Database) -> None:
    assets = database.assets.collection
    insert(database, number=1, stirred=ObjectId())
    assets.create_index("number", name="number")
    assets.create_index([("status", 1), ("kind", 1), ("number", 1)], name="status_kind_number")
    assets.create_index("stirred", name="stirred", sparse=True)
    for name in ("tallies", "counters"):
        database.database[name].insert_one({"_id": 0})
    create(database)
    assert set(assets.index_information()) == {"_id_", *indexes.ASSET_INDEXES}
    assert not {"tallies", "counters"} & set(database.database.list_collection_names())
    assert database.assets.count(AssetFilter()) == 1


def test_a_deletion_of_the_version_before_is_completed(database: Database) -> None:
    """It has marked the asset, and freed its URL."""
    key = ObjectId()
    insert(database, _id=key, url_key=f"deleted {key}", deleted_at=THEN)
    kept = insert(database, url_key="http://deleted.test/")
    create(database)
    assert [deletion.asset_id for deletion in database.deletions.pending(5)] == [str(key)]
    assert [asset.id for asset in database.assets.page(PageRequest()).assets] == [kept]


def test_a_thing_without_a_title_gets_its_name_into_the_word_index(database: Database) -> None:
    """The passages of an older version have no title where the thing has none."""
    untitled = insert(database, url="https://e.example/red_kites.mp3")
    passage = {"_id": f"{untitled}:0", "asset_id": ObjectId(untitled), "position": 0, "text": "Up."}
    database.passages.collection.insert_one(passage)
    create(database)
    passages = database.passages.collection
    passages.update_one({"_id": passage["_id"]}, {"$set": {"title": None}})
    assert "Passages of 1 assets: brought up to date." in create(database)
    assert [row["title"] for row in passages.find()] == ["red kites"]
    assert not [line for line in create(database) if line.startswith("Passages of")]


def test_passages_of_no_asset_are_removed_once(database: Database) -> None:
    """As an older version has left them, without the fields of today."""
    there = insert(database)
    for asset_id in (ObjectId(there), ObjectId()):
        passage = {"_id": f"{asset_id}:0", "asset_id": asset_id, "position": 0, "text": "Old."}
        database.passages.collection.insert_one(passage)
    done = create(database)
    assert "Passages of 1 assets: brought up to date." in done
    assert "Passages of 1 deleted assets: removed." in done
    assert [row["asset_id"] for row in database.passages.collection.find()] == [ObjectId(there)]
    assert not [line for line in create(database) if line.startswith("Passages of")]

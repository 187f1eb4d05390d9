"""The indexes and collections that the app needs, and what brings older data up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import CollectionInvalid
from pymongo.operations import SearchIndexModel

from allthethings.assets.about import About
from allthethings.assets.asset import UNFINISHED, Asset
from allthethings.errors import BadInput
from allthethings.store import tutorial
from allthethings.store.asset_documents import WITHOUT_TEXT, in_status, to_asset
from allthethings.store.asset_list import LIST_INDEXES
from allthethings.store.changes import ChangeStore
from allthethings.store.deletions import Deletions
from allthethings.store.documents import Document, available, now
from allthethings.store.imports import IMPORT_INDEX, LINE_INDEX, ImportStore
from allthethings.store.lists import LOOK_INDEX, ROOT_INDEX, ListStore
from allthethings.store.members import MEMBER_INDEXES, PART_INDEXES, MemberStore
from allthethings.store.passage_index import (
    SEARCH_DEFINITION,
    SEARCH_INDEX,
    VECTOR_DEFINITION,
    VECTOR_INDEX,
)
from allthethings.store.passages import PassageStore
from allthethings.store.revisions import RevisionStore
from allthethings.store.scans import ScanStore
from allthethings.store.unwanted import UnwantedStore

# The unique index of `assets`, by the name of its field: it makes a URL one asset.
URL_KEY = "url_key"
# The fields of each index of `assets`.
ASSET_INDEXES: Mapping[str, tuple[str, ...]] = {
    URL_KEY: (URL_KEY,),
    "url": ("url",),
    "import_id": ("import_id",),
    "list_ids": ("list_ids",),
    "status_lease": ("status", "lease_until"),
    "status_updated": ("status", "updated_at", "_id"),
    "status_look_again": ("status", "look_again_at"),
    "moved_to": ("looks.moved_to",),
    **LIST_INDEXES,
}
# The names of the indexes of the other collections, as their stores create them.
OTHER_INDEXES: Mapping[str, Sequence[str]] = {
    "passages": ["asset_position"],
    "revisions": ["thing_id", "status_lease"],
    "revision_passages": ["asset_position"],
    "changes": ["asset_revision"],
    "scans": ["asset_reading"],
    "unwanted": ["claimed_until", "at"],
    "imports": ["_".join(each) for each in (IMPORT_INDEX, ROOT_INDEX, LOOK_INDEX)],
    "import_lines": ["_".join(LINE_INDEX)],
    "members": ["_".join(each) for each in MEMBER_INDEXES],
    "member_parts": ["_".join(each) for each in PART_INDEXES],
}
SEARCH_INDEXES = (
    SearchIndexModel(dict(VECTOR_DEFINITION), name=VECTOR_INDEX, type="vectorSearch"),
    SearchIndexModel(dict(SEARCH_DEFINITION), name=SEARCH_INDEX, type="search"),
)
# What only the version before has used.
FORMER_INDEXES = ("number", "status_kind_number", "stirred")
FORMER_COLLECTIONS = ("tallies", "counters")

# Documents without a key that a refusal names.
KEYLESS_TOLD = 3

KindOf = Callable[[str], str]
AboutOf = Callable[[Asset], About]


def create_indexes(
    database: Database[Document], kind_of: KindOf, about: AboutOf, *, move_tutorial: bool = False
) -> list[str]:
    """Create what is missing, update what differs, drop what is not needed any more.

    `kind_of` gives the kind of a content type, `about` what the passages of an asset say of it.
    Returns what was done, a line each. Raises BadInput, with nothing changed, if `assets` has
    documents of the tutorial's app, unless `move_tutorial` is set, or of another program without
    the key that makes a URL one asset.
    """
    assets, passages = database["assets"], database["passages"]
    with available():
        _refuse_keyless(assets)
        moved = _move_tutorial(database, move_tutorial)
        done = [_create_collection(each) for each in (assets, passages)] + moved
        done += _drop_former(database)
        _create_asset_indexes(assets)
        PassageStore(passages).create_indexes()
        ScanStore(database["scans"]).create_indexes()
        UnwantedStore(database["unwanted"]).create_indexes()
        ImportStore(database).create_indexes()
        MemberStore(database).create_indexes()
        RevisionStore(database).create_indexes()
        ChangeStore(database["changes"]).create_indexes()
        ListStore(database).create_indexes()
        done += [_create_search_index(passages, model) for model in SEARCH_INDEXES]
        done += _update_assets(assets, kind_of)
        done += _update_passages(assets, PassageStore(passages), about)
    if deletions := Deletions(database["deletions"], assets).take_over():
        done.append(f"Deletions that were interrupted: {deletions}, to be completed.")
    return done


def missing_indexes(database: Database[Document]) -> list[str]:
    """The names of the indexes that are needed and not there, or not yet to be queried. Those of
    other collections than `assets` follow their collection's, as in `members.url`."""
    with available():
        there = database["assets"].index_information()
        missing = [name for name in ASSET_INDEXES if name not in there]
        for collection, needed in OTHER_INDEXES.items():
            there = database[collection].index_information()
            missing += [f"{collection}.{name}" for name in needed if name not in there]
        found = list(database["passages"].list_search_indexes())
    ready = {index["name"] for index in found if index.get("queryable")}
    names = [str(model.document["name"]) for model in SEARCH_INDEXES]
    return [*missing, *(name for name in names if name not in ready)]


def _create_asset_indexes(assets: Collection[Document]) -> None:
    for name, fields in ASSET_INDEXES.items():
        keys = [(each, ASCENDING) for each in fields]
        assets.create_index(keys, name=name, unique=name == URL_KEY)


def _refuse_keyless(assets: Collection[Document]) -> None:
    """A unique index takes one document without its key, as if that were a value, but not two."""
    others = {**tutorial.OF_TUTORIAL, "$nor": [tutorial.MOVABLE]}
    found = list(assets.find(others, {"_id": 1}, limit=KEYLESS_TOLD + 1))
    if len(found) < 2:
        return
    told = ", ".join(str(each["_id"]) for each in found[:KEYLESS_TOLD])
    more = ", ..." if len(found) > KEYLESS_TOLD else ""
    raise BadInput(
        f"The collection assets has documents without a {URL_KEY}, which neither this app nor the "
        f"tutorial's has written: _id {told}{more}. Nothing was changed. Move them to another "
        "collection, or give this app another MongoDB server."
    )


def _move_tutorial(database: Database[Document], allowed: bool) -> list[str]:
    """Make way where the tutorial's app has used this database. Its search indexes count against
    the three that a free cluster may have."""
    assets = database["assets"]
    number = assets.count_documents(tutorial.MOVABLE)
    if number and not allowed:
        raise BadInput(
            f"The collection assets has documents of the tutorial's app: {number}. Nothing was "
            "changed. Stop that app and run `create-indexes.py --move-tutorial`: it moves them to "
            f"the collection {tutorial.ASIDE} and drops the search indexes of assets. Or give this "
            "app another MongoDB server."
        )
    if not number:
        return []
    for index in assets.list_search_indexes():
        assets.drop_search_index(index["name"])
    moved = tutorial.put_aside(database)
    return [
        f"Documents of the tutorial: {moved} moved to the collection {tutorial.ASIDE}. "
        "`flask --app app import-tutorial` indexes their texts."
    ]


def _drop_former(database: Database[Document]) -> list[str]:
    there = database["assets"].index_information()
    indexes = [name for name in FORMER_INDEXES if name in there]
    for name in indexes:
        database["assets"].drop_index(name)
    collections = [name for name in database.list_collection_names() if name in FORMER_COLLECTIONS]
    for name in collections:
        database.drop_collection(name)
    return [f"{name}: dropped, the app uses it no more." for name in [*indexes, *collections]]


def _update_assets(assets: Collection[Document], kind_of: KindOf) -> list[str]:
    """Give assets the fields that lists and leases need: another program, or an older version of
    the app, may have inserted them without."""
    without: Document = {"kind": None}
    changed = 0
    for content_type in assets.distinct("content_type", without):
        changed += assets.update_many(
            {**without, "content_type": content_type}, {"$set": {"kind": kind_of(content_type)}}
        ).modified_count
    changed += assets.update_many(
        {"status": in_status(UNFINISHED), "lease_until": None}, {"$set": {"lease_until": now()}}
    ).modified_count
    return [f"Assets: {changed} brought up to date."] if changed else []


def _update_passages(
    assets: Collection[Document], passages: PassageStore, about: AboutOf
) -> list[str]:
    """Passages of an older version of the app lack the fields that the filters ask for. Those of an
    asset that is gone belong to nothing."""
    told, removed = 0, 0
    for asset_id in passages.untold():
        if document := assets.find_one({"_id": ObjectId(asset_id)}, WITHOUT_TEXT):
            passages.tell(asset_id, about(to_asset(document)))
            told += 1
        else:
            passages.delete(asset_id)
            removed += 1
    done = [f"Passages of {told} assets: brought up to date."] if told else []
    return done + ([f"Passages of {removed} deleted assets: removed."] if removed else [])


def _create_collection(collection: Collection[Document]) -> str:
    # Atlas refuses a search index on a collection that does not exist.
    try:
        collection.database.create_collection(collection.name)
    except CollectionInvalid:
        return f"Collection {collection.name}: there already."
    return f"Collection {collection.name}: created."


def _create_search_index(collection: Collection[Document], model: SearchIndexModel) -> str:
    name, definition = model.document["name"], model.document["definition"]
    found = list(collection.list_search_indexes(name))
    if not found:
        collection.create_search_index(model)
        return f"Search index {name}: created."
    if _says(found[0].get("latestDefinition"), definition):
        return f"Search index {name}: there already."
    collection.update_search_index(name, definition)
    return f"Search index {name}: updated."


def _says(found: Any, wanted: Any) -> bool:
    """Whether the server's definition says what ours does; it may add defaults of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            _says(found.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(_says, found, wanted))
        )
    return bool(found == wanted)

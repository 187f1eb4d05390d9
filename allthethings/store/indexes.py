"""The indexes and collections that the app needs, and what brings older data up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import CollectionInvalid
from pymongo.operations import SearchIndexModel

from allthethings.assets.about import About
from allthethings.assets.asset import UNFINISHED, Asset
from allthethings.store.asset_documents import WITHOUT_TEXT, in_status, to_asset
from allthethings.store.asset_list import LIST_INDEXES
from allthethings.store.deletions import Deletions
from allthethings.store.documents import Document, available, now
from allthethings.store.passage_index import (
    SEARCH_DEFINITION,
    SEARCH_INDEX,
    VECTOR_DEFINITION,
    VECTOR_INDEX,
)
from allthethings.store.passages import PassageStore

# The fields of each index of `assets`. `url_key` is unique: it makes a URL one asset.
ASSET_INDEXES: Mapping[str, tuple[str, ...]] = {
    "url_key": ("url_key",),
    "status_lease": ("status", "lease_until"),
    "status_updated": ("status", "updated_at", "_id"),
    **LIST_INDEXES,
}
SEARCH_INDEXES = (
    SearchIndexModel(dict(VECTOR_DEFINITION), name=VECTOR_INDEX, type="vectorSearch"),
    SearchIndexModel(dict(SEARCH_DEFINITION), name=SEARCH_INDEX, type="search"),
)
# What only the version before has used.
FORMER_INDEXES = ("number", "status_kind_number", "stirred")
FORMER_COLLECTIONS = ("tallies", "counters")

KindOf = Callable[[str], str]
AboutOf = Callable[[Asset], About]


def create_indexes(database: Database[Document], kind_of: KindOf, about: AboutOf) -> list[str]:
    """Create what is missing, update what differs, drop what is not needed any more.

    `kind_of` gives the kind of a content type, `about` what the passages of an asset say of it.
    Returns what was done, a line each.
    """
    assets, passages = database["assets"], database["passages"]
    with available():
        done = [_create_collection(each) for each in (assets, passages)]
        done += _drop_former(database)
        _create_asset_indexes(assets)
        PassageStore(passages).create_indexes()
        done += [_create_search_index(passages, model) for model in SEARCH_INDEXES]
        done += _update_assets(assets, kind_of)
        done += _update_passages(assets, PassageStore(passages), about)
    if deletions := Deletions(database["deletions"], assets).take_over():
        done.append(f"Deletions that were interrupted: {deletions}, to be completed.")
    return done


def missing_indexes(database: Database[Document]) -> list[str]:
    """The names of the indexes that are needed and not there, or not yet to be queried."""
    with available():
        there = database["assets"].index_information()
        found = list(database["passages"].list_search_indexes())
    ready = {index["name"] for index in found if index.get("queryable")}
    names = [str(model.document["name"]) for model in SEARCH_INDEXES]
    missing = [name for name in ASSET_INDEXES if name not in there]
    return [*missing, *(name for name in names if name not in ready)]


def _create_asset_indexes(assets: Collection[Document]) -> None:
    for name, fields in ASSET_INDEXES.items():
        keys = [(each, ASCENDING) for each in fields]
        assets.create_index(keys, name=name, unique=name == "url_key")


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
    """Passages of an older version of the app lack the fields that the filters ask for."""
    untold = passages.untold()
    for asset_id in untold:
        if document := assets.find_one({"_id": ObjectId(asset_id)}, WITHOUT_TEXT):
            passages.tell(asset_id, about(to_asset(document)))
    return [f"Passages of {len(untold)} assets: brought up to date."] if untold else []


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

"""The indexes that the app needs, and how they come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import CollectionInvalid
from pymongo.operations import SearchIndexModel

from allthethings.mongo import Database
from allthethings.processors import about, kind_of
from allthethings.store.documents import Document, available
from allthethings.store.passage_index import (
    SEARCH_DEFINITION,
    SEARCH_INDEX,
    VECTOR_DEFINITION,
    VECTOR_INDEX,
)

ASSET_INDEXES = ("url_key", "status_lease", "number", "status_kind_number", "stirred")
SEARCH_INDEXES = (
    SearchIndexModel(dict(VECTOR_DEFINITION), name=VECTOR_INDEX, type="vectorSearch"),
    SearchIndexModel(dict(SEARCH_DEFINITION), name=SEARCH_INDEX, type="search"),
)


def create_indexes(database: Database) -> list[str]:
    """Create what is missing and update what differs. Returns what was done, a line each."""
    with available():
        done = [_create_collection(store) for store in _collections(database)]
        database.assets.create_indexes()
        database.passages.create_indexes()
        passages = database.passages.collection
        done += [_create_search_index(passages, model) for model in SEARCH_INDEXES]
    if told := _tell_older_passages(database):
        done.append(f"Passages of {told} things: brought up to date.")
    if numbered := database.assets.tallies.number_the_rest(kind_of):
        done.append(f"{numbered} things: numbered and counted.")
    database.assets.tallies.settle()
    return done


def _tell_older_passages(database: Database) -> int:
    """Passages of an older version of the app lack what the filters ask for."""
    untold = database.passages.untold()
    for asset_id in untold:
        if asset := database.assets.state(asset_id):
            database.passages.tell(asset_id, about(asset, asset.title))
    return len(untold)


def missing_indexes(database: Database) -> list[str]:
    """The names of the indexes that are needed and not there, or not yet to be queried."""
    with available():
        there = database.assets.collection.index_information()
        found = list(database.passages.collection.list_search_indexes())
    ready = {index["name"] for index in found if index.get("queryable")}
    names = [str(model.document["name"]) for model in SEARCH_INDEXES]
    missing = [name for name in ASSET_INDEXES if name not in there]
    return [*missing, *(name for name in names if name not in ready)]


def _collections(database: Database) -> list[Collection[Document]]:
    return [database.assets.collection, database.passages.collection]


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

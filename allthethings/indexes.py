"""The indexes that the app needs, and how they come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import CollectionInvalid
from pymongo.operations import SearchIndexModel

from allthethings.documents import Document, available
from allthethings.mongo import Database
from allthethings.predictions import DIMENSIONS

VECTOR_INDEX = "vector_index"
VECTOR_DEFINITION: Mapping[str, Any] = {
    "fields": [
        {
            "type": "vector",
            "path": "embedding",
            "numDimensions": DIMENSIONS,
            "similarity": "euclidean",
        },
        {"type": "filter", "path": "asset_id"},
        {"type": "filter", "path": "content_type"},
    ]
}


def create_indexes(database: Database) -> list[str]:
    """Create what is missing and update what differs. Returns what was done, a line each."""
    with available():
        done = [_create_collection(store) for store in _collections(database)]
        database.assets.create_indexes()
        database.passages.create_indexes()
        done.append(_create_search_index(database.passages.collection))
    return done


def missing_indexes(database: Database) -> list[str]:
    """The names of the indexes that are needed and not there, or not yet to be queried."""
    with available():
        missing = [] if "url_key" in database.assets.collection.index_information() else ["url_key"]
        found = list(database.passages.collection.list_search_indexes(VECTOR_INDEX))
    if not any(index.get("queryable") for index in found):
        missing.append(VECTOR_INDEX)
    return missing


def _collections(database: Database) -> list[Collection[Document]]:
    return [database.assets.collection, database.passages.collection]


def _create_collection(collection: Collection[Document]) -> str:
    # Atlas refuses a search index on a collection that does not exist.
    try:
        collection.database.create_collection(collection.name)
    except CollectionInvalid:
        return f"Collection {collection.name}: there already."
    return f"Collection {collection.name}: created."


def _create_search_index(collection: Collection[Document]) -> str:
    found = list(collection.list_search_indexes(VECTOR_INDEX))
    if not found:
        collection.create_search_index(
            SearchIndexModel(dict(VECTOR_DEFINITION), name=VECTOR_INDEX, type="vectorSearch")
        )
        return f"Search index {VECTOR_INDEX}: created."
    if _says(found[0].get("latestDefinition"), VECTOR_DEFINITION):
        return f"Search index {VECTOR_INDEX}: there already."
    collection.update_search_index(VECTOR_INDEX, dict(VECTOR_DEFINITION))
    return f"Search index {VECTOR_INDEX}: updated."


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

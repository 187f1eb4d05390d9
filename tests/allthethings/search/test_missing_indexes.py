"""Without one of the search indexes the other side answers, and says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymongo.operations import SearchIndexModel

from allthethings.errors import ServiceUnavailable
from allthethings.mongo import Database
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.results import Away
from allthethings.search.search import Search
from allthethings.search.syntax import Query
from allthethings.store.indexes import SEARCH_INDEXES
from tests.allthethings.search.library import Library, Thing, near_to, vector_of
from tests.faults.apart import own_database
from tools.harness.cloud import Cloud
from tools.harness.waiting import wait_for

TEXT = "The lamp in the tower turns once a minute."
VECTOR_INDEX, WORD_INDEX = SEARCH_INDEXES


@pytest.fixture
def database(cloud: Cloud) -> Iterator[Database]:
    """A database of its own, with one thing and no search index."""
    with own_database(cloud, "unindexed") as database:
        Library(database.database).put(Thing([TEXT], vectors=[near_to(vector_of(TEXT))]))
        yield database


def search_in(database: Database) -> Search:
    vectors = QueryVectors(
        lambda texts: [vector_of(text) for text in texts],
        lambda texts: [len(text.split()) for text in texts],
    )
    return Search(database, vectors)


@pytest.mark.parametrize(
    ("there", "away"), [(WORD_INDEX, Away.VECTOR_SEARCH), (VECTOR_INDEX, Away.WORD_SEARCH)]
)
def test_a_missing_index_is_told(database: Database, there: SearchIndexModel, away: Away) -> None:
    search = search_in(database)
    for query in (Query("lamp"), Query("lamp", phrases=("lamp",))):
        with pytest.raises(ServiceUnavailable, match=r"not built yet|Leave them out"):
            search.search(query)
    database.database["passages"].create_search_index(there)

    def found() -> bool:
        try:
            results = search.search(Query("lamp")).results
        except ServiceUnavailable:  # it is being built
            return False
        return bool(results)

    wait_for(found, "the index")
    assert search.search(Query("lamp")).away is away


def test_an_index_that_finds_nothing_is_no_fault(database: Database) -> None:
    search = search_in(database)
    for index in SEARCH_INDEXES:
        database.database["passages"].create_search_index(index)

    def answers() -> bool:
        try:
            return search.search(Query("wqxz")).away is None
        except ServiceUnavailable:  # they are being built
            return False

    wait_for(answers, "the indexes")

"""A copy with quick models, and a library in its database, shared by all tests of the search."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from tests.allthethings.search.library import Library, Searcher, make_library
from tools.harness.cloud import Cloud
from tools.harness.site import Site, running_site


@pytest.fixture(scope="session")
def cloud(library_copy: Cloud) -> Cloud:
    return library_copy


@pytest.fixture(scope="session")
def library(cloud: Cloud) -> Iterator[Library]:
    """Some eighty things, among them some that must not be found."""
    client: MongoClient[dict[str, object]]
    uri = cloud.endpoints["MONGODB_CONNECTION_URI"]
    # The copy may stop first, and the client looks for it as it closes.
    with MongoClient(uri, tz_aware=True, serverSelectionTimeoutMS=5_000) as client:
        library = Library(client["iaat"])
        make_library(library)
        yield library


@pytest.fixture(scope="session")
def search(cloud: Cloud, library: Library) -> Iterator[Searcher]:
    assert library
    searcher = Searcher(cloud)
    yield searcher
    searcher.http.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site

"""A copy whose models answer at once, shared by the tests that leave its parts alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from allthethings.mongo import Database as AppDatabase
from tests.faults.aftermath import database_of
from tests.faults.apart import own_database
from tests.faults.things import Document
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site, running_site

Report = Callable[[str, str], None]
FIGURES = pytest.StashKey[list[tuple[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The figures as lines of a table."""
    figures = config.stash[FIGURES]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("| what | measured |\n|---|---|")
    for what, measured in figures:
        terminalreporter.write_line(f"| {what} | {measured} |")


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Report:
    """Notes what was measured, to be printed at the end of the run."""
    return lambda what, measured: pytestconfig.stash[FIGURES].append((what, measured))


@pytest.fixture(scope="session")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


@pytest.fixture(scope="session")
def person(cloud: Cloud) -> Iterator[Person]:
    person = Person(cloud)
    yield person
    person.http.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="session")
def database(cloud: Cloud) -> Iterator[Database[Document]]:
    client: MongoClient[Document]
    uri = cloud.endpoints["MONGODB_CONNECTION_URI"]
    # The copy may stop first, and the client looks for it as it closes.
    with MongoClient(uri, serverSelectionTimeoutMS=5_000) as client:
        yield client["iaat"]


@pytest.fixture
def apart(cloud: Cloud) -> Iterator[AppDatabase]:
    """The app's stores over a database that the copy's own processes do not look at."""
    with own_database(cloud, "apart") as database:
        yield database


@pytest.fixture(scope="module")
def kept(victim_copy: Cloud) -> Iterator[Database[Document]]:
    """The database of the copy whose parts are killed."""
    database = database_of(victim_copy)
    yield database
    database.client.close()


@pytest.fixture(scope="module")
def someone(victim_copy: Cloud) -> Iterator[Person]:
    """Who uses that copy."""
    person = Person(victim_copy)
    yield person
    person.http.close()

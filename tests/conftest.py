"""The whole copies that tests share; each fixture is a copy with other settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.copies import Copies, module_of, sort_by_copy
from tools.harness.cloud import Cloud

SHARED = pytest.StashKey[Copies]()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for something."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A copy is started once: the modules that need it follow one another."""
    for item in items:
        for mark in item.iter_markers("slow"):
            if not mark.args:
                raise pytest.UsageError(f"{item.nodeid} is marked slow without a reason")
    sort_by_copy(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After the last test of a module its copies are emptied, or stopped."""
    yield
    copies = item.config.stash.get(SHARED, None)
    if copies and (nextitem is None or module_of(nextitem) != module_of(item)):
        items = item.session.items
        module = [each for each in items if module_of(each) == module_of(item)]
        rest = items[items.index(nextitem) :] if nextitem else []
        copies.leave(module, rest)


@pytest.fixture(scope="session")
def copies(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copies]:
    """Starts the shared copies."""
    copies = pytestconfig.stash[SHARED] = Copies(tmp_path_factory.mktemp("copies"))
    yield copies
    copies.stop_all()


@pytest.fixture(scope="session")
def quick_copy(copies: Copies) -> Cloud:
    """A copy whose models answer at once. No test kills a part of it."""
    return copies.get("quick_copy")


@pytest.fixture(scope="session")
def victim_copy(copies: Copies) -> Cloud:
    """A copy whose models answer at once and whose parts are killed; tests leave it well."""
    return copies.get("victim_copy")


@pytest.fixture(scope="session")
def library_copy(copies: Copies) -> Cloud:
    """A copy whose models answer at once, with the library that the search tests share."""
    return copies.get("library_copy")


@pytest.fixture(scope="session")
def locked_copy(copies: Copies) -> Cloud:
    """A copy that listens everywhere and asks for a password."""
    return copies.get("locked_copy")


@pytest.fixture(scope="session")
def real_copy(copies: Copies) -> Cloud:
    """A copy with the real models. No test kills a part of it."""
    return copies.get("real_copy")

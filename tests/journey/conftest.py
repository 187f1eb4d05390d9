"""For each module a copy of the whole project, and a web site for it to index.

A copy of its own, because the modules index the same recordings under other URLs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.chromium import running_browser
from tests.support.cloud import Cloud, running_cloud
from tests.support.person import Person
from tests.support.site import Site, running_site


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    env = {"FETCH_ALLOW": "127.0.0.1", "RECONCILE_AFTER": "5"}
    with running_cloud(tmp_path_factory.mktemp("cloud") / "var", env) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def person(cloud: Cloud) -> Iterator[Person]:
    person = Person(cloud)
    yield person
    person.http.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own; errors of scripts and of the content policy fail the test.

    An answer of 422 to a form is a console error to Chromium, and as it should be to us.
    """
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not [line for line in complaints if not line.startswith("Failed to load resource")]

"""A copy with the real models, a web site for it to index, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journey.things import Things, index_things
from tools.harness.chromium import running_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Site, running_site
from tools.harness.waiting import PATIENCE

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="module")
def cloud(real_copy: Cloud) -> Cloud:
    return real_copy


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
def things(cloud: Cloud, person: Person, site: Site) -> Things:
    return index_things(cloud, person, site)


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
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not [line for line in complaints if not line.startswith("Failed to load resource")]

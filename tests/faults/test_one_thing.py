"""A thing with several URLs is indexed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import pytest

from tests.faults.things import make_thing
from tools.harness.person import Person
from tools.harness.site import Page, Site

THING = make_thing("herons", Random(11))
OTHER_URLS = ["/herons?utm_source=letter&fbclid=x", "/moved", "/print"]


@pytest.fixture(autouse=True)
def _pages(site: Site) -> None:
    markup = THING.page().body.replace(b"<head>", b'<head><link rel="canonical" href="/herons">')
    for path in ("/herons", "/print"):
        site.add(path, Page(markup))
    site.add("/moved", Page(status=301, headers={"Location": "/herons"}))


def process(person: Person, url: str) -> httpx.Response:
    return person.http.post("/process", data={"url": url})


def test_other_urls_of_a_thing_lead_to_it(person: Person, site: Site) -> None:
    asset = person.index(site.url("/herons"))
    for path in OTHER_URLS:
        answer = process(person, site.url(path))
        assert (answer.status_code, answer.json()["asset"]["id"]) == (200, asset["id"])
    assert "What is at this URL has already been indexed" in answer.text
    assert len(person.search(f"Part 1 of {THING.name}")) >= 1
    person.http.post(f"/assets/{asset['id']}/delete")


@pytest.mark.parametrize("first", OTHER_URLS)
def test_a_thing_keeps_the_url_by_which_it_came(person: Person, site: Site, first: str) -> None:
    asset = person.index(site.url(first))
    assert asset["url"] == site.url(first)
    for path in ("/herons", first):
        assert process(person, site.url(path)).json()["asset"]["id"] == asset["id"]
    before = len(site.requests)
    process(person, site.url(first))
    assert len(site.requests) == before, "a URL that is known is not asked again"
    person.http.post(f"/assets/{asset['id']}/delete")


def test_two_urls_of_a_thing_at_once_make_one_thing(person: Person, site: Site) -> None:
    paths = ["/herons", *OTHER_URLS]
    with ThreadPoolExecutor(len(paths)) as many:
        answers = list(many.map(lambda path: process(person, site.url(path)), paths))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    ids = {answer.json()["asset"]["id"] for answer in answers}
    assert len(ids) == 1
    person.http.post(f"/assets/{ids.pop()}/delete")

"""Which URL stands for a thing. The pages stand on a real site."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from allthethings.pipeline.identity import key_of_thing
from allthethings.processors import recognise
from allthethings.sources.fetch import beginning, probe
from guardedfetch import Fetcher, parse_allow
from tools.harness.site import Page, Site, running_site


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


def page(title: str, canonical: str | None, text: str = "") -> Page:
    link = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    return Page(f"<html><head><title>{title}</title>{link}</head><body>{text}".encode())


def key(site: Site, path: str) -> str:
    """The key, without the site's address."""
    fetcher = Fetcher(parse_allow(site.address.removeprefix("http://")))
    seen = probe(fetcher, site.url(path), recognise)
    return key_of_thing(seen, partial(beginning, fetcher)).replace(site.address, "")


def test_a_permanent_redirect_leads_to_the_thing(site: Site) -> None:
    site.add("/new", page("Herons", None))
    for status in (301, 308):
        site.add("/old", Page(status=status, headers={"Location": "/new"}))
        assert key(site, "/old") == "/new"


def test_a_temporary_redirect_may_lead_elsewhere_tomorrow(site: Site) -> None:
    site.add("/today", page("Herons", None))
    site.add("/latest", Page(status=302, headers={"Location": "/today"}))
    assert key(site, "/latest") == "/latest"


@pytest.mark.parametrize("canonical", ["/herons", "herons", "{address}/herons?utm_source=x"])
def test_a_canonical_url_stands_for_the_page(site: Site, canonical: str) -> None:
    there = canonical.format(address=site.address)
    for path in ("/herons", "/print"):
        site.add(path, page("Herons", there))
    assert key(site, "/print?view=print") == "/herons"
    assert key(site, "/herons") == "/herons"


@pytest.mark.parametrize(
    ("path", "canonical", "there"),
    [
        ("/herons", "/", page("Herons", "/")),
        ("/herons", "http://elsewhere.example/herons", None),
        ("/herons", "javascript:alert(1)", None),
        ("/herons", "http://[", None),
        ("/herons", "/gone", Page(status=404)),
        ("/herons", "/birds", page("Birds", "/birds")),
        ("/herons", "/silent", page("Herons", None)),
        ("/herons", "/chain", page("Herons", "/further")),
        ("/herons?page=2", "/herons", page("Herons", "/herons")),
        ("/herons", "/recording", Page(b"ID3", "audio/mpeg")),
        ("/herons", "", None),
    ],
)
def test_a_canonical_url_that_makes_no_sense_is_not_believed(
    site: Site, path: str, canonical: str, there: Page | None
) -> None:
    site.add(path.partition("?")[0], page("Herons", canonical))
    if there:
        site.add(canonical, there)
    assert key(site, path) == path


def test_a_home_page_may_have_two_urls(site: Site) -> None:
    for path in ("/", "/index.html"):
        site.add(path, page("Birds", "/"))
    assert key(site, "/index.html") == "/"


def test_a_recording_is_not_asked_for_a_canonical_url(site: Site) -> None:
    site.add("/talk.mp3", Page(b"ID3", "audio/mpeg"))
    assert key(site, "/talk.mp3?utm_source=feed") == "/talk.mp3"
    assert site.requests == [("HEAD", "/talk.mp3?utm_source=feed")]


def test_a_page_that_does_not_come_keeps_its_url(site: Site) -> None:
    site.add("/busy", Page(status=503, head_status=200))
    assert key(site, "/busy") == "/busy"

"""Bad input is answered on the page, leaves no asset and is never a 500."""

from __future__ import annotations

import pytest

from tools.harness.person import Person
from tools.harness.site import Page, Site

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><text>Words.</text></svg>"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "Enter the URL"),
        ("   ", "Enter the URL"),
        ("what is this", "spaces"),
        ("example", "should look like"),
        ("ftp://127.0.0.1/a.mp3", "ftp"),
        ("file:///etc/passwd", "file"),
        ("javascript:alert(1)", "should look like"),
        ("http://no-such-host.invalid/a.mp3", "no-such-host.invalid"),
        ("http://127.0.0.1:1/a.mp3", "refused"),
        ("http://10.0.0.1/a.mp3", "not a public address"),
        ("http://someone:secret@127.0.0.1/a.mp3", "password"),
        ("http://[::1", "not a URL"),
        ("http://127.0.0.1:99999/", "not a URL"),
        ("http://" + "a" * 3000, "longer"),
        ("http://exam\x00ple/", "control"),
    ],
)
def test_a_url_that_cannot_be_fetched(person: Person, url: str, word: str) -> None:
    before = len(person.assets())
    assert word in person.refused(url)
    assert len(person.assets()) == before


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (Page(status=404), "404"),
        (Page(status=500), "500"),
        (Page(b"\x00\x01\x02", content_type=None), "Content-Type"),
        (Page(b"x", "application/vnd.rar"), "application/vnd.rar"),
        (Page(SVG, "image/svg+xml"), "image/svg+xml"),
        (Page(b"x", '"><script>alert(1)</script>'), "&lt;script&gt;"),
        (Page(status=302, headers={"Location": "/bad"}), "redirects"),
        (Page(status=302, headers={"Location": "file:///etc/passwd"}), "http"),
    ],
)
def test_a_server_that_has_nothing_for_us(
    person: Person, site: Site, page: Page, word: str
) -> None:
    before = len(person.assets())
    assert word in person.refused(site.add("/bad", page))
    assert len(person.assets()) == before


def test_no_form_field_at_all(person: Person) -> None:
    answer = person.http.post("/process", data={}, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "Enter the URL" in answer.text


def test_a_server_without_head_and_length_is_accepted(person: Person, site: Site) -> None:
    text = "<p>" + "An otter rolls over in the kelp and cracks a clam on its belly. " * 4 + "</p>"
    page = Page(f"<article>{text}</article>".encode(), head_status=405, tell_length=False)
    assert person.index(site.add("/otter", page))["content_length"] in (None, len(page.body))


@pytest.mark.parametrize(
    "path",
    [
        "/?page=0&per_page=0",
        "/?page=-1&per_page=1000000",
        "/?page=x&per_page=%F0%9F%90%9D",
        "/?page=99999999999999999999",
        "/search",
        "/search?query=",
        "/search?query=%00",
        "/search?query=%FF%FE",
    ],
)
def test_odd_addresses_of_pages_answer(person: Person, path: str) -> None:
    for accept in ("text/html", "application/json"):
        assert person.http.get(path, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/assets/x", "/assets/" + "0" * 24, "/assets/%00", "/nothing", "/examples/%2e%2e/app.py"],
)
def test_what_is_not_there_is_404(person: Person, path: str) -> None:
    assert person.http.get(path).status_code == 404


def test_pages_are_of_the_size_that_was_asked_for(person: Person, site: Site) -> None:
    for number in range(3):
        person.submit(site.add(f"/noise-{number}.mp3", Page(b"no sound", "audio/mpeg")))
    two = person.http.get("/", params={"per_page": 2}).json()["assets"]
    assert len(two) == 2
    times = [asset["created_at"] for asset in person.assets()]
    assert times == sorted(times, reverse=True)

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.sources.fetch import Probe, download, probe, within
from guardedfetch import Fetcher, parse_allow
from tools.harness.servers import Server, serving
from tools.harness.site import Page, Site, running_site

LARGEST = 1000
AUDIO = Page(b"x" * 1234, "audio/mpeg")


def look(fetcher: Fetcher, url: str) -> Probe:
    """A probe by an app that knows one signature."""
    return probe(fetcher, url, lambda first: "audio/flac" if first.startswith(b"fLaC") else None)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def fetcher(site: Site) -> Fetcher:
    return Fetcher(parse_allow(site.address.removeprefix("http://")))


def test_a_probe_asks_for_the_headers_alone(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/talk.mp3", AUDIO)
    site.requests.clear()
    assert look(fetcher, url) == Probe("audio/mpeg", 1234)
    assert site.requests == [("HEAD", "/talk.mp3")]


@pytest.mark.parametrize("refusal", [400, 403, 405, 500, 501])
def test_a_server_without_head_is_asked_for_one_byte(
    site: Site, fetcher: Fetcher, refusal: int
) -> None:
    url = site.add("/no-head.mp3", Page(AUDIO.body, "Audio/MPEG; x=y", head_status=refusal))
    assert look(fetcher, url) == Probe("audio/mpeg", 1234)


def test_no_length_is_accepted(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/stream.mp3", Page(b"x", "audio/mpeg", tell_length=False))
    assert look(fetcher, url) == Probe("audio/mpeg", None)


def test_a_redirect_is_followed(site: Site, fetcher: Fetcher) -> None:
    site.add("/talk.mp3", AUDIO)
    url = site.add("/old", Page(status=302, headers={"Location": "/talk.mp3"}))
    assert look(fetcher, url) == Probe("audio/mpeg", 1234)


@pytest.mark.parametrize(
    ("page", "word", "code"),
    [
        (Page(status=404), "404", ErrorCode.NOT_FOUND),
        (Page(status=410), "410", ErrorCode.NOT_FOUND),
        (Page(status=403), "403", ErrorCode.ACCESS_DENIED),
        (Page(status=503), "503", ErrorCode.SERVER_UNAVAILABLE),
        (Page(b"x", content_type=None), "Content-Type", ErrorCode.NO_CONTENT_TYPE),
        (Page(b"x", content_type=" "), "Content-Type", ErrorCode.NO_CONTENT_TYPE),
        (Page(b"x", content_type=f"audio/{'x' * 255}"), "Content-Type", ErrorCode.NO_CONTENT_TYPE),
    ],
)
def test_what_cannot_be_used_is_said_in_words(
    site: Site, fetcher: Fetcher, page: Page, word: str, code: ErrorCode
) -> None:
    with pytest.raises(UnusableThing, match=word) as caught:
        look(fetcher, site.add("/bad", page))
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("http://no-such-host.invalid/", {ErrorCode.NAME_NOT_FOUND, ErrorCode.LOOKUP_FAILED}),
        ("http://127.0.0.1:1/", {ErrorCode.ADDRESS_REFUSED}),
    ],
)
def test_an_unreachable_server_is_said_in_words(
    fetcher: Fetcher, url: str, codes: set[ErrorCode]
) -> None:
    with pytest.raises(UnusableThing, match=r"\.$") as caught:
        look(fetcher, url)
    assert caught.value.code in codes


@pytest.mark.parametrize("told", ["application/octet-stream", "binary/octet-stream; x=y", None])
def test_a_server_that_does_not_know_what_it_sends(
    site: Site, fetcher: Fetcher, told: str | None
) -> None:
    url = site.add("/talk", Page(b"fLaC" + b"x" * 100_000, told))
    site.requests.clear()
    assert look(fetcher, url) == Probe("audio/flac", 100_004)
    assert site.requests == [("HEAD", "/talk"), ("GET", "/talk")]


def test_the_first_bytes_of_a_large_thing_are_enough(site: Site, fetcher: Fetcher) -> None:
    length = {"Content-Length": "3000000000"}
    body = b"fLaC" + b"x" * 5_000
    url = site.add(
        "/long", Page(body, "application/octet-stream", headers=length, tell_length=False)
    )
    assert look(fetcher, url) == Probe("audio/flac", 3_000_000_000)


def test_what_nobody_recognises_is_what_its_server_says(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/disc.iso", Page(b"\0" * 5_000, "application/octet-stream"))
    assert look(fetcher, url).content_type == "application/octet-stream"


def test_what_a_server_says_is_believed(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/page", Page(b"fLaC", "text/html"))
    site.requests.clear()
    assert look(fetcher, url).content_type == "text/html"
    assert site.requests == [("HEAD", "/page")]


@pytest.mark.parametrize("tell_length", [True, False])
def test_a_document_has_a_limit_of_its_own(
    site: Site, fetcher: Fetcher, *, tell_length: bool
) -> None:
    url = site.add("/long", Page(b"x" * 1001, "text/html", tell_length=tell_length))
    assert len(download(fetcher, url, 1001).body) == 1001
    with pytest.raises(UnusableThing) as caught:
        download(fetcher, url, 1000)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_a_document_comes_with_its_encoding(site: Site, fetcher: Fetcher) -> None:
    body = "<p>Łódź</p>".encode("iso-8859-2")
    url = site.add("/page", Page(body, "text/html; charset=ISO-8859-2"))
    document = download(fetcher, url, LARGEST)
    assert (document.body, document.charset, document.url) == (body, "iso-8859-2", url)
    assert document.content_type == "text/html"


@pytest.fixture
def unhurried() -> Iterator[Server]:
    """Takes a second for each answer, and refuses HEAD."""

    def script(connection: socket.socket, head: bytes) -> None:
        server.stopping.wait(1.0)
        status = b"405 No" if head.startswith(b"HEAD") else b"200 OK"
        page = b"Content-Type: text/html\r\nContent-Length: 3\r\n\r\nyes"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + page)

    with serving(script) as server:
        yield server


def look_and_download(server: Server) -> bytes:
    fetcher = Fetcher(parse_allow("127.0.0.1"))
    look(fetcher, server.url())
    return download(fetcher, server.url(), LARGEST).body


def test_a_slow_server_has_its_time_for_each_request(unhurried: Server) -> None:
    assert look_and_download(unhurried) == b"yes"
    with within(60.0):
        assert look_and_download(unhurried) == b"yes"


@pytest.mark.parametrize(("seconds", "requests"), [(0.5, 1), (1.5, 2), (2.5, 3)])
def test_all_requests_share_the_time_of_one_answer(
    unhurried: Server, seconds: float, requests: int
) -> None:
    with within(seconds), pytest.raises(UnusableThing, match="too long over all") as caught:
        look_and_download(unhurried)
    assert caught.value.code is ErrorCode.TOO_SLOW
    assert unhurried.connections == requests
    assert look_and_download(unhurried) == b"yes"  # the next answer has a time of its own


def test_what_is_done_between_the_requests_takes_none_of_their_time(unhurried: Server) -> None:
    fetcher = Fetcher(parse_allow("127.0.0.1"))
    with within(3.5):
        look(fetcher, unhurried.url())
        unhurried.stopping.wait(2.0)  # a database that is slow
        assert download(fetcher, unhurried.url(), LARGEST).body == b"yes"

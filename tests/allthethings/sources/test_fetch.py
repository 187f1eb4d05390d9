from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from allthethings.assets.looks import Version
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.pdf import PdfProcessor
from allthethings.sources.fetch import Probe, download, probe, seconds_of, within
from guardedfetch import Fetcher, parse_allow
from tools.harness.servers import Server, serving
from tools.harness.site import Page, Site, running_site

LARGEST = 1000
AUDIO = Page(b"x" * 1234, "audio/mpeg")


def recognise(told: str, names: Sequence[str], look: Callable[[], bytes]) -> str:
    """By an app that knows one signature, and looks for it where a name or no type asks for it."""
    if told not in ("", "application/octet-stream") and not any("flac" in name for name in names):
        return told
    return "audio/flac" if look().startswith(b"fLaC") else told


def look(fetcher: Fetcher, url: str) -> Probe:
    """What a URL leads to, wherever that is, in whatever version."""
    return replace(probe(fetcher, url, recognise), url="", version=Version())


def what(content_type: str, content_length: int | None, misnamed: str | None = None) -> Probe:
    return Probe("", content_type, content_length, misnamed)


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
    assert look(fetcher, url) == what("audio/mpeg", 1234)
    assert site.requests == [("HEAD", "/talk.mp3")]


@pytest.mark.parametrize("refusal", [400, 403, 405, 500, 501])
def test_a_server_without_head_is_asked_for_one_byte(
    site: Site, fetcher: Fetcher, refusal: int
) -> None:
    url = site.add("/no-head.mp3", Page(AUDIO.body, "Audio/MPEG; x=y", head_status=refusal))
    assert look(fetcher, url) == what("audio/mpeg", 1234)


def test_no_length_is_accepted(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/stream.mp3", Page(b"x", "audio/mpeg", tell_length=False))
    assert look(fetcher, url) == what("audio/mpeg", None)


def test_a_redirect_is_followed(site: Site, fetcher: Fetcher) -> None:
    site.add("/talk.mp3", AUDIO)
    url = site.add("/old", Page(status=302, headers={"Location": "/talk.mp3"}))
    assert look(fetcher, url) == what("audio/mpeg", 1234)


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


@pytest.mark.parametrize("told", ["application/octet-stream; x=y", None])
def test_the_first_bytes_are_asked_for_where_they_are_needed(
    site: Site, fetcher: Fetcher, told: str | None
) -> None:
    url = site.add("/talk", Page(b"fLaC" + b"x" * 100_000, told))
    site.requests.clear()
    misnamed = "application/octet-stream" if told else None
    assert look(fetcher, url) == what("audio/flac", 100_004, misnamed)
    assert site.requests == [("HEAD", "/talk"), ("GET", "/talk")]


def test_the_first_bytes_of_a_large_thing_are_enough(site: Site, fetcher: Fetcher) -> None:
    length = {"Content-Length": "3000000000"}
    body = b"fLaC" + b"x" * 5_000
    url = site.add(
        "/long", Page(body, "application/octet-stream", headers=length, tell_length=False)
    )
    assert look(fetcher, url).content_length == 3_000_000_000


def test_what_nobody_recognises_is_what_its_server_says(site: Site, fetcher: Fetcher) -> None:
    url = site.add("/disc.iso", Page(b"\0" * 5_000, "application/octet-stream"))
    assert look(fetcher, url) == what("application/octet-stream", 5_000)


@pytest.mark.parametrize(
    ("path", "target", "disposition"),
    [
        ("/talk.flac", None, None),
        ("/old", "/a%20talk.flac", None),
        ("/get", None, 'attachment; filename="talk.flac"'),
        ("/get", None, "attachment; filename*=UTF-8''t%C3%A4lk.flac"),
    ],
)
def test_every_name_of_a_thing_is_looked_at(
    site: Site, fetcher: Fetcher, path: str, target: str | None, disposition: str | None
) -> None:
    headers = {"Content-Disposition": disposition} if disposition else {}
    url = site.add(target or path, Page(b"fLaC", "text/html", headers=headers))
    if target:
        url = site.add(path, Page(status=302, headers={"Location": target}))
    assert look(fetcher, url) == what("audio/flac", 4, misnamed="text/html")


@pytest.mark.parametrize("tell_length", [True, False])
def test_a_document_has_a_limit_of_its_own(
    site: Site, fetcher: Fetcher, *, tell_length: bool
) -> None:
    url = site.add("/long", Page(b"x" * 1001, "text/html", tell_length=tell_length))
    assert len(download(fetcher, url, 1001).body) == 1001
    with pytest.raises(UnusableThing) as caught:
        download(fetcher, url, 1000)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_a_gigabyte_is_refused_by_its_told_length(site: Site, fetcher: Fetcher) -> None:
    """The body never comes: it is not waited for."""
    told = {"Content-Length": "1000000000"}
    page = Page(b"%PDF-1.7", "application/pdf", headers=told, tell_length=False)
    with pytest.raises(UnusableThing) as caught:
        download(fetcher, site.add("/gigabyte.pdf", page), PdfProcessor.max_bytes)
    assert caught.value.code is ErrorCode.TOO_LARGE
    assert "64 MiB" in str(caught.value)


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


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("120", 120, 120),
        (" 0 ", 0, 0),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1)), 3_000, 3_600),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1)), 0, 0),
    ],
    ids=["seconds", "no seconds", "an hour from now", "an hour ago"],
)
def test_a_server_says_how_long_to_wait(told: str, least: float, most: float) -> None:
    seconds = seconds_of(told)
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize("told", ["", "soon", "-1", "1e3", "9" * 40])
def test_what_is_no_time_to_wait(told: str) -> None:
    assert seconds_of(told) is None

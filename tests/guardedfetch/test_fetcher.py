from __future__ import annotations

import gzip
import io
import socket
import zlib
from collections.abc import Callable

import pytest

from guardedfetch import (
    Fetcher,
    Limits,
    LookupFailed,
    NameNotFound,
    TooLarge,
    Unreachable,
    parse_allow,
)
from tools.harness.servers import Script, Server, answer, redirect_to_query, say, serving

Serve = Callable[[Script], Server]


def test_get(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"hello", "Content-Type: text/plain", "X-Odd: caf\xe9"))
    fetched = fetcher.get(server.url("/path?q=1#part"))
    assert fetched.url == server.url("/path?q=1")
    assert (fetched.status, fetched.body) == (200, b"hello")
    assert fetched.headers["CONTENT-type"] == "text/plain"
    request = server.requests[0].decode().split("\r\n")
    assert request[0] == "GET /path?q=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in request


def test_head_asks_for_no_body(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"hello", "Content-Encoding: gzip"))
    fetched = fetcher.head(server.url())
    assert (fetched.status, fetched.body) == (200, b"")
    assert fetched.headers["content-length"] == "5"
    assert server.requests[0].startswith(b"HEAD / ")


def test_head_of_something_large_is_fine(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"))
    assert fetcher.head(server.url()).headers["content-length"] == "5000000000"


@pytest.mark.parametrize("status", ["404 Not Found", "405 No", "500 Oh", "304 Same", "300 Choose"])
def test_any_status_is_an_answer(status: str, fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"", status=status))
    assert fetcher.get(server.url()).status == int(status[:3])


def test_headers_of_the_caller(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"h", "Content-Range: bytes 0-0/5", status="206 Partial Content"))
    asked = {"Range": "bytes=0-0", "user-agent": "test/1", "accept-encoding": "identity"}
    fetched = fetcher.get(server.url(), headers=asked)
    assert (fetched.status, fetched.body) == (206, b"h")
    request = server.requests[0].lower()
    for line in (b"range: bytes=0-0", b"user-agent: test/1", b"accept-encoding: identity"):
        assert request.count(line) == request.count(line.split(b":")[0] + b":") == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 50_000)),
        ("X-GZIP", gzip.compress(b"hello" * 25_000) + gzip.compress(b"hello" * 25_000)),
        ("gzip", gzip.compress(b"hello" * 50_000) + bytes(512)),
        ("deflate", zlib.compress(b"hello" * 50_000)),
        ("deflate", zlib.compress(b"hello" * 50_000, wbits=-15)),
        ("identity", b"hello" * 50_000),
    ],
)
def test_content_is_decompressed(
    encoding: str, body: bytes, fetcher: Fetcher, serve: Serve
) -> None:
    server = serve(answer(body, f"Content-Encoding: {encoding}"))
    assert fetcher.get(server.url()).body == b"hello" * 50_000


def test_an_empty_gzip_body_is_empty(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"", "Content-Encoding: gzip"))
    assert fetcher.get(server.url()).body == b""


def test_no_length_and_no_type_are_fine(fetcher: Fetcher, serve: Serve) -> None:
    fetched = fetcher.get(serve(answer(b"hello", length=False)).url())
    assert fetched.body == b"hello"
    assert "content-type" not in fetched.headers


def test_the_same_content_type_twice_is_one(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"", "Content-Type: text/html", "Content-Type: text/html"))
    assert fetcher.get(server.url()).headers["content-type"] == "text/html"


def test_what_is_behind_a_temporary_redirect_is_not_permanent(
    fetcher: Fetcher, serve: Serve
) -> None:
    hops = {b"/a ": ("/b", 301), b"/b ": ("/c", 302), b"/c ": ("/d", 308)}

    def script(connection: socket.socket, head: bytes) -> None:
        for path, (target, status) in hops.items():
            if path in head.partition(b"\r\n")[0]:
                answer(b"", f"Location: {target}", status=f"{status} R")(connection, head)
                return
        answer(b"arrived")(connection, head)

    server = serve(script)
    fetched = fetcher.get(server.url("/a"))
    assert (fetched.url, fetched.permanent_url) == (server.url("/d"), server.url("/b"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, fetcher: Fetcher, serve: Serve) -> None:
    def script(connection: socket.socket, head: bytes) -> None:
        if b"/there" in head:
            answer(b"arrived", "Content-Type: a/b")(connection, head)
        else:
            answer(b"", "Location: /there#part", status=f"{status} R")(connection, head)

    server = serve(script)
    assert fetcher.get(server.url("/x/y")).body == b"arrived"
    fetched = fetcher.head(server.url("/x/y"))
    assert (fetched.url, fetched.headers["content-type"]) == (server.url("/there"), "a/b")
    lasting = status in (301, 308)
    assert fetched.permanent_url == server.url("/there" if lasting else "/x/y")
    assert [request[:4] for request in server.requests] == [b"GET ", b"GET ", b"HEAD", b"HEAD"]


def test_a_redirect_without_location_is_an_answer(fetcher: Fetcher, serve: Serve) -> None:
    assert fetcher.get(serve(answer(b"x", status="302 Found")).url()).status == 302


def test_credentials_stay_with_their_origin(fetcher: Fetcher, serve: Serve) -> None:
    other = serve(answer(b""))
    server = serve(redirect_to_query)
    fetcher.get(
        server.url(f"/?{other.url()}"),
        headers={"Authorization": "Bearer x", "Cookie": "a=b", "Range": "bytes=0-"},
    )
    assert b"Bearer" in server.requests[0]
    assert b"Bearer" not in other.requests[0]
    assert b"a=b" not in other.requests[0]
    assert b"bytes=0-" in other.requests[0]


def test_download_streams_to_a_file(fetcher: Fetcher, serve: Serve) -> None:
    file = io.BytesIO()
    fetched = fetcher.download(serve(answer(b"a" * 1_000_000)).url(), file)
    assert (fetched.status, fetched.body) == (200, b"")
    assert file.getvalue() == b"a" * 1_000_000


def test_open_lets_the_caller_look_before_reading(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"a" * 200_000, "Content-Type: audio/ogg"))
    with fetcher.open(server.url()) as stream:
        assert (stream.url, stream.status) == (server.url(), 200)
        assert stream.headers["content-type"] == "audio/ogg"
        pieces = list(stream)
    assert len(pieces) > 1
    assert b"".join(pieces) == b"a" * 200_000


def test_limits_of_one_call(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b"a" * 100))
    assert len(fetcher.get(server.url(), limits=Limits(max_bytes=100)).body) == 100
    with pytest.raises(TooLarge, match="The content is larger than 99 bytes"):
        fetcher.get(server.url(), limits=Limits(max_bytes=99))
    with pytest.raises(TooLarge):
        fetcher.get(server.url(), limits=Limits(max_header_bytes=20))


def test_allow_by_host_and_port(serve: Serve) -> None:
    server, other = serve(answer(b"")), serve(answer(b""))
    by_port = Fetcher(parse_allow(f"localhost:{server.port}"))
    assert by_port.get(server.url(host="localhost")).status == 200
    for url in (other.url(host="localhost"), server.url()):
        with pytest.raises(Exception, match="FETCH_ALLOW"):
            by_port.get(url)
    by_host = Fetcher(parse_allow("localhost"))
    assert by_host.get(server.url(host="localhost")).status == 200
    assert by_host.get(other.url(host="LOCALHOST.")).status == 200
    assert other.connections == 1


def test_ipv6(canary: Server) -> None:
    if not any(":" in host for host in canary.hosts):
        pytest.skip("no IPv6 on this machine")
    with serving(answer(b"six"), ["::1"]) as server:
        fetched = Fetcher(parse_allow("[::1]")).get(server.url(host="[0::1]"))
        assert (fetched.url, fetched.body) == (server.url(host="[::1]"), b"six")
        assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_a_refused_connection_can_be_tried_again(fetcher: Fetcher, serve: Serve) -> None:
    server = serve(answer(b""))
    server.stop()
    with pytest.raises(Unreachable, match="The server refused the connection") as caught:
        fetcher.get(server.url())
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("errno", "error", "permanent"),
    [
        (socket.EAI_NONAME, NameNotFound, True),
        (socket.EAI_AGAIN, LookupFailed, False),
        (socket.EAI_FAIL, LookupFailed, False),
    ],
)
def test_names_without_address(errno: int, error: type[Exception], permanent: bool) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(errno, "no")

    with pytest.raises(error, match=r"no-such-host\.example") as caught:
        Fetcher(resolve=resolve).get("http://no-such-host.example/")
    assert getattr(caught.value, "permanent", None) == permanent


def test_a_name_with_no_address_at_all() -> None:
    with pytest.raises(NameNotFound, match=r"The name empty\.example does not exist"):
        Fetcher(resolve=lambda _host, _port: []).get("http://empty.example/")


def test_the_systems_own_names(serve: Serve) -> None:
    server = serve(answer(b"by name"))
    fetched = Fetcher(parse_allow("localhost")).get(server.url(host="localhost"))
    assert fetched.body == b"by name"

"""Requests reach a WSGI application as PEP 3333 says, and its answers reach the client."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest
import uvicorn

from guardedserve import Front, Limits, Rule
from guardedserve.server import configure
from tests.guardedserve.conftest import ALL, Served, Start, hello, request
from tools.harness.waiting import wait_for

StartResponse = Callable[..., Any]


def mirror(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answers what it was asked."""
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode()
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def served(start: Start) -> Served:
    return start(mirror)


def told(served: Served, data: bytes) -> dict[str, str]:
    status, _, body = served.connect(data).answer()
    assert status == 200
    found: dict[str, str] = json.loads(body)
    return found


def test_an_application_is_called_as_the_standard_says(start: Start) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(10)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    served = start(validator(application))
    data = request("/a?b=c", method="POST", body=b"body")
    assert served.connect(data).answer()[::2] == (200, b"ok")


def test_a_body_does_not_wait_until_the_headers_are_acknowledged(served: Served) -> None:
    """Nagle's algorithm is off: with it, a client that delays acknowledgements waits for 40 ms."""
    client = served.connect(request())
    assert client.answer()[0] == 200
    (connection,) = served.uvicorn.server_state.connections
    there = connection.transport.get_extra_info("socket")
    assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_path_query_and_method(served: Served) -> None:
    found = told(served, request("/a%20b/%C3%A9%2F?q=%C3%A9&r", method="DELETE"))
    assert found["PATH_INFO"] == "/a b/é/".encode().decode("latin-1")
    assert found["QUERY_STRING"] == "q=%C3%A9&r"
    assert found["REQUEST_METHOD"] == "DELETE"
    assert found["REMOTE_ADDR"] == "127.0.0.1"


def test_a_path_is_passed_on_as_it_is(served: Served) -> None:
    assert told(served, request("//a/../b"))["PATH_INFO"] == "//a/../b"


def test_a_request_as_proxies_get_it(served: Served) -> None:
    assert told(served, request("http://x/a/b?c"))["PATH_INFO"] == "/a/b"
    assert told(served, request("http://x"))["PATH_INFO"] == "/"
    assert told(served, request("HTTP://[x/a"))["PATH_INFO"] == "/a"


def test_a_request_as_proxies_get_it_has_the_rule_of_its_path(start: Start) -> None:
    signed = Rule("signed", ["/signed"], threads=1, waiting=1, signed_by=["signature"])
    served = start(mirror, [signed, ALL])
    for path in ("/signed", "http://x/signed", "http://x/%73igned"):
        data = request(path, method="POST", body=b"x")
        assert served.connect(data).answer()[0] == 401


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_body_with_two_ends_is_refused(served: Served, version: str) -> None:
    length = "Content-Length: 3\r\n" if version == "1.1" else ""
    head = f"POST / HTTP/{version}\r\nHost: x\r\n{length}Transfer-Encoding: chunked\r\n\r\n"
    client = served.connect(head.encode() + b"0\r\n\r\n" + request("/smuggled"))
    received = b"".join(iter(lambda: client.socket.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_body_that_breaks_off_after_its_refusal(start: Start) -> None:
    signed = Rule("signed", [""], threads=1, waiting=1, signed_by=["signature"])
    served = start(mirror, [signed])
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    client = served.connect(head)
    assert client.answer()[0] == 401
    assert client.send(b"no chunk\r\n").is_closed()  # and no error is logged


def test_a_client_that_is_gone_before_it_is_accepted_is_not_served() -> None:
    paths: list[str] = []

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        paths.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    limits = Limits()
    config = configure(lambda: Front(application, [ALL], limits), limits, "127.0.0.1", 0)
    server = uvicorn.Server(config)
    with config.bind_socket() as listener:
        listener.listen()
        address = listener.getsockname()
        with socket.create_connection(address) as gone:
            gone.sendall(request("/gone"))
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert httpx.get(f"http://{address[0]}:{address[1]}/").status_code == 200
        finally:
            server.should_exit = True
            thread.join()
    assert paths == ["/"]


def test_headers(served: Served) -> None:
    data = request("/", "Accept: a", "Accept: b", "Cookie: c=1", "Cookie: d=2", "Content-Type: e")
    found = told(served, data)
    assert found["HTTP_ACCEPT"] == "a, b"
    assert found["HTTP_COOKIE"] == "c=1; d=2"
    assert found["CONTENT_TYPE"] == "e"


def test_a_header_cannot_pose_as_another(served: Served) -> None:
    data = request("/", "X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 127.0.0.1")
    assert told(served, data)["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"


def test_a_body_in_chunks(served: Served) -> None:
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    found = told(served, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert (found["body"], found["CONTENT_LENGTH"]) == ("abcde", "5")
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_a_client_that_asks_before_it_sends(served: Served) -> None:
    head = request("/", "Expect: 100-continue", "Content-Length: 3", method="POST")
    client = served.connect(head)
    assert client.answer()[0] == 100
    assert json.loads(client.send(b"abc").answer()[2])["body"] == "abc"


def test_requests_that_come_at_once_are_answered_in_order(served: Served) -> None:
    client = served.connect(request("/1") + request("/2", method="POST", body=b"x") + request("/3"))
    paths = [json.loads(client.answer()[2])["PATH_INFO"] for _ in range(3)]
    assert paths == ["/1", "/2", "/3"]


def test_a_long_answer_comes_in_parts(start: Start) -> None:
    closed: list[bool] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(1000):
                yield bytes([number % 256]) * 1000

        def close(self) -> None:
            closed.append(True)

    def application(_environ: object, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("X-Kind", "long")])
        return Body()

    served = start(application, part=5000)
    answer = httpx.get(f"http://127.0.0.1:{served.port}/")
    assert answer.content == b"".join(bytes([number % 256]) * 1000 for number in range(1000))
    assert answer.headers["X-Kind"] == "long"
    wait_for(lambda: closed, "the answer closed")


def test_head_has_no_body(start: Start) -> None:
    client = start(hello).connect(request("/", "Connection: close", method="HEAD"))
    received = b"".join(iter(lambda: client.socket.recv(1000), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert b"\r\ncontent-length: 5\r\n" in received
    assert received.endswith(b"\r\n\r\n")


def test_an_application_that_fails_answers_500(start: Start) -> None:
    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError("foreseen")
        return hello(environ, start_response)

    served = start(application)
    assert httpx.get(f"http://127.0.0.1:{served.port}/fail").status_code == 500
    assert served.get()[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 1_000_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_400(served: Served, data: bytes) -> None:
    client = served.connect(data)
    received = b"".join(iter(lambda: client.socket.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert served.get()[0] == 200


def test_what_a_client_would_rather_speak_is_passed_over(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    assert (
        told(served, request("/", "Connection: Upgrade", "Upgrade: websocket"))["PATH_INFO"] == "/"
    )
    assert not caplog.records

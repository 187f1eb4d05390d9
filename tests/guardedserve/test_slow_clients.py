"""Clients that are slow, or stop half-way, hold no thread and lose their connection in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.guardedserve.conftest import Served, Start, hello, request
from tools.harness.waiting import wait_for

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
LONG = b"x" * 5_000_000


def long(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", str(len(LONG)))])
    return [LONG]


@pytest.mark.parametrize("data", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["idle", "head", "body"])
def test_half_a_request_holds_no_thread(start: Start, data: bytes) -> None:
    served = start(hello)  # which has one thread
    for _ in range(40):
        served.connect(data)
    assert served.get()[2] == b"hello"


@pytest.mark.parametrize(
    ("data", "limit", "said"),
    [
        (b"", "headers", b""),
        (HALF_A_HEAD, "headers", b"HTTP/1.1 408"),
        (HALF_A_BODY, "grace", b"HTTP/1.1 408"),
        (request(), "idle", b"HTTP/1.1 200"),
        (request() + HALF_A_HEAD, "headers", b"HTTP/1.1 200"),
    ],
)
def test_a_client_that_stops_loses_its_connection(
    start: Start, data: bytes, limit: str, said: bytes
) -> None:
    limits = {"headers": 1000.0, "grace": 1000.0, "idle": 1000.0, limit: 0.1}
    client = start(hello, **limits).connect(data)
    received = b"".join(iter(lambda: client.socket.recv(65536), b""))
    assert received.startswith(said)


@pytest.mark.parametrize("data", [HALF_A_HEAD, HALF_A_BODY], ids=["head", "body"])
def test_a_byte_now_and_then_does_not_help(start: Start, data: bytes) -> None:
    client = start(hello, headers=0.3, grace=0.3, slowest=1_000_000).connect(data)

    def dribble() -> bool:
        try:
            client.send(b"x")
        except OSError:
            return True
        return False

    wait_for(dribble, "the connection closed under the dribble", pause=0.05)


def test_a_client_that_does_not_take_its_answer_holds_no_thread(start: Start) -> None:
    served = start(long, grace=1000.0)
    for _ in range(5):
        client = served.connect()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(request())
    assert len(served.get()[2]) == len(LONG)


def test_a_client_that_does_not_take_its_answer_loses_its_connection(start: Start) -> None:
    client = start(long, grace=0.1, slowest=1_000_000_000).connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(request())

    def reset() -> bool:
        return bool(client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    wait_for(reset, "the connection reset")


def test_an_answer_that_cannot_begin_is_given_up(start: Start) -> None:
    served: list[Served] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        (connection,) = served[0].uvicorn.server_state.connections
        # As if the end of the answer before still stood in the buffer.
        connection.flow.pause_writing()  # type: ignore[union-attr]
        return hello(environ, start_response)

    served.append(start(application, grace=0.1))
    assert served[0].connect(request()).is_closed()


def test_parts_are_made_as_they_are_taken(start: Start) -> None:
    made: list[int] = []

    def endless(_environ: object, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        for number in range(1_000):
            made.append(number)
            yield b"x" * 100_000

    served = start(endless, part=1, grace=1000.0)
    client = served.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(request())
    wait_for(lambda: made, "the first part")
    client.socket.recv(1000)
    assert len(made) < 900  # the sockets' buffers hold some megabytes


def test_a_stop_ends_half_requests_and_finishes_whole_ones(start: Start) -> None:
    go, come = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        come.set()
        go.wait()
        return hello(environ, start_response)

    served = start(slow)
    halves = [served.connect(data) for data in (b"", HALF_A_HEAD, HALF_A_BODY)]
    whole = served.connect(request())
    come.wait()
    served.uvicorn.should_exit = True
    try:
        assert all(half.is_closed() for half in halves)
    finally:
        go.set()
    assert whole.answer()[2] == b"hello"
    assert whole.is_closed()

"""More requests than threads: some wait, the rest are told to come again, and other kinds are
served meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from guardedserve import Rule
from tests.guardedserve.conftest import Client, Served, Start, hello, request
from tools.harness.waiting import wait_for

SLOW = Rule("slow", ["/slow"], threads=2, waiting=3, patience=1000.0, retry_after=7)
SIGNED = Rule("signed", ["/signed"], threads=1, waiting=2, signed_by=["x-signature"], machines=True)
SMALL = Rule("small", ["/small"], threads=1, waiting=2, max_body=10)
REST = Rule("rest", [""], threads=3, waiting=10)
RULES = (SLOW, SIGNED, SMALL, REST)


class Gate:
    """An application whose slow requests wait until it is opened."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def open(self) -> None:
        self._open.set()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if "slow" in environ["PATH_INFO"] + environ["QUERY_STRING"]:
            with self._lock:
                self.inside.append(environ["PATH_INFO"])
                self.most = max(self.most, len(self.inside))
            self._open.wait()
            with self._lock:
                self.inside.pop()
        return hello(environ, start_response)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def crowd(served: Served, gate: Gate) -> list[Client]:
    """As many slow requests as the server takes at once."""
    clients = [served.connect(request("/slow")) for _ in range(SLOW.threads)]
    wait_for(lambda: len(gate.inside) == SLOW.threads, "all threads taken")
    return clients + [served.connect(request("/slow")) for _ in range(SLOW.waiting)]


def refused(served: Served) -> tuple[int, dict[str, str], bytes]:
    """The answer to a slow request that is one too many."""

    def answer() -> tuple[int, dict[str, str], bytes]:
        client = served.connect(request("/slow"))
        client.socket.settimeout(0.5)
        return client.answer()

    return wait_for(answer, "a refusal", despite=TimeoutError)


def test_overload_is_refused_and_said_so(start: Start, gate: Gate) -> None:
    served = start(gate, RULES)
    clients = crowd(served, gate)
    status, headers, body = refused(served)
    assert (status, headers["retry-after"]) == (503, "7")
    assert b"Too many requests at once. Try again in 7 seconds." in body
    gate.open()
    assert {client.answer()[0] for client in clients} == {200}
    assert served.get("/slow")[0] == 200


def test_other_kinds_are_served_meanwhile(start: Start, gate: Gate) -> None:
    served = start(gate, RULES)
    crowd(served, gate)
    assert served.get("/other")[0] == 200
    signed = request("/signed", "X-Signature: x", method="POST", body=b"x")
    assert served.connect(signed).answer()[0] == 200


def test_who_waits_too_long_is_refused(start: Start, gate: Gate) -> None:
    served = start(gate, (Rule("all", [""], threads=1, waiting=5, patience=0.1),))
    served.connect(request("/slow"))
    wait_for(lambda: gate.inside, "the thread taken")
    assert served.get()[0] == 503


def test_a_program_is_told_in_json(start: Start, gate: Gate) -> None:
    served = start(gate, (Rule("all", [""], threads=1, waiting=0),))
    served.connect(request("/slow"))
    wait_for(lambda: gate.inside, "the thread taken")
    status, headers, body = served.connect(request("/", "Accept: application/json")).answer()
    assert (status, headers["content-type"]) == (503, "application/json")
    assert "Too many requests" in json.loads(body)["error"]


def test_nothing_is_done_for_who_has_left_the_queue(start: Start, gate: Gate) -> None:
    asked: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        return gate(environ, start_response)

    served = start(application, (Rule("all", [""], threads=1, waiting=5),))
    served.connect(request("/slow"))
    wait_for(lambda: gate.inside, "the thread taken")
    left = served.connect(request("/left"))
    known = served.uvicorn.server_state.connections
    wait_for(
        lambda: len(known) == 2 and len(served.uvicorn.server_state.tasks) == 2, "the second came"
    )
    left.socket.close()
    wait_for(lambda: len(known) == 1, "the second left")
    last = served.connect(request("/last"))
    gate.open()
    assert last.answer()[0] == 200
    assert asked == ["/slow", "/last"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request("/signed", "Content-Length: 10000000", method="POST"), 401),
        (request("/signed", "Transfer-Encoding: chunked", method="POST"), 401),
        (request("/signed", "X-Signature: x", "Content-Length: 99999999", method="POST"), 413),
        (request("/small", "Content-Length: 11", method="POST"), 413),
    ],
)
def test_what_is_refused_is_not_waited_for(start: Start, head: bytes, status: int) -> None:
    """The body never comes."""
    assert start(hello, RULES).connect(head).answer()[0] == status


def test_the_refusal_reaches_a_client_that_sends_on(start: Start) -> None:
    served = start(hello, RULES)
    client = served.connect(request("/signed", "Content-Length: 9000000", method="POST"))
    client.send(b"x" * 9_000_000)
    assert client.answer()[0] == 401
    assert client.send(request("/other")).answer()[0] == 200


def test_a_body_of_unknown_length_is_bounded(start: Start) -> None:
    served = start(hello, RULES)
    head = request("/small", "Transfer-Encoding: chunked", method="POST")
    assert served.connect(head + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n").answer()[0] == 413


def test_few_large_bodies_are_worked_on_at_once(start: Start, gate: Gate) -> None:
    served = start(gate, RULES, large=1000, large_at_once=1)
    large = request("/large?slow", method="POST", body=b"x" * 1001)
    clients = [served.connect(large) for _ in range(3)]
    wait_for(lambda: gate.inside, "one inside")
    assert served.connect(request("/other", method="POST", body=b"x" * 1000)).answer()[0] == 200
    gate.open()
    assert {client.answer()[0] for client in clients} == {200}
    assert gate.most == 1

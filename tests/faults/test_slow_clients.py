"""Clients of a whole copy that stall, or are too many: everybody else is served."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from urllib.parse import urlsplit

import pytest

from allthethings.web.rules import RULES
from tests.faults.wire import Wire
from tools.harness import processes
from tools.harness.cloud import Cloud
from tools.harness.signing import SIGNATURE
from tools.harness.waiting import PATIENCE

# More than the app has threads.
CROWD = sum(rule.threads for rule in RULES) + 10
NOBODY = "0" * 24
HEAD = "{} HTTP/1.1\r\nHost: localhost\r\n"
STALLED = {
    "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    "the body of a form": (
        b"POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nurl="
    ),
    "the body of a callback": (
        b"POST /webhooks/audio/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"x-hookdeck-signature: x\r\n\r\n{"
    ),
}


def connect(cloud: Cloud) -> socket.socket:
    parts = urlsplit(cloud.address)
    return socket.create_connection((parts.hostname, parts.port), PATIENCE)


def everything(connection: socket.socket) -> bytes:
    """What comes until the app closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def wire(cloud: Cloud) -> Iterator[Wire]:
    wire = Wire(cloud)
    yield wire
    wire.close()


@pytest.mark.parametrize("what", STALLED)
def test_a_crowd_that_stalls_keeps_nobody_waiting(cloud: Cloud, wire: Wire, what: str) -> None:
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(connect(cloud)).sendall(STALLED[what])
        for path in ("/healthz", "/", "/search?query=larvae"):
            assert wire.ask("GET", path, b"", {}) == 200
        assert wire.signed(f"audio/{NOBODY}", b"{}") in (400, 404)


def test_unsigned_callbacks_cost_no_memory(cloud: Cloud) -> None:
    """Thirty bodies of 9 MB, which a client sends whatever it is answered."""
    (app,) = cloud.pids_of("-m serve")
    head = HEAD.format(f"POST /webhooks/audio/{NOBODY}") + "Content-Length: 9000000"
    before = memory_of(app)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(cloud)) for _ in range(30)]
        for one in crowd:
            one.sendall(head.encode() + b"\r\n\r\n" + b"x" * 8_900_000)
        answers = [one.recv(12) for one in crowd]
    assert set(answers) == {b"HTTP/1.1 401"}
    assert memory_of(app) - before < 50_000_000


def test_forged_callbacks_cost_little_memory(cloud: Cloud) -> None:
    """The same with a signature that is wrong."""
    (app,) = cloud.pids_of("-m serve")
    head = f"Content-Length: 9000000\r\n{SIGNATURE}: forged\r\nConnection: close\r\n\r\n"
    raw = HEAD.format(f"POST /webhooks/audio/{NOBODY}").encode() + head.encode() + b"x" * 9_000_000
    before, together = memory_of(app), Barrier(30)

    def send(_number: int) -> bytes:
        with connect(cloud) as one:
            together.wait()
            one.sendall(raw)
            return one.recv(12)

    with ThreadPoolExecutor(30) as threads:
        answers = set(threads.map(send, range(30)))
    assert b"HTTP/1.1 401" in answers
    assert answers <= {b"HTTP/1.1 401", b"HTTP/1.1 503"}
    assert memory_of(app) - before < 200_000_000


def memory_of(pid: int) -> int:
    """The largest resident memory of the process so far, in bytes."""
    assert processes.is_alive(pid)
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - no file of ours
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def test_searches_beyond_what_it_can_do_are_refused_and_the_rest_is_served(
    cloud: Cloud, wire: Wire
) -> None:
    """The refusals come at once, with a time to come again; health and callbacks do not wait."""
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(cloud)) for _ in range(200)]
        for number, one in enumerate(crowd):
            head = HEAD.format(f"GET /search?query=a+bird+that+sings+in+winter+{number}")
            one.sendall(f"{head}Accept: application/json\r\nConnection: close\r\n\r\n".encode())
        assert wire.ask("GET", "/healthz", b"", {}) == 200
        assert wire.signed(f"audio/{NOBODY}", b"{}") in (400, 404)
        answers = [everything(one) for one in crowd]
    codes = Counter(answer[9:12] for answer in answers)
    assert set(codes) == {b"200", b"503"}
    assert codes[b"200"] >= 40
    for answer in answers:
        assert (b"\r\nretry-after: 5\r\n" in answer) == (answer[9:12] == b"503")

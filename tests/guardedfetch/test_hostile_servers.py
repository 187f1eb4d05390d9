"""Servers that mean harm: each is over within the deadline, with little memory."""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardedfetch import (
    Fetched,
    Fetcher,
    FetchError,
    Limits,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    parse_allow,
)
from tools.harness.hostile import GZIP_HEADER, HOSTILE, MEBIBYTE, OK, bomb, flood
from tools.harness.servers import Script, Server, answer, redirect_to_query, serving
from tools.harness.waiting import PATIENCE

DEADLINE = 1.0


@contextlib.contextmanager
def measured() -> Iterator[None]:
    """Asserts that the block ends and never takes 50 MB.

    What is not cut off by the deadline never ends; a busy machine has PATIENCE more."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        yield
        elapsed = time.monotonic() - start
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert elapsed < DEADLINE + PATIENCE
    assert peak < 50_000_000


@pytest.fixture
def short() -> Fetcher:
    return Fetcher(parse_allow("127.0.0.1, named.example"), Limits(deadline=DEADLINE))


@pytest.mark.parametrize("name", HOSTILE)
def test_over_in_time_and_in_words(
    name: str, short: Fetcher, serve: Callable[[Script], Server]
) -> None:
    script, error = HOSTILE[name]
    server = serve(script)
    with measured(), pytest.raises(error) as caught:
        short.get(server.url())
    assert str(caught.value)[0].isupper()


def test_a_redirect_loop(short: Fetcher, serve: Callable[[Script], Server]) -> None:
    server = serve(answer(b"", "Location: /again", status="302 Found"))
    with measured(), pytest.raises(TooManyRedirects, match="More than 3 redirects"):
        short.get(server.url())
    assert server.connections == 4


def test_one_deadline_holds_over_redirects(
    short: Fetcher, serve: Callable[[Script], Server]
) -> None:
    def late(connection: socket.socket, _head: bytes) -> None:
        server.stopping.wait(DEADLINE * 0.6)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")

    server = serve(late)
    with measured(), pytest.raises(TooSlow, match="did not answer within 1 s"):
        short.get(server.url())
    assert server.connections == 2


@contextlib.contextmanager
def full_backlog(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that lets connections hang: nobody accepts and the queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_connection_that_hangs(short: Fetcher) -> None:
    with full_backlog() as port, measured(), pytest.raises(TooSlow):
        short.get(f"http://127.0.0.1:{port}/")


STALL = Limits(deadline=60.0, stall=0.5)


@pytest.mark.parametrize(
    "name",
    ["never answers", "header dribble", "status line dribble", "body dribble", "chunk dribble"],
)
def test_a_server_that_dribbles_is_not_waited_for_until_the_deadline(
    name: str, short: Fetcher, serve: Callable[[Script], Server]
) -> None:
    server = serve(HOSTILE[name][0])
    with measured(), pytest.raises(TooSlow, match=r"too little came within 0\.5 s"):
        short.get(server.url(), limits=STALL)


def test_a_connection_that_hangs_has_stalled(short: Fetcher) -> None:
    with full_backlog() as port, measured(), pytest.raises(TooSlow, match="too little came"):
        short.get(f"http://127.0.0.1:{port}/", limits=STALL)


def test_a_server_that_thinks_and_then_sends_has_not_stalled(
    short: Fetcher, serve: Callable[[Script], Server]
) -> None:
    """Three pauses, each within the time, and together longer than it."""

    def script(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(OK + b"\r\n")
        for _ in range(3):
            server.stopping.wait(STALL.stall * 0.7)
            connection.sendall(bytes(5000))

    server = serve(script)
    assert len(short.get(server.url(), limits=STALL).body) == 15_000


@pytest.mark.parametrize("told", [None, 6_000_000])
def test_the_more_is_to_come_the_faster_it_has_to(
    told: int | None, short: Fetcher, serve: Callable[[Script], Server]
) -> None:
    """10 kB a second are enough for a page, and hopeless for 6 MB within a minute."""

    def script(connection: socket.socket, _head: bytes) -> None:
        length = b"Content-Length: %d\r\n" % told if told else b""
        connection.sendall(OK + length + b"\r\n")
        for _ in range(15 if told is None else 600):
            connection.sendall(bytes(1000))
            if server.stopping.wait(0.1):
                return

    server = serve(script)
    if told is None:
        assert len(short.get(server.url(), limits=STALL).body) == 15_000
    else:
        with measured(), pytest.raises(TooSlow, match=r"too little came within 0\.5 s"):
            short.get(server.url(), limits=STALL)


def test_a_name_server_that_never_answers() -> None:
    release = threading.Event()

    def resolve(_host: str, _port: int) -> Sequence[str]:
        release.wait(30)
        return []

    fetcher = Fetcher(limits=Limits(deadline=DEADLINE), resolve=resolve)
    try:
        with measured(), pytest.raises(TooSlow, match=r"slow\.example could not be looked up"):
            fetcher.get("http://slow.example/")
    finally:
        release.set()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_silent_first_address_leaves_time_for_the_second(
    serve: Callable[[Script], Server],
) -> None:
    server = serve(answer(b"second"))
    fetcher = Fetcher(
        parse_allow("named.example"),
        Limits(deadline=DEADLINE),
        resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.1"],
    )
    with full_backlog("127.0.0.2", server.port), measured():
        assert fetcher.get(server.url(host="named.example")).body == b"second"


def test_a_consumers_own_slowness_counts(short: Fetcher, serve: Callable[[Script], Server]) -> None:
    server = serve(flood(OK + b"\r\n", bytes(65536)))
    with measured(), short.open(server.url()) as stream, pytest.raises(TooSlow):
        any(server.stopping.wait(0.1) for _ in stream)


def test_a_bomb_is_stopped_early(serve: Callable[[Script], Server]) -> None:
    server = serve(bomb("gzip", GZIP_HEADER))
    fetcher = Fetcher(parse_allow("127.0.0.1"), Limits(max_decompressed_bytes=MEBIBYTE))
    file = io.BytesIO()
    with measured(), pytest.raises(TooLarge, match="larger than 1 MiB"):
        fetcher.download(server.url(), file)
    assert file.tell() <= MEBIBYTE


def test_many_hostile_servers_at_once(short: Fetcher) -> None:
    with contextlib.ExitStack() as stack, measured():
        names = ["never answers", "header dribble", "body dribble", "endless header"] * 5
        servers = [stack.enter_context(serving(HOSTILE[name][0])) for name in names]
        with ThreadPoolExecutor(len(servers)) as pool:
            futures = [pool.submit(short.get, server.url()) for server in servers]
        assert all(isinstance(future.exception(), FetchError) for future in futures)


class FuzzedServer:
    """Sends `raw`, whatever is asked."""

    raw = b""

    def __init__(self) -> None:
        self.server = Server(lambda connection, _head: connection.sendall(self.raw))
        self.fetcher = Fetcher(parse_allow(f"127.0.0.1:{self.server.port}"))


@pytest.fixture
def fuzzed() -> Iterator[FuzzedServer]:
    made = FuzzedServer()
    yield made
    made.server.stop()


_names = st.sampled_from(
    [b"Location", b"Content-Type", b"Content-Length", b"Transfer-Encoding", b"Content-Encoding"]
)
_values = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"chunked", b"gzip", b"deflate", b"3", b"/", b"http://[::1]/"]),
)
_statuses = st.sampled_from([100, 101, 200, 204, 301, 302, 304, 404, 500, 999])
_answers = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(OK.__add__),
    st.tuples(_statuses, _names, _values, _names, _values, st.binary(max_size=50)).map(
        b"HTTP/1.1 %d X\r\n%s: %s\r\n%s: %s\r\n\r\n%s".__mod__
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_answers)
def test_no_answer_makes_anything_but_a_fetch_error(fuzzed: FuzzedServer, raw: bytes) -> None:
    fuzzed.raw = raw
    with contextlib.suppress(FetchError):
        assert isinstance(fuzzed.fetcher.get(fuzzed.server.url()), Fetched)


def test_a_redirect_to_nonsense_says_so(short: Fetcher, serve: Callable[[Script], Server]) -> None:
    server = serve(redirect_to_query)
    with pytest.raises(FetchError, match="The server redirects to a URL that is not fetched"):
        short.get(server.url("/?gopher://127.0.0.1:70/"))

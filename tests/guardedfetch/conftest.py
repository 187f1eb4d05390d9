from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guardedfetch import Fetcher, Limits, parse_allow
from tests.guardedfetch.servers import Script, Server, answer, serving

# An audit hook cannot be taken away again, so there is one for the whole run.
_watchers: list[list[Any]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        for watcher in _watchers:
            watcher.append(arguments[1])


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    """The addresses that this process has begun to connect to, over IPv4 or IPv6."""
    seen: list[Any] = []
    _watchers.append(seen)
    yield seen
    _watchers.remove(seen)


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    """Starts a server that runs the script for each connection."""
    servers: list[Server] = []

    def start(script: Script) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def canary() -> Iterator[Server]:
    """Nobody may ever connect to it: it listens wherever a disguised loopback could lead."""
    hosts = ["127.0.0.1"]
    if sys.platform == "linux":
        hosts += ["127.0.0.2", "127.1.2.3", "127.255.255.254"]
    if _has_ipv6_loopback():
        hosts.append("::1")
    with serving(answer(b"secret"), hosts) as server:
        yield server


@pytest.fixture
def fetcher() -> Fetcher:
    """May reach 127.0.0.1; two seconds for everything."""
    return Fetcher(parse_allow("127.0.0.1"), Limits(deadline=2.0))


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

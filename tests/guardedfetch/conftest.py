from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guardedfetch import Fetcher, Limits, parse_allow
from tools.harness.servers import Script, Server, canary_on_loopback

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
    with canary_on_loopback() as server:
        yield server


@pytest.fixture
def fetcher() -> Fetcher:
    """May reach 127.0.0.1; two seconds for everything."""
    return Fetcher(parse_allow("127.0.0.1"), Limits(deadline=2.0))

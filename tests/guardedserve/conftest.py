"""A server of the tests' own, in a thread, and clients that speak bytes."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from guardedserve import Front, Limits, Rule
from guardedserve.answers import Application
from guardedserve.server import configure
from tools.harness.waiting import PATIENCE, wait_for

ALL = Rule("all", [""], threads=1, waiting=100)


class Client:
    """One connection, which sends and receives what it is told to."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), PATIENCE, source_address=(address, 0)
        )
        self._received = b""

    def send(self, data: bytes) -> Client:
        self.socket.sendall(data)
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, which has a Content-Length: its status, headers and body."""
        self._receive_until(lambda: b"\r\n\r\n" in self._received)
        head, _, rest = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}
        size = int(headers.get("content-length") or headers.get("Content-Length") or 0)
        self._received = rest
        self._receive_until(lambda: len(self._received) >= size)
        body, self._received = self._received[:size], self._received[size:]
        return int(first.split()[1]), headers, body

    def is_closed(self) -> bool:
        """Waits until the server has closed the connection; reads what it says before."""
        with contextlib.suppress(ConnectionResetError):
            while self.socket.recv(65536):
                pass
        return True

    def _receive_until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            data = self.socket.recv(65536)
            assert data, f"the server closed the connection after {self._received!r}"
            self._received += data


@dataclass
class Served:
    """A server that runs."""

    port: int
    uvicorn: uvicorn.Server
    clients: ExitStack = field(default_factory=ExitStack)

    def connect(self, data: bytes = b"", address: str = "127.0.0.1") -> Client:
        """A new connection that has sent this."""
        client = Client(self.port, address)
        self.clients.callback(client.socket.close)
        return client.send(data)

    def get(self, path: str = "/", address: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        return self.connect(request(path), address).answer()


Start = Callable[..., Served]


def request(path: str = "/", *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with an application, rules and limits; it stops after the test."""
    with ExitStack() as stack:

        def start(
            application: Application, rules: Sequence[Rule] = (ALL,), **limits: Any
        ) -> Served:
            bounds = Limits(**limits)
            config = configure(lambda: Front(application, rules, bounds), bounds, "127.0.0.1", 0)
            listener = stack.enter_context(config.bind_socket())
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            served = Served(listener.getsockname()[1], server)

            def stop() -> None:
                server.should_exit = True
                thread.join()

            stack.callback(stop)
            stack.callback(served.clients.close)
            wait_for(lambda: server.started, "the server started")
            return served

        yield start


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test whose server has logged an error, but one that is called foreseen."""
    yield
    errors = [one for one in caplog.get_records("call") if one.levelno >= logging.ERROR]
    assert not [one for one in errors if "foreseen" not in repr(one.exc_info)]


def hello(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An application that answers at once."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]

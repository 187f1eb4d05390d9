"""Real servers on loopback, each playing one part."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes

# What a server does with one connection, after it has read the request's head.
Script = Callable[[socket.socket, bytes], None]


class Server:
    """A listener on each host (one port for all) that runs a script for every connection.

    `requests` are the heads that came, `connections` how many there were.
    """

    def __init__(
        self,
        script: Script,
        hosts: Sequence[str] = ("127.0.0.1",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.hosts = hosts
        self.connections = 0
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self._script = script
        self._tls = tls
        self._listeners = _listen(hosts)
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = int(self._listeners[0].getsockname()[1])
        self._threads = [
            threading.Thread(target=self._accept, args=(listener,), daemon=True)
            for listener in self._listeners
        ]
        for thread in self._threads:
            thread.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def stop(self) -> None:
        self.stopping.set()
        with self._lock:
            open_sockets = [*self._listeners, *self._connections]
        for open_socket in open_sockets:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for open_socket in open_sockets:
            open_socket.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            stack.enter_context(connection)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
            head = read_head(connection)
            self.requests.append(head)
            self._script(connection, head)


def read_head(connection: socket.socket) -> bytes:
    """Up to the empty line, or what came first where that is no HTTP request."""
    head = b""
    while b"\r\n\r\n" not in head and head[:1] in (b"", b"G", b"H"):
        data = connection.recv(4096)
        if not data:
            break
        head += data
    return head


def answer(body: bytes = b"", *headers: str, status: str = "200 OK", length: bool = True) -> Script:
    """A script that sends one answer and closes."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] * length)]
    return say("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def say(raw: bytes) -> Script:
    """A script that sends these very bytes and closes."""

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(raw[: raw.find(b"\r\n\r\n") + 4] if head[:4] == b"HEAD" else raw)

    return script


def redirect_to_query(connection: socket.socket, head: bytes) -> None:
    """Redirects to whatever stands, percent-encoded, after the question mark."""
    location = unquote_to_bytes(head.split(b" ")[1].partition(b"?")[2])
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n")


@contextlib.contextmanager
def serving(
    script: Script, hosts: Sequence[str] = ("127.0.0.1",), tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(script, hosts, tls)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def canary_on_loopback() -> Iterator[Server]:
    """Nobody may ever connect to it: it listens wherever a disguised loopback could lead."""
    hosts = ["127.0.0.1"]
    if sys.platform == "linux":
        hosts += ["127.0.0.2", "127.1.2.3", "127.255.255.254"]
    if _has_ipv6_loopback():
        hosts.append("::1")
    with serving(answer(b"secret", "Content-Type: text/html"), hosts) as server:
        yield server


class QuietHandler(BaseHTTPRequestHandler):
    """Answers requests, and logs none of them."""

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output quiet."""


@contextlib.contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on loopback that answers each request in a thread; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listen(hosts: Sequence[str]) -> list[socket.socket]:
    """One port on every host. Another program may hold the first port on a later host."""
    for _ in range(20):
        listeners: list[socket.socket] = []
        try:
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                port = listeners[0].getsockname()[1] if listeners else 0
                listener = socket.socket(family)
                listeners.append(listener)
                listener.bind((host, port))
                listener.listen(128)
        except OSError:
            for listener in listeners:
                listener.close()
        else:
            return listeners
    raise OSError(f"no port is free on all of {hosts}")


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

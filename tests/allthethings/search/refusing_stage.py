"""A MongoDB that refuses one stage of an aggregation, as while the search behind it is away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

from localcloud.atlas.wire.messages import HEADER_SIZE, OP_MSG, Header, decode, encode

# As a mongod answers while it does not reach its search engine: HostUnreachable.
AWAY = {
    "ok": 0.0,
    "code": 6,
    "codeName": "HostUnreachable",
    "errmsg": "Error connecting to localhost:27028 :: caused by :: Connection refused",
}


@dataclass
class Refusing:
    """The address of the proxy, and the stage that it refuses; empty: it passes all on."""

    uri: str
    stage: str = ""


@contextmanager
def refusing_stage(uri: str) -> Iterator[Refusing]:
    """A proxy in front of the MongoDB at `uri`."""
    parts = urlsplit(uri)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                socket.create_connection((parts.hostname, parts.port)) as upstream,
            ):
                back = Thread(target=_pass_on, args=(upstream, self.request), daemon=True)
                back.start()
                while (message := _read(self.request)) is not None:
                    header, body = message
                    if _first_stage(header, body) == refusing.stage:
                        self.request.sendall(encode(0, header.request_id, AWAY))
                    else:
                        upstream.sendall(_bytes(header) + body)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        port = server.server_address[1]
        refusing = Refusing(uri.replace(f":{parts.port}/", f":{port}/"))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield refusing
        finally:
            server.shutdown()
            thread.join()


def _first_stage(header: Header, body: bytes) -> str | None:
    """The name of the first stage of an aggregation; None for another command."""
    if header.op_code != OP_MSG:
        return None
    pipeline = decode(header, body).body.get("pipeline") or [{}]
    return next(iter(pipeline[0]), None)


def _bytes(header: Header) -> bytes:
    fields = (header.length, header.request_id, header.response_to, header.op_code)
    return b"".join(field.to_bytes(4, "little", signed=True) for field in fields)


def _read(connection: socket.socket) -> tuple[Header, bytes] | None:
    head = _exactly(connection, HEADER_SIZE)
    if len(head) < HEADER_SIZE:
        return None
    header = Header.parse(head)
    return header, _exactly(connection, header.length - HEADER_SIZE)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)

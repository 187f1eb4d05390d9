"""Servers that mean harm, by name, and the error that each of them ends in."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import zlib
from collections.abc import Callable, Iterator

from guardedfetch import BadAnswer, FetchError, TooLarge, TooSlow, Unreachable
from tests.guardedfetch.servers import Script, answer, say

MEBIBYTE = 1024 * 1024
PACE = 0.02


def dribble(head: bytes, pieces: Callable[[], Iterator[bytes]]) -> Script:
    """A script that sends the head at once, then a piece every few milliseconds for ever."""

    def script(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        for piece in pieces():
            connection.sendall(piece)
            pause.wait(PACE)

    pause = threading.Event()
    return script


def flood(head: bytes, piece: bytes) -> Script:
    """A script that sends the head, then the piece again and again as fast as it is taken."""

    def script(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return script


def say_nothing(connection: socket.socket, _request: bytes) -> None:
    connection.recv(1)


def zeros() -> bytes:
    """1 MiB of zeros as bare deflate blocks that may stand one after the other."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(bytes(MEBIBYTE)) + squeeze.flush(zlib.Z_FULL_FLUSH)


def bomb(encoding: str, header: bytes) -> Script:
    """A script that sends compressed zeros for ever: a thousand times what is on the wire."""
    return flood(OK + f"Content-Encoding: {encoding}\r\n\r\n".encode() + header, zeros())


def encoded(body: bytes, encoding: str) -> Script:
    return answer(body, f"Content-Encoding: {encoding}")


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

HOSTILE: dict[str, tuple[Script, type[FetchError]]] = {
    "never answers": (say_nothing, TooSlow),
    "header dribble": (dribble(OK, lambda: itertools.repeat(b"X-A: b\r\n")), TooSlow),
    "status line dribble": (dribble(b"", lambda: (bytes([byte]) for byte in OK * 99)), TooSlow),
    "interim answers for ever": (
        dribble(b"", lambda: itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
        TooSlow,
    ),
    "flood of interim answers": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), TooLarge),
    "200 kB of headers": (
        say(OK + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 990) for i in range(200)) + b"\r\n"),
        TooLarge,
    ),
    "one header of 200 kB": (say(OK + b"X: " + b"a" * 200_000 + b"\r\n\r\n"), TooLarge),
    "endless header": (flood(OK + b"X: ", b"a" * 4096), TooLarge),
    "body dribble": (
        dribble(OK + b"Content-Length: 5000\r\n\r\n", lambda: itertools.repeat(b"a")),
        TooSlow,
    ),
    "chunk dribble": (dribble(CHUNKED, lambda: itertools.repeat(b"1\r\na\r\n")), TooSlow),
    "chunk length dribble": (dribble(CHUNKED, lambda: itertools.repeat(b"0")), FetchError),
    "endless body": (flood(OK + b"\r\n", bytes(65536)), TooLarge),
    "endless chunks": (flood(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n"), TooLarge),
    "endless chunk extension": (flood(CHUNKED + b"1;", b"a" * 4096), BadAnswer),
    "endless trailers": (flood(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 512), BadAnswer),
    "a huge announced length": (say(OK + b"Content-Length: 99999999999\r\n\r\n"), TooLarge),
    "a length of 5,000 digits": (
        say(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
        BadAnswer,
    ),
    "gzip bomb": (bomb("gzip", GZIP_HEADER), TooLarge),
    "gzip bomb in gzip": (bomb("gzip, gzip", GZIP_HEADER), BadAnswer),
    "deflate bomb": (bomb("deflate", b"\x78\xda"), TooLarge),
    "bare deflate bomb": (bomb("deflate", b""), TooLarge),
    "endless empty gzip members": (
        flood(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 3000),
        BadAnswer,
    ),
    "endless chunks of one byte": (flood(CHUNKED, b"1\r\na\r\n" * 5000), FetchError),
    "two Content-Types": (
        answer(b"", "Content-Type: text/html", "Content-Type: audio/mpeg"),
        BadAnswer,
    ),
    "two lengths": (answer(b"ab", "Content-Length: 1"), BadAnswer),
    "a negative length": (say(OK + b"Content-Length: -1\r\n\r\n"), BadAnswer),
    "not HTTP": (say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BadAnswer),
    "hangs up": (say(b""), Unreachable),
    "hangs up in its headers": (say(OK), Unreachable),
    "hangs up in its body": (say(OK + b"Content-Length: 9\r\n\r\nab"), Unreachable),
    "hangs up in a chunk": (say(CHUNKED + b"9\r\nab"), Unreachable),
    "cut gzip": (encoded(gzip.compress(b"abc" * 999)[:-9], "gzip"), BadAnswer),
    "false gzip": (encoded(b"hello", "gzip"), BadAnswer),
    "brotli unasked": (encoded(b"hello", "br"), BadAnswer),
    "redirect to a forbidden scheme": (
        answer(b"", "Location: file:///etc/passwd", status="302 Found"),
        FetchError,
    ),
}

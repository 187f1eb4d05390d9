"""Servers that mean harm, by name, and the error that each of them ends in."""

from __future__ import annotations

import gzip
import itertools
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping

from guardedfetch import BadAnswer, FetchError, TooLarge, TooSlow, Unreachable
from tools.harness.servers import Script, answer, redirect_to_query, say

HTML = "Content-Type: text/html"
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

# Seconds of a late answer: in time for each request, too late for all together.
LATE = 3.0


def slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def at_every_stage(stopping: threading.Event, more: Mapping[str, Script] | None = None) -> Script:
    """Every hostile server, and `more`, under one port: `/<when it turns hostile>/<slug>`.

    `look`: from the first request. `page`, `sound`: HEAD is answered as by an honest server.
    `late`: HEAD is refused late, the first byte comes late, and hostile is the download.
    `redirect`, `page-redirect`, `sound-redirect`: so, to the URL after the question mark.
    """
    scripts = {slug(name): script for name, (script, _) in HOSTILE.items()}
    scripts["redirect-loop"] = answer(b"", "Location: ?", status="302 Found")
    scripts |= more or {}

    def script(connection: socket.socket, head: bytes) -> None:
        method, path, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ")
        stage, _, name = path.partition("?")[0].strip("/").partition("/")
        stage, _, redirects = stage.partition("-")
        play = redirect_to_query if "redirect" in (stage, redirects) else scripts[name]
        if stage == "late" and (method == "HEAD" or b"Range:" in head):
            stopping.wait(LATE)
            play = answer(b"<", HTML, status="405 No" if method == "HEAD" else "206 Partial")
        elif stage in ("page", "sound") and method == "HEAD":
            play = answer(b"", HTML if stage == "page" else "Content-Type: audio/mpeg")
        play(connection, head)

    return script

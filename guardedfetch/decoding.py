"""Content-Encoding undone in small pieces, so that a bomb never unfolds in memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from .errors import BadAnswer

ACCEPTED = "gzip, deflate"
PIECE = 64 * 1024

# Each member costs a new decompressor, however little it holds.
MAX_GZIP_MEMBERS = 1000

_GZIP_WINDOW = zlib.MAX_WBITS | 16


def decoder_for(content_encoding: str) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    """What turns the bytes on the wire into content, for the value of Content-Encoding.

    Only what we ask for: br and zstd offer no cap on what one call unfolds in the
    versions that httpx takes. Raises BadAnswer for anything else.
    """
    match content_encoding.strip().lower():
        case "" | "identity":
            return iter
        case "gzip" | "x-gzip":
            return _gunzip
        case "deflate":
            return _inflate
        case other:
            raise BadAnswer(f"The server sent content in an encoding not asked for: {other[:40]}")


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip, one member after the other; padding after the last one is left alone."""
    unzip = None
    members = 0
    for chunk in chunks:
        while chunk:
            if unzip is None or unzip.eof:
                if unzip and not chunk.startswith(b"\x1f"):
                    return
                members += 1
                if members > MAX_GZIP_MEMBERS:
                    raise _damaged()
                unzip = zlib.decompressobj(_GZIP_WINDOW)
            yield from _unfold(unzip, chunk)
            chunk = unzip.unused_data
    if unzip and not unzip.eof:
        raise _damaged()


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Deflate with its zlib header as RFC 9110 wants it, or bare as some servers send it."""
    unzip = None
    for chunk in chunks:
        if unzip is None and chunk:
            bare = (chunk[0] & 0x0F) != zlib.DEFLATED
            unzip = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)
        if unzip is not None and not unzip.eof:
            yield from _unfold(unzip, chunk)
    if unzip is not None and not unzip.eof:
        raise _damaged()


def _unfold(unzip: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        while not unzip.eof:
            piece = unzip.decompress(data, PIECE)
            data = unzip.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < PIECE:
                return
    except zlib.error as error:
        raise _damaged() from error


def _damaged() -> BadAnswer:
    return BadAnswer("The server sent damaged compressed content")

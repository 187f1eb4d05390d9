"""A small web server to index, on a free port of 127.0.0.1."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server answers at one path. A header set to None is not sent."""

    body: bytes = b""
    content_type: str | None = "text/html; charset=utf-8"
    status: int = 200
    head_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tell_length: bool = True


@dataclass
class Site:
    """`pages` by path may be changed while the server runs; `requests` are those it saw."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.address + path

    def add(self, path: str, page: Page) -> str:
        """Serve the page there; returns its URL."""
        self.pages[path] = page
        return self.url(path)


@contextmanager
def running_site(pages: Mapping[str, Page] | None = None) -> Iterator[Site]:
    """A site that answers for the length of a `with` block."""
    site = Site("", dict(pages or {}))

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            site.requests.append((self.command, self.path))
            page = site.pages.get(self.path.partition("?")[0], Page(status=404))
            status = page.status if with_body else page.head_status or page.status
            body = page.body
            if page.status == 200 and self.headers.get("Range") == "bytes=0-0":
                status, body = 206, page.body[:1]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes 0-0/{len(page.body)}")
            if page.content_type is not None:
                self.send_header("Content-Type", page.content_type)
            if page.tell_length:
                self.send_header("Content-Length", str(len(body)))
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

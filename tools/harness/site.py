"""A small web server to index, on a free port of 127.0.0.1."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.harness.servers import QuietHandler, http_server

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Page:
    """What the server answers at one path. A header set to None is not sent. With `ranges` it
    sends parts of the body to who asks for them."""

    body: bytes = b""
    content_type: str | None = "text/html; charset=utf-8"
    status: int = 200
    head_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tell_length: bool = True
    ranges: bool = True


@dataclass
class Site:
    """`pages` by path may be changed while the server runs; `requests` are those it saw, and
    `answers` the statuses that it answered, by path. A page with an `ETag` or a `Last-Modified`
    among its headers is not sent to who has it. While `answering` is not set, requests are seen and
    wait."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    answers: list[tuple[str, int]] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

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
    site.answering.set()

    class Handler(QuietHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            site.requests.append((self.command, self.path))
            site.answering.wait()
            page = site.pages.get(self.path.partition("?")[0], Page(status=404))
            status = page.status if with_body else page.head_status or page.status
            body = page.body
            asked = RANGE.fullmatch(self.headers.get("Range", "")) if page.ranges else None
            if asked and page.status == 200 and with_body:
                first, end = int(asked[1]), len(body) - 1
                last = min(int(asked[2] or end), end)
                status, body = (206, body[first : last + 1]) if first <= last else (416, b"")
            if status == 200 and self._is_there(page):
                status, body = 304, b""
            site.answers.append((self.path, status))
            self.send_response(status)
            if status == 206 and asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(page.body)}")
            if page.content_type is not None:
                self.send_header("Content-Type", page.content_type)
            if page.tell_length and status != 304:
                self.send_header("Content-Length", str(len(body)))
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def _is_there(self, page: Page) -> bool:
            """Whether the client has the page already (RFC 9110, section 13.2.2)."""
            for condition, name in (
                ("If-None-Match", "ETag"),
                ("If-Modified-Since", "Last-Modified"),
            ):
                if told := self.headers.get(condition):
                    return told == page.headers.get(name)
            return False

    with http_server(Handler) as site.address:
        yield site

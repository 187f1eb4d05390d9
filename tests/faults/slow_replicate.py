"""Replicate behind a line on which some requests are held until they are let go."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tools.harness.cloud import Cloud
from tools.harness.servers import QuietHandler, http_server
from tools.harness.waiting import PATIENCE

# A request that asks for a prediction, as `SlowReplicate.hold` takes it.
ASKS = r"POST /v1/predictions$"
NOTHING = r"(?!)"
# The headers that reach Replicate.
PASSED_ON = ("Authorization", "Content-Type", "Prefer")


@dataclass
class SlowReplicate:
    """`came` are the requests, with method and path, and `passed` those that Replicate has
    answered."""

    address: str
    came: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    _held: str = NOTHING
    _free: int = 0
    _go: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, pattern: str, but: int = 0) -> None:
        """Hold the requests that match from now on, but the first ones."""
        self.came.clear()
        self.passed.clear()
        self._held, self._free = pattern, but
        self._go.clear()

    def let_go(self) -> None:
        """Let all requests pass, also those that are held."""
        self._held = NOTHING
        self._go.set()

    def wait(self, request: str) -> None:
        """Until the request may pass."""
        with self._lock:
            self.came.append(request)
            held = re.match(self._held, request) is not None
            if held and self._free:
                self._free, held = self._free - 1, False
        if held:
            self._go.wait(PATIENCE)


@contextmanager
def slow_replicate(cloud: Cloud) -> Iterator[SlowReplicate]:
    """The line to the copy's Replicate, for the length of a `with` block."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def do_DELETE(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = f"{self.command} {self.path}"
            slow.wait(request)
            wanted = ("authorization", "content-type", "prefer")
            headers = {
                name: value for name, value in self.headers.items() if name.lower() in wanted
            }
            answer = http.request(self.command, self.path, content=body, headers=headers)
            slow.passed.append(request)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    base = cloud.endpoints["REPLICATE_BASE_URL"]
    with httpx.Client(base_url=base, timeout=PATIENCE) as http, http_server(Handler) as address:
        slow = SlowReplicate(address)
        try:
            yield slow
        finally:
            slow.let_go()

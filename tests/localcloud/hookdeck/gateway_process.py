"""A gateway in a process of its own, and a receiver of its deliveries."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from localcloud.ports import pick_port
from localcloud.processes import Program, spawn, sweep
from tests.support.small_disk import SmallDisk
from tools.harness.waiting import wait_for

API_KEY = "test-project-key"
SECRET = "test-signing-secret"
PROVIDER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


_names = itertools.count(1)


@dataclass
class Delivered:
    """One delivery as the receiver saw it; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Reply:
    """What the receiver answers. With `hold`, not before that is set."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    hold: threading.Event | None = None
    hang_up: bool = False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections that may come at once


class Receiver:
    """An HTTP server in a thread. `replies` are used up first, then `reply` for ever."""

    def __init__(self, port: int = 0) -> None:
        self.deliveries: list[Delivered] = []
        self.replies: queue.Queue[Reply] = queue.Queue()
        self.reply = Reply()
        self.under_way = self.most_under_way = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Delivered]:
        wait_for(lambda: len(self.deliveries) >= count, f"{count} deliveries")
        return list(self.deliveries)

    def _next_reply(self) -> Reply:
        try:
            return self.replies.get_nowait()
        except queue.Empty:
            return self.reply

    def _handler(receiver) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                if len(body) < length:  # the gateway was killed while it sent this
                    self.close_connection = True
                    return
                seen = Delivered(self.command, self.path, headers, body, time.monotonic())
                with receiver._lock:
                    receiver.deliveries.append(seen)
                    receiver.under_way += 1
                    receiver.most_under_way = max(receiver.most_under_way, receiver.under_way)
                    reply = receiver._next_reply()
                if reply.hold is not None:
                    reply.hold.wait(30)
                with receiver._lock:
                    receiver.under_way -= 1
                if reply.hang_up:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_POST = do_PUT = do_GET = do_PATCH = do_DELETE = _answer

            def log_message(self, *_arguments: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

        return Handler


class Gateway:
    """`python -m localcloud.hookdeck`, and a client of its admin API."""

    def __init__(
        self,
        data_dir: Path,
        *,
        time_scale: float = 0.01,
        port: int = 0,
        keep_bodies_hours: float = 24,
        disk: SmallDisk | None = None,
    ) -> None:
        """With a disk, its data is there, and only its log in `data_dir`."""
        self.data_dir = data_dir
        self.port = port or pick_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._time_scale = time_scale
        self._disk = disk
        self.keep_bodies_hours = keep_bodies_hours
        self.process: subprocess.Popen[bytes] | None = None
        self.api = httpx.Client(
            base_url=f"{self.url}/2025-07-01",
            headers={"authorization": f"Bearer {API_KEY}"},
            trust_env=False,
            timeout=30,
        )
        self.web = httpx.Client(trust_env=False, timeout=30)

    def __enter__(self) -> Gateway:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.api.close()
        self.web.close()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, without waiting until it answers."""
        enter, place = (self._disk.enter, self._disk.place) if self._disk else ((), self.data_dir)
        argv = [*enter, sys.executable, "-m", "localcloud.hookdeck", "--port", str(self.port)]
        argv += ["--data-dir", str(place), "--time-scale", str(self._time_scale)]
        env = {
            **os.environ,
            "HOOKDECK_PROJECT_API_KEY": API_KEY,
            "HOOKDECK_WEBHOOK_SECRET": SECRET,
            "KEEP_BODIES_HOURS": str(self.keep_bodies_hours),
        }
        self.process = spawn(Program("hookdeck", argv, self.data_dir / "log", env))
        return self.process

    def start(self) -> Gateway:
        process, log = self.launch(), self.data_dir / "log"

        def up() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return self.web.get(f"{self.url}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(up, "the gateway answers")
        return self

    def stop(self) -> int:
        process = self.process
        if process is None:
            return 0
        process.terminate()
        try:
            code = process.wait(15)
        finally:
            sweep(process)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """The JSON of a successful call of the admin API."""
        response = self.api.request(method, path, json=body, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def connect(self, url: str, *rules: dict[str, Any], name: str = "", **more: Any) -> Any:
        """Upsert a connection; `source` adds to its source, which else verifies nothing."""
        name = name or f"connection-{next(_names)}"
        payload = {
            "name": name,
            "source": {"name": name, "type": "REPLICATE", **more.get("source", {})},
            "destination": {"name": f"{name}-app", "type": "HTTP", "config": {"url": url}},
            "rules": list(rules),
        }
        return self.call("PUT", "/connections", payload)

    def send(self, connection: Any, body: bytes = b"{}", path: str = "", **more: Any) -> str:
        """Send a request to the connection's source; the request's id."""
        response = self.web.post(connection["source"]["url"] + path, content=body, **more)
        assert response.status_code == 200, response.text
        return str(response.json()["request_id"])

    def events(self, connection: Any, **params: Any) -> list[Any]:
        """The connection's events, newest first."""
        params["webhook_id"] = connection["id"]
        models: list[Any] = self.call("GET", "/events", **params)["models"]
        return models

    def event_with(self, connection: Any, status: str, **wanted: Any) -> Any:
        """The connection's only event, once it has this status (and these values)."""

        def check() -> Any:
            [event] = self.events(connection)
            values = {"status": status, **wanted}
            return event if values.items() <= event.items() else None

        return wait_for(check, f"an event that is {status}")

    def attempts(self, event_id: str) -> list[Any]:
        """Oldest first."""
        models: list[Any] = self.call("GET", "/attempts", event_id=event_id, dir="asc")["models"]
        return models


def signed(
    body: bytes, *, secret: str = PROVIDER_SECRET, at: datetime | None = None
) -> dict[str, str]:
    """The headers of a Standard Webhooks sender."""
    at = at or datetime.now(tz=UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
        "content-type": "application/json",
    }


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()

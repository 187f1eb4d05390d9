"""The local Replicate in a process of its own, and a receiver of its webhooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from replicate.client import Client

from localcloud.ports import pick_port
from tests.support.small_disk import SmallDisk
from tools.harness.waiting import wait_for

PROJECT = Path(__file__).resolve().parents[3]
MODELS = Path(__file__).parent / "models"
BROKEN_MODELS = Path(__file__).parent / "broken_models"
TOKEN = "r8_test"
SECRET = "whsec_dGVzdC1zZWNyZXQtb2YtMjQtYnl0ZXM="
ECHO = "e0" * 32
COUNT = "c0" * 32


def said(output: Any) -> Any:
    """What the model `echo` said, in an output that the SDK's types know nothing of."""
    return output["said"]


class Server:
    """`python -m localcloud.replicate` on a port and a folder that last over restarts.

    With a `disk`, its data is there, and only its log in the folder.
    """

    disk: SmallDisk | None = None

    def __init__(
        self, folder: Path, *options: str, models: Path = MODELS, **environment: str
    ) -> None:
        self.folder = folder
        self._clients = list[Client]()
        self.url = f"http://127.0.0.1:{(port := pick_port())}"
        self._argv = [sys.executable, "-m", "localcloud.replicate", "--port", str(port)]
        self._argv += ["--models-dir", str(models), *options]
        self._environment = {
            **os.environ,
            "REPLICATE_API_TOKEN": TOKEN,
            "REPLICATE_WEBHOOKS_SECRET": SECRET,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        enter, data = (self.disk.enter, self.disk.place) if self.disk else ((), self.folder)
        argv = [*enter, *self._argv, "--data-dir", str(data)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=PROJECT, env=self._environment, stdout=log, stderr=log
            )
        return self.process

    def start(self, *, ready: bool = True) -> Server:
        """Start it and wait until its models are ready, or until it answers at all."""
        self.launch()
        wait_for(self.healthy if ready else lambda: self.health() is not None, "the server")
        return self

    def healthy(self) -> bool:
        answer = self.health()
        return answer is not None and answer.status_code == 200

    def health(self) -> httpx.Response | None:
        """What /healthz answers. Fails when the process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return httpx.get(self.url + "/healthz", timeout=5.0)
        except httpx.HTTPError:
            return None

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, if it runs. The exit status."""
        assert self.process is not None
        for client in self._clients:
            client._client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def client(self, **options: Any) -> Client:
        """The real SDK, pointed at this server."""
        client = Client(**{"api_token": TOKEN, "base_url": self.url} | options)
        client.poll_interval = 0.05
        self._clients.append(client)
        return client

    def cog(self, model: str) -> list[int]:
        """The process ids of a model: Cog's server first, then its worker."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                where = (entry / "cwd").readlink()
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if where == self.folder / "models" / f"tests--{model}" and b"cog" in line:
                found.append((b"_run_worker" in line, int(entry.name)))
        return [pid for _is_worker, pid in sorted(found)]


class Receiver:
    """An HTTP server that keeps what is posted to it and answers as told."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.files: dict[str, bytes] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.received.append((headers, body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                body = outer.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("content-length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in list(self.received)]

    def statuses(self) -> list[str]:
        return [payload["status"] for payload in self.payloads()]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

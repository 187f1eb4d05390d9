"""A faulty line between the gateway and the app: it repeats, reorders, delays and loses."""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from allthethings.hookdeck.connections import (
    EMBEDDINGS,
    Connection,
    connection_of,
    create_connections,
)
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.servers import QuietHandler, http_server

FAULTS = ("repeated", "reordered", "delayed", "500", "503", "acknowledgement lost")
# The share of each fault among the delivery attempts.
SHARE = 0.1
# Seconds of a delay. After the longest, the reconciler has asked Replicate itself.
DELAYS = (0.5, 2.0, 6.0, 1.5 * SIZES.reconcile_after + 10.0)
# Deliveries that pass one that is reordered.
OVERTAKEN_BY = 3
# Seconds in which they have to.
OVERTAKEN_WITHIN = 4.0
# Seconds to wait for the app's answer: fewer than the gateway waits.
PATIENCE = 55.0
HOP = {"connection", "content-length", "host", "transfer-encoding"}


@dataclass
class FaultyLine:
    """What went over the line. `broken` False makes it a good one."""

    address: str
    app: str
    seed: int
    broken: bool = True
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    deliveries: int = 0
    _passed: int = 0
    _turn: threading.Condition = field(default_factory=threading.Condition)

    def carry(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """What the gateway is answered to a delivery; 0 for nothing at all."""
        draw = self._draw(headers, body)
        fault = self._fault(draw, int(headers.get("x-hookdeck-attempt-count", "1")))
        with self._turn:
            self.deliveries += 1
            self.faults[fault] += 1
        if fault in ("500", "503"):
            return int(fault)
        if fault == "delayed":
            threading.Event().wait(draw.choice(DELAYS))
        if fault == "reordered":
            self._let_others_pass()
        times = draw.randint(2, 5) if fault == "repeated" else 1
        answers = self._pass_on(path, headers, body, times)
        return 0 if fault == "acknowledgement lost" else answers[0]

    def _draw(self, headers: dict[str, str], body: bytes) -> random.Random:
        """The same seed draws the same faults for the same things, whatever their ids."""
        told = json.dumps(json.loads(body)["input"])
        attempt = headers.get("x-hookdeck-attempt-count")
        return random.Random(f"{self.seed} {attempt} {re.sub(r'127.0.0.1:[0-9]+', '', told)}")

    def _fault(self, draw: random.Random, attempt: int) -> str:
        drawn = draw.random()
        if not self.broken or attempt > SIZES.faulty_attempts or drawn >= SHARE * len(FAULTS):
            return "none"
        return FAULTS[int(drawn / SHARE)]

    def _let_others_pass(self) -> None:
        with self._turn:
            enough = self._passed + OVERTAKEN_BY
            self._turn.wait_for(lambda: self._passed >= enough, OVERTAKEN_WITHIN)

    def _pass_on(self, path: str, headers: dict[str, str], body: bytes, times: int) -> list[int]:
        """The app's answers to the delivery and its copies, all under way at once."""
        answers: list[int] = []

        def once() -> None:
            answers.append(self._ask(path, headers, body))

        threads = [threading.Thread(target=once) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._turn:
            self.answers.update(answers)
            self._passed += 1
            self._turn.notify_all()
        return answers

    def _ask(self, path: str, headers: dict[str, str], body: bytes) -> int:
        parts = urlsplit(self.app)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 502
        finally:
            connection.close()


@contextmanager
def faulty_line(cloud: Cloud, seed: int) -> Iterator[FaultyLine]:
    """The gateway delivers over such a line for the length of a `with` block."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {
                name.lower(): value
                for name, value in self.headers.items()
                if name.lower() not in HOP
            }
            status = line.carry(self.path, headers, body)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            self.close_connection = True

    with http_server(Handler) as address:
        line = FaultyLine(address, cloud.address, seed)
        try:
            _lead(cloud, line.address, _RetriedSoon)
            yield line
        finally:
            _lead(cloud, cloud.address)


class _RetriedSoon(Connection):
    """A connection whose retries come at the interval of the tests."""

    def payload(self, replicate_secret: str, app_url: str) -> dict[str, Any]:
        payload = super().payload(replicate_secret, app_url)
        rules = [{**rule, "interval": SIZES.retry_after} for rule in payload["rules"]]
        return {**payload, "rules": rules}


def _lead(cloud: Cloud, address: str, kind: type[Connection] = Connection) -> None:
    """Tell the gateway where it finds the app, as the setup script does."""
    known = cloud.endpoints
    create_connections(
        [kind(*astuple(each)) for each in (connection_of("audio"), EMBEDDINGS)],
        known["HOOKDECK_API_URL"],
        known["HOOKDECK_PROJECT_API_KEY"],
        known["REPLICATE_WEBHOOKS_SECRET"],
        address,
    )

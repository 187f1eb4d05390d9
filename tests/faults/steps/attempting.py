"""What the tests of automatic attempts share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random

from allthethings.assets.asset import Asset
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from tests.faults.apart import existing
from tests.faults.things import make_thing
from tools.harness.servers import answer
from tools.harness.waiting import wait_for

Make = Callable[..., tuple[Pipeline, Reconciler]]


def ended(database: Database, reconciler: Reconciler, asset_id: str) -> Asset:
    """The asset, when the reconciler has brought it to an end."""

    def end() -> bool:
        reconciler.reconcile()
        return existing(database, asset_id).finished

    wait_for(end, "an end")
    return existing(database, asset_id)


def flaky(failures: int) -> Callable[[socket.socket, bytes], None]:
    """A server that answers GET so many times 503, and then well; HEAD always well. The first GET
    is for the canonical URL, before the first attempt."""
    seen: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        fails = head.startswith(b"GET") and len(seen) < failures
        if head.startswith(b"GET"):
            seen.append(head)
        kind = "Content-Type: text/html; charset=utf-8"
        page = make_thing("flaky", Random(11)).page().body
        status = "503 Service Unavailable" if fails else "200 OK"
        answer(page, kind, status=status)(connection, head)

    return script

"""What the gateway's file keeps, for how long, and what becomes of damaged and of older files."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import Any

import pytest

from tests.localcloud.hookdeck.gateway_process import Gateway, Receiver, Reply
from tools.harness.waiting import wait_for

BODY = b"x" * 200_000


def number(gateway: Gateway, query: str) -> int:
    with contextlib.closing(sqlite3.connect(gateway.data_dir / "hookdeck.sqlite3")) as db:
        return int(db.execute(query).fetchone()[0])


def bodies(gateway: Gateway) -> int:
    return number(gateway, "SELECT count(*) FROM bodies")


def size(gateway: Gateway) -> int:
    """Bytes of the file and its write-ahead log."""
    return sum(path.stat().st_size for path in gateway.data_dir.glob("hookdeck.sqlite3*"))


def delivered(gateway: Gateway, connection: Any, count: int) -> None:
    for _ in range(count):
        gateway.send(connection, BODY)
    wait_for(
        lambda: len(gateway.events(connection, status="SUCCESSFUL")) == count, "the deliveries"
    )


def test_delivered_bodies_go_after_their_time(own_gateway: Gateway, receiver: Receiver) -> None:
    gateway = own_gateway
    connection = gateway.connect(receiver.url)
    delivered(gateway, connection, 20)
    receiver.reply = Reply(500)
    failing = gateway.connect(receiver.url)
    gateway.send(failing, BODY)
    gateway.event_with(failing, "FAILED")
    gateway.stop()
    assert (bodies(gateway), size(gateway) > 21 * len(BODY)) == (21, True)

    gateway.keep_bodies_hours = 0
    gateway.start()
    wait_for(lambda: bodies(gateway) == 1, "only the body that was not delivered")
    wait_for(lambda: number(gateway, "PRAGMA freelist_count") == 0, "no free page")
    gateway.stop()
    assert size(gateway) < 3 * len(BODY)

    gateway.keep_bodies_hours = 24
    gateway.start()
    [event, *_] = events = gateway.events(connection)
    assert len(events) == 20
    refused = gateway.api.post(f"/events/{event['id']}/retry")
    assert (refused.status_code, "no longer kept" in refused.text) == (422, True)
    assert gateway.call("POST", "/bulk/events/retry", {"query": {}})["estimated_count"] == 1
    assert "data" not in gateway.call("GET", f"/requests/{event['request_id']}")
    kept = gateway.event_with(failing, "FAILED", attempts=2)
    receiver.reply = Reply()
    gateway.call("POST", f"/events/{kept['id']}/retry")
    gateway.event_with(failing, "SUCCESSFUL")


def test_what_is_refused_leaves_no_body(gateway: Gateway) -> None:
    before = bodies(gateway)
    secret = {"auth": {"webhook_secret_key": "whsec_bmV3IHNlY3JldA=="}}
    connection = gateway.connect("http://127.0.0.1:9/", source={"config": secret})
    assert gateway.web.post(connection["source"]["url"], content=BODY).status_code == 403
    assert bodies(gateway) == before


def test_the_file_of_an_earlier_version(own_gateway: Gateway, receiver: Receiver) -> None:
    """Its requests had their bodies, and its pages could not be freed."""
    gateway = own_gateway
    receiver.reply = Reply(500)
    retry = {"type": "retry", "strategy": "linear", "interval": 100_000_000, "count": 1}
    connection = gateway.connect(receiver.url, retry)
    gateway.send(connection, b"kept", "/a")
    event = gateway.event_with(connection, "FAILED", attempts=1)
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.data_dir / "hookdeck.sqlite3")) as db:
        db.executescript("""
            ALTER TABLE requests ADD COLUMN body BLOB NOT NULL DEFAULT x'';
            UPDATE requests SET body = (SELECT body FROM bodies WHERE request_id = requests.id);
            DROP TABLE bodies;
            ALTER TABLE attempts ADD COLUMN body TEXT;
            ALTER TABLE sources ADD COLUMN disabled_at INTEGER;
            PRAGMA journal_mode = DELETE;
            PRAGMA auto_vacuum = NONE;
            VACUUM;
        """)
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    receiver.reply = Reply()
    gateway.start()
    gateway.call("POST", f"/events/{event['id']}/retry")
    gateway.event_with(connection, "SUCCESSFUL", attempts=2)
    first, second = receiver.deliveries
    assert (first.body, first.target) == (second.body, second.target) == (b"kept", "/a")
    assert number(gateway, "PRAGMA auto_vacuum") == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ('UPDATE destinations SET config = \'{"url": "http://[x"}\' WHERE id = :it', "INVALID_URL"),
        ("UPDATE destinations SET config = '{\"url\": 7}' WHERE id = :it", "UNKNOWN"),
        ("UPDATE destinations SET config = '{}' WHERE id = :it", "UNKNOWN"),
        ("DELETE FROM bodies", "PAYLOAD_MISSING"),
        ("DELETE FROM connections WHERE destination_id = :it", "UNKNOWN"),
        ("DELETE FROM requests", "UNKNOWN"),
        ("UPDATE requests SET headers = '{'", "UNKNOWN"),
    ],
)
def test_whatever_is_wrong_with_a_delivery_is_a_failed_attempt(
    own_gateway: Gateway, receiver: Receiver, fault: str, code: str
) -> None:
    """What the file holds may be of an earlier version, which took URLs that none can read."""
    gateway, hold = own_gateway, threading.Event()
    receiver.replies.put(Reply(hold=hold))
    bad, good = gateway.connect(f"{receiver.url}/bad"), gateway.connect(f"{receiver.url}/good")
    gateway.send(bad)
    receiver.wait_for(1)
    gateway.kill()
    hold.set()
    with contextlib.closing(sqlite3.connect(gateway.data_dir / "hookdeck.sqlite3")) as db, db:
        db.execute(fault, {"it": bad["destination"]["id"]} if ":it" in fault else {})
    gateway.start()
    gateway.event_with(bad, "FAILED", error_code=code, attempts=1, next_attempt_at=None)
    gateway.send(good)
    gateway.event_with(good, "SUCCESSFUL")


@pytest.mark.parametrize("where", [0, 4096 * 3], ids=["header", "a page"])
def test_a_damaged_file_is_named_with_what_to_do(
    own_gateway: Gateway, receiver: Receiver, where: int
) -> None:
    gateway = own_gateway
    delivered(gateway, gateway.connect(receiver.url), 2)
    gateway.stop()
    path = gateway.data_dir / "hookdeck.sqlite3"
    with path.open("r+b") as file:
        file.seek(where)
        file.write(b"\x5a" * 4096 * 8)
    process = gateway.launch()
    assert process.wait(30) != 0
    last = (gateway.data_dir / "log").read_text().splitlines()[-1]
    assert last.startswith(f"{path} is damaged (")
    assert "Restore it from a backup, or move it away" in last

"""Webhooks as a receiver sees them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from replicate.client import Client
from replicate.exceptions import ReplicateError
from replicate.webhook import Webhooks, WebhookSigningSecret
from standardwebhooks import Webhook

from localcloud.replicate.tables import SCHEMA
from localcloud.replicate.webhook_sender import Courier, Signer
from localcloud.sqlite import connect
from tests.localcloud.replicate.replicate_process import COUNT, ECHO, SECRET, Receiver
from tools.harness.waiting import wait_for


def test_both_verifiers_accept_it(client: Client, receiver: Receiver) -> None:
    done = client.predictions.create(
        ECHO, {"text": "é"}, webhook=f"{receiver.url}/a?b=c", webhook_events_filter=["completed"]
    )
    wait_for(lambda: len(receiver.received) == 1, "the webhook")
    headers, body = receiver.received[0]
    secret = client.webhooks.default.secret()
    Webhooks.validate(headers=headers, body=body.decode(), secret=secret, tolerance=60)
    payload = Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"].startswith("msg_")
    done.reload()
    assert payload["id"] == done.id
    assert payload["output"] == done.output == {"said": "é", "suffix": None}
    assert payload["metrics"] == done.metrics
    assert payload["webhook_events_filter"] == ["completed"]
    assert isinstance(secret, WebhookSigningSecret)


def test_the_end_alone_is_told(client: Client, receiver: Receiver) -> None:
    client.predictions.create(COUNT, {"to": 3, "pause": 0.1}, webhook=receiver.url).wait()
    wait_for(lambda: receiver.statuses() == ["succeeded"], "the webhook of the end")
    [payload] = receiver.payloads()
    assert payload["output"] == ["1", "2", "3"]
    client.predictions.create(ECHO, {"mode": "fail"}, webhook=receiver.url).wait()
    wait_for(lambda: receiver.statuses()[1:] == ["failed"], "the webhook of a failure")


def test_other_events_are_refused(client: Client, receiver: Receiver) -> None:
    with pytest.raises(ReplicateError, match="completed alone"):
        client.predictions.create(ECHO, {}, webhook=receiver.url, webhook_events_filter=["start"])


def test_a_terminal_webhook_is_sent_again(client: Client, receiver: Receiver) -> None:
    receiver.answers = [500, 429, 503, 200]
    client.predictions.create(ECHO, {}, webhook=receiver.url, webhook_events_filter=["completed"])
    wait_for(lambda: len(receiver.received) == 4, "the webhook taken")
    assert len({headers["webhook-id"] for headers, _body in receiver.received}) == 1
    assert len({body for _headers, body in receiver.received}) == 1
    for headers, body in receiver.received:
        Webhook(SECRET).verify(body, headers)


def test_a_refused_webhook_is_not_sent_again(client: Client, receiver: Receiver) -> None:
    receiver.answers = [404]
    for _ in range(2):
        client.predictions.create(
            ECHO, {}, webhook=receiver.url, webhook_events_filter=["completed"]
        ).wait()
    wait_for(lambda: len(receiver.received) == 2, "both webhooks")
    assert len({payload["id"] for payload in receiver.payloads()}) == 2


def test_webhook_of_a_canceled_one(client: Client, receiver: Receiver) -> None:
    running = client.predictions.create(
        ECHO,
        {"mode": "sleep", "seconds": 30},
        webhook=receiver.url,
        webhook_events_filter=["completed"],
    )
    wait_for(lambda: client.predictions.get(running.id).status == "processing", "the start")
    running.cancel()
    wait_for(lambda: receiver.statuses() == ["canceled"], "the webhook of the end")


def test_one_that_can_never_be_sent_is_given_up(tmp_path: Path) -> None:
    async def main() -> None:
        db = connect(tmp_path / "replicate.sqlite3", schema=SCHEMA)
        courier = Courier(db, Signer(SECRET), first_pause=0.001)
        courier.store("http://xn--a/", b"{}")  # no host, by the rules of IDNA
        sending = asyncio.create_task(courier.run())
        try:
            async with asyncio.timeout(60):
                while db.execute("SELECT 1 FROM deliveries").fetchone():
                    await asyncio.sleep(0.01)
        finally:
            sending.cancel()
            await courier.close()
            db.close()

    asyncio.run(main())

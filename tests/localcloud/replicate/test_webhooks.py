"""Webhooks as a receiver sees them."""

from __future__ import annotations

from replicate.client import Client
from replicate.webhook import Webhooks, WebhookSigningSecret
from standardwebhooks import Webhook

from tests.localcloud.replicate.replicate_process import COUNT, ECHO, SECRET, Receiver
from tools.harness.waiting import wait_for

FINISHED = {"succeeded", "failed", "canceled"}


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


def test_events_of_a_model_that_iterates(client: Client, receiver: Receiver) -> None:
    client.predictions.create(
        COUNT,
        {"to": 4, "pause": 0.3},
        webhook=receiver.url,
        webhook_events_filter=["start", "output", "logs", "completed"],
    )
    wait_for(lambda: "succeeded" in receiver.statuses(), "the last webhook")
    payloads = sorted(receiver.payloads(), key=lambda one: len(one["output"] or []))
    assert payloads[0]["output"] is None
    assert payloads[-1]["output"] == ["1", "2", "3", "4"]
    assert receiver.statuses().count("succeeded") == 1
    assert 3 <= len(payloads) <= 6, "output and logs come at most every half second"


def test_only_what_the_filter_names(client: Client, receiver: Receiver) -> None:
    for events in (["start"], ["completed"]):
        one = client.predictions.create(
            ECHO, {}, webhook=receiver.url, webhook_events_filter=events
        )
        one.wait()
    wait_for(lambda: len(receiver.received) == 2, "both webhooks")
    assert sorted(receiver.statuses()) == ["processing", "succeeded"]
    default = client.predictions.create(ECHO, {"mode": "fail"}, webhook=receiver.url)
    default.wait()
    wait_for(lambda: receiver.statuses()[2:] == ["failed"], "the webhook of the end alone")


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
        webhook_events_filter=["start", "completed"],
    )
    wait_for(lambda: receiver.statuses() == ["processing"], "the webhook of the start")
    running.cancel()
    wait_for(lambda: receiver.statuses()[1:] == ["canceled"], "the webhook of the end")


def test_webhook_completed(client: Client, receiver: Receiver) -> None:
    client.predictions.create(ECHO, {}, webhook_completed=receiver.url)
    wait_for(lambda: receiver.statuses() == ["succeeded"], "the webhook of the end")

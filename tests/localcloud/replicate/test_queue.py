"""Order, pages, cancelling and forgetting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from replicate.client import Client

from tests.localcloud.replicate.replicate_process import COUNT, ECHO, TOKEN, Server, said
from tools.harness.waiting import wait_for

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def post(server: Server, given: dict[str, object], **headers: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/predictions",
        json={"version": ECHO, "input": given},
        headers=HEADERS | {name.replace("_", "-"): value for name, value in headers.items()},
        timeout=30,
    )


def test_waiting_ones_go_first(shared: Server, client: Client, tmp_path: Path) -> None:
    diary = tmp_path / "diary"

    def say(text: str, **more: object) -> dict[str, object]:
        return {"text": text, "diary": str(diary), **more}

    def created() -> int:
        known = client.predictions.list().results
        return sum((one.input or {}).get("diary") == str(diary) for one in known)

    first = client.predictions.create(ECHO, say("first", mode="sleep", seconds=60))
    wait_for(diary.exists, "a prediction that runs")
    batches = [client.predictions.create(ECHO, say(f"batch {n}")) for n in range(3)]
    queries = [
        threading.Thread(target=post, args=(shared, say(f"query {n}")), kwargs={"prefer": "wait"})
        for n in range(2)
    ]
    for query in queries:
        query.start()
    wait_for(lambda: created() == 6, "all predictions in the queue")
    first.cancel()
    for query in queries:
        query.join()
    for prediction in (first, *batches):
        prediction.wait()
    lines = diary.read_text().splitlines()
    assert lines[0] == "first"
    assert set(lines[1:3]) == {"query 0", "query 1"}
    assert lines[3:] == ["batch 0", "batch 1", "batch 2"]


def test_cancel_a_running_one(client: Client) -> None:
    running = client.predictions.create(ECHO, {"mode": "sleep", "seconds": 30})
    wait_for(
        lambda: client.predictions.get(running.id).status == "processing",
        "a prediction that runs",
    )
    running.cancel()
    assert running.status == "canceled"
    began = time.monotonic()
    assert said(client.run("tests/echo", input={"text": "next"})) == "next"
    assert time.monotonic() - began < 5
    running.reload()
    assert (running.status, running.output) == ("canceled", None)
    assert (running.metrics or {})["predict_time"] > 0


def test_cancel_a_queued_one(client: Client, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    running = client.predictions.create(ECHO, {"mode": "sleep", "seconds": 1})
    queued = client.predictions.create(ECHO, {"diary": str(diary)})
    queued.cancel()
    assert (queued.status, queued.started_at) == ("canceled", None)
    running.wait()
    assert running.status == "succeeded"
    assert said(client.run("tests/echo", input={"text": "next"})) == "next"
    assert not diary.exists()
    running.cancel()
    assert running.status == "succeeded"


def test_status_codes(shared: Server) -> None:
    assert post(shared, {}).status_code == 201
    assert post(shared, {}, prefer="wait=5").status_code == 201
    assert post(shared, {"mode": "sleep", "seconds": 1.5}, prefer="wait=1").status_code == 202
    version = b'{"version": "' + ECHO.encode() + b'", "input": '
    for body in (
        b"",
        b"{",
        b"[]",
        b'{"input": {}}',
        b'{"version": 1, "input": {}}',
        version + b"[]}",
        version + b'{}, "webhook": "https://\\ud800/"}',
        version + b'{"text": "\\uD800"}}',
        version + b'{"text": "\xed\xa0\x80"}}',
        version + b'{"seconds": NaN}}',
        version + b"[" * 100_000,
    ):
        answer = httpx.post(f"{shared.url}/v1/predictions", content=body, headers=HEADERS)
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"title", "detail", "status"} <= answer.json().keys()


@pytest.mark.parametrize("cursor", ["a", "-1", "9" * 40, ""])
def test_wrong_cursor(shared: Server, cursor: str) -> None:
    answer = httpx.get(f"{shared.url}/v1/predictions?cursor={cursor}", headers=HEADERS)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "webhook", ["http://example.com/", "ftp://127.0.0.1/", "no", 1, "http://["]
)
def test_refused_webhook(shared: Server, webhook: object) -> None:
    body = {"version": ECHO, "input": {}, "webhook": webhook}
    answer = httpx.post(f"{shared.url}/v1/predictions", json=body, headers=HEADERS)
    assert answer.status_code == 422


def test_pages(client: Client) -> None:
    for _ in range(3):
        client.run("tests/count", input={"to": 1})
    ids = [client.predictions.create(COUNT, {"to": 1}).id for _ in range(210)]
    page = client.predictions.list()
    pages = [page]
    while page.next is not None:
        page = client.predictions.list(page.next)
        pages.append(page)
    assert {len(page) for page in pages[:-1]} == {100}
    listed = [one.id for page in pages for one in page]
    assert len(set(listed)) == len(listed)
    assert listed[:210] == ids[::-1]


@pytest.mark.slow("waits for the time to pass after which data is removed: 10 s")
def test_data_is_removed_after_its_time(make_server: Callable[..., Server]) -> None:
    server = make_server("--keep-data", "1")
    done = server.client().predictions.create(ECHO, {"text": "a"}, wait=True)
    assert said(done.output) == "a"
    answer = wait_for(lambda: _removed(server, done.id), "a prediction without its data")
    assert (answer["status"], answer["output"], answer["input"]) == ("succeeded", None, {})
    assert answer["logs"] == ""
    assert server.stop() == 0
    assert server.cog("echo") == []


def _removed(server: Server, prediction_id: str) -> dict[str, object] | None:
    url = f"{server.url}/v1/predictions/{prediction_id}"
    answer: dict[str, object] = httpx.get(url, headers=HEADERS).json()
    return answer if answer["data_removed"] else None

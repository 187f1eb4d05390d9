"""A full disk: a prediction that was accepted is finished when there is room again."""

from __future__ import annotations

from pathlib import Path

import httpx
from replicate.exceptions import ReplicateException

from tests.localcloud.replicate.replicate_process import ECHO, Server
from tests.support.small_disk import small_disk
from tools.harness.site import Page, running_site
from tools.harness.waiting import wait_for


def test_predictions_around_a_full_disk_are_finished(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        server = Server(tmp_path / "replicate")
        server.disk = disk
        server.start()
        try:
            client = server.client(timeout=5)
            slow = {"mode": "sleep", "seconds": 1.0}
            accepted = [client.predictions.create(ECHO, slow)]
            accepted += [client.predictions.create(ECHO, {"text": f"{n}"}) for n in range(5)]
            disk.fill()
            refused = 0
            for number in range(20):
                try:
                    text = f"{number} " + "x" * 20_000
                    accepted.append(client.predictions.create(ECHO, {"text": text}))
                except (ReplicateException, httpx.HTTPError):
                    refused += 1
            assert refused
            disk.empty()
            wait_for(server.healthy, "the server")
            for prediction in accepted:
                prediction.wait()
                assert prediction.status == "succeeded", prediction.error
        finally:
            server.stop()


def test_a_file_that_has_no_room_is_fetched_when_there_is(tmp_path: Path) -> None:
    body = b"said in a file " * 100_000
    with small_disk(tmp_path / "disk", 64) as disk, running_site() as site:
        url = site.add("/said.txt", Page(body, "text/plain"))
        server = Server(tmp_path / "replicate", FETCH_ALLOW="127.0.0.1")
        server.disk = disk
        server.start()
        try:
            client = server.client(timeout=5)
            # There is room for the prediction, and none for its file.
            disk.fill(leave=1024 * 1024)
            room = disk.free_bytes
            assert room < len(body)
            prediction = client.predictions.create(ECHO, {"file": url})
            wait_for(
                lambda: len(site.requests) > 1 and disk.free_bytes > room - 200 * 1024,
                "a second try, and nothing left of a part of the file",
            )
            disk.empty()
            prediction.wait()
            assert prediction.status == "succeeded", prediction.error
        finally:
            server.stop()

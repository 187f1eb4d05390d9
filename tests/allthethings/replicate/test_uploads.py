"""Files that the app uploads to Replicate, and what it makes of the answers."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from allthethings.errors import ErrorCode, RequestRefused, ServiceUnavailable
from allthethings.replicate.client import ReplicateClient
from tools.harness.servers import Script, answer, serving

# As Replicate's OpenAPI document describes a file: without a name, and with an end.
STORED = {
    "id": "cneqzikepnug6xezperrr4z55o",
    "urls": {"get": "https://api.replicate.com/v1/files/cneqzikepnug6xezperrr4z55o"},
    "content_type": "image/png",
    "size": 7,
    "checksums": {},
    "metadata": {},
    "created_at": "2026-02-21T12:54:18.578761Z",
    "expires_at": "2026-02-21T13:54:18.578761Z",
}


def taking(body: object, status: str, seen: list[bytes]) -> Script:
    """Reads the whole request, keeps it in `seen`, and answers."""
    told = json.dumps(body).encode()

    def script(connection: socket.socket, head: bytes) -> None:
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        end = head.index(b"\r\n\r\n") + 4 + int(length[1] if length else 0)
        while len(head) < end:
            head += connection.recv(65536)
        seen.append(head)
        answer(told, "Content-Type: application/json", "Connection: close", status=status)(
            connection, head
        )

    return script


def test_a_file_is_uploaded_under_its_name_and_removed_by_its_id() -> None:
    seen: list[bytes] = []
    with serving(taking(STORED, "201 Created", seen)) as server:
        client = ReplicateClient("r8_of_the_tests", server.url(""))
        stored = client.upload(b"\x89PNG...", "page 3.png", "image/png")
        client.remove(stored.id)
    assert (stored.id, stored.url) == (STORED["id"], STORED["urls"]["get"])  # type: ignore[index]
    assert stored.expires_at is not None
    uploaded, removed = seen
    assert uploaded.startswith(b"POST /v1/files HTTP/1.1")
    assert b'name="content"; filename="page 3.png"\r\nContent-Type: image/png' in uploaded
    assert b'name="filename"\r\n\r\npage 3.png\r\n' in uploaded
    assert b"\x89PNG...\r\n" in uploaded
    assert removed.startswith(f"DELETE /v1/files/{stored.id} HTTP/1.1".encode())


def upload_to(body: object, status: str) -> Any:
    with serving(taking(body, status, [])) as server:
        client = ReplicateClient("r8_of_the_tests", server.url(""))
        return client.upload(b"x", "x.png", "image/png")


def test_a_file_that_is_too_large_is_refused() -> None:
    told = {"detail": "Files must be less than 100MB in size", "status": 413}
    with pytest.raises(RequestRefused, match=r"\(413\): Files must be less") as caught:
        upload_to(told, "413 Content Too Large")
    assert caught.value.code is ErrorCode.REPLICATE_REFUSED


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_replicate_that_takes_no_file_now_is_away(status: str) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        upload_to({}, status)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "told", [[], {}, {**STORED, "urls": {}}, {**STORED, "id": ""}, {**STORED, "id": 7}]
)
def test_an_answer_without_a_file_is_not_understood(told: object) -> None:
    with pytest.raises(ServiceUnavailable, match="was not understood"):
        upload_to(told, "201 Created")


def test_removing_a_file_that_is_gone_is_nothing() -> None:
    seen: list[bytes] = []
    with serving(taking({"detail": "File not found"}, "404 Not Found", seen)) as server:
        ReplicateClient("r8_of_the_tests", server.url("")).remove("cneqzikepnug6x")
    assert len(seen) == 1


@pytest.mark.parametrize("identity", ["", "..", "a/../b", "f1?x"])
def test_what_cannot_be_an_id_is_not_removed(identity: str) -> None:
    ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9").remove(identity)

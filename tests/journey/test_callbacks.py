"""What the webhook endpoints answer, and what callbacks change."""

from __future__ import annotations

import json

import pytest

from tools.harness.person import Person
from tools.harness.site import Page, Site

NOBODY = "0" * 24
OK = {"id": "p1", "status": "succeeded", "output": {"transcription": "words", "segments": []}}
PATHS = [f"audio/{NOBODY}", f"embedding/{NOBODY}/0-3"]


@pytest.fixture(scope="module")
def searchable(person: Person, site: Site) -> str:
    """A finished thing that no callback may change."""
    text = "The wren is a very small bird with a very loud voice, and it sings in winter too. "
    page = Page(f"<article><p>{text * 4}</p></article>".encode())
    return str(person.index(site.add("/wren", page))["id"])


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_signature_is_401(person: Person, path: str) -> None:
    assert person.call_back(path, OK, secret="another").status_code == 401
    assert person.http.post(f"/webhooks/{path}", json=OK).status_code == 401


@pytest.mark.parametrize("path", [*PATHS, "audio/x", "audio/" + "z" * 24, "embedding/x/0-0"])
def test_no_such_asset_is_404(person: Person, path: str) -> None:
    assert person.call_back(path, OK).status_code == 404


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff", b"[" * 20_000, [], {}, "x", {"id": "p1"}, {"id": "p1", "status": "?"}],
)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_prediction_is_400(person: Person, path: str, payload: object) -> None:
    assert person.call_back(path, payload).status_code == 400


def test_a_body_that_is_too_large_is_413(person: Person) -> None:
    assert person.call_back(PATHS[0], b"x" * (65 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize(
    "payload",
    [
        OK,
        {**OK, "status": "failed", "error": "no"},
        {**OK, "output": None},
        {**OK, "status": "processing"},
        {"id": "p1", "status": "canceled"},
        {"id": "p1", "status": "succeeded", "output": [{"embedding": [0.0] * 768}]},
    ],
)
def test_a_late_callback_changes_nothing(
    person: Person, searchable: str, payload: dict[str, object]
) -> None:
    before = json.dumps(person.asset(searchable))
    for path in (f"audio/{searchable}", f"embedding/{searchable}/0-0"):
        assert person.call_back(path, payload).status_code == 200
    assert json.dumps(person.asset(searchable)) == before

"""Tokens of scripts: whom they let in, what a wrong one costs, and that cookies do not count."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from allthethings.assets.asset import AssetStatus
from allthethings.web.login import DELAY, EXTENSION, PER_ADDRESS, Tries
from tests.allthethings.web.in_memory import Memory, make_app, make_asset

PASSWORD = "correct horse"
TOKENS = ("of-the-script-that-imports", "of-the-script-that-asks/+=")
ELSEWHERE = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
FORM = {"url": "https://radio.test/1.mp3"}


@pytest.fixture
def slept() -> list[float]:
    """For how long answers had to wait."""
    return []


@pytest.fixture
def app(slept: list[float]) -> Flask:
    made = make_app(
        Memory([make_asset(1, AssetStatus.SEARCHABLE)]), app_password=PASSWORD, api_tokens=TOKENS
    )
    made.extensions[EXTENSION]._tries = Tries(sleep=slept.append)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_each_token_lets_in(client: FlaskClient, token: str, scheme: str) -> None:
    for _ in range(2 * PER_ADDRESS):
        answer = client.get("/", headers=bearer(token, scheme))
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert client.post("/process", data=FORM, headers=bearer(token)).status_code == 200
    assert client.get("/healthz", headers=bearer(token)).json == {
        "ok": True,
        "failing": [],
        "parts": {},
    }


def test_a_script_with_a_token_gets_json_unless_it_asks_for_a_page(client: FlaskClient) -> None:
    headers = bearer(TOKENS[0])
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert client.get("/", headers={**headers, **accept}).is_json
    assert not client.get("/", headers={**headers, "Accept": "text/html"}).is_json


@pytest.mark.parametrize(
    "token", ["", "x", PASSWORD, TOKENS[0] + "x", TOKENS[0][:-1], ",".join(TOKENS), "\xe9", "a=b"]
)
def test_another_token_is_refused(client: FlaskClient, token: str) -> None:
    answer = client.get("/", headers=bearer(token))
    assert (answer.status_code, answer.json) == (401, {"error": "Wrong token."})
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert client.get("/healthz", headers=bearer(token)).json == {"ok": True}


def test_a_token_is_no_password_and_a_password_no_token(client: FlaskClient) -> None:
    assert client.post("/login", data={"password": TOKENS[0]}).status_code == 401
    assert client.get("/", auth=("any", TOKENS[0])).status_code == 401


def test_wrong_tokens_and_wrong_passwords_count_together(
    client: FlaskClient, slept: list[float]
) -> None:
    for number in range(PER_ADDRESS):
        if number % 2:
            client.get("/", headers=bearer("wrong"))
        else:
            client.post("/login", data={"password": "wrong"})
    assert not slept
    assert client.get("/", headers=bearer("wrong")).status_code == 401
    assert client.post("/login", data={"password": "wrong"}).status_code == 401
    assert slept == [DELAY] * 2
    assert client.get("/", headers=bearer(TOKENS[0])).status_code == 200
    assert len(slept) == 2


def test_a_form_with_a_token_may_come_from_anywhere(client: FlaskClient) -> None:
    answer = client.post("/process", data=FORM, headers={**bearer(TOKENS[0]), **ELSEWHERE})
    assert answer.status_code == 200


def test_beside_a_wrong_token_a_session_does_not_count(client: FlaskClient) -> None:
    client.post("/login", data={"password": PASSWORD})
    assert client.get("/").status_code == 200
    for headers in ({}, ELSEWHERE):
        answer = client.post("/process", data=FORM, headers={**bearer("wrong"), **headers})
        assert answer.status_code == 401
    assert client.get("/", headers=bearer("wrong")).status_code == 401


@pytest.mark.parametrize("settings", [{}, {"app_password": PASSWORD}])
def test_without_tokens_the_header_says_nothing(settings: dict[str, str]) -> None:
    client = make_app(Memory(), **settings).test_client()
    if settings:
        client.post("/login", data={"password": PASSWORD})
    assert client.get("/", headers=bearer("any")).status_code == 200
    answer = client.post("/process", data=FORM, headers={**bearer("any"), **ELSEWHERE})
    assert answer.status_code == 403

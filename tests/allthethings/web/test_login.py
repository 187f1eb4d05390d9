"""The password: who gets in, who is kept waiting, and what is open without it."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from allthethings.web.login import (
    DELAY,
    EXTENSION,
    MAX_WAITING,
    PER_ADDRESS,
    WINDOW,
    Tries,
    local_path,
)
from tests.allthethings.web.in_memory import Memory, make_app

PASSWORD = "corréct horse"
JSON = {"Accept": "application/json"}


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def slept() -> list[float]:
    """For how long answers had to wait."""
    return []


@pytest.fixture
def guarded(memory: Memory, slept: list[float]) -> Flask:
    app = make_app(memory, app_password=PASSWORD)
    app.extensions[EXTENSION]._tries = Tries(sleep=slept.append)
    return app


@pytest.fixture
def client(guarded: Flask) -> FlaskClient:
    return guarded.test_client()


def sign_in(client: FlaskClient, password: str = PASSWORD, following: str = "/") -> TestResponse:
    return client.post("/login", data={"password": password, "next": following})


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{password}".encode()).decode()}


def cookie_of(answer: TestResponse) -> set[str]:
    return set(answer.headers["Set-Cookie"].split("; ")[1:])


@pytest.mark.parametrize("path", ["/", "/search?query=x", "/assets/1", "/nothing", "/logout"])
def test_every_page_asks_for_the_password(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == "/login"
    assert client.get(path, headers=JSON).status_code == 401
    assert client.get(path, headers=JSON).json == {"error": "Sign in first."}


@pytest.mark.parametrize("path", ["/process", "/assets/1/delete", "/assets/1/retry"])
def test_no_form_works_without_it(guarded: Flask, path: str) -> None:
    assert guarded.test_client().post(path, data={"url": "http://x.test/"}).status_code == 303


def test_what_machines_ask_is_open(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    with client.get("/static/style.css") as file:
        assert file.status_code == 200
    assert client.get("/login").status_code == 200
    # No blueprint of the webhooks stands behind these in this world; no login does either.
    assert client.post("/webhooks/audio/1").status_code == 401
    assert client.get("/examples/none.mp3").status_code == 404


def test_a_person_signs_in_and_out(client: FlaskClient) -> None:
    asked = client.get("/search?query=b%C3%A9es%26x&a=1")
    form = html.document_fromstring(client.get(asked.headers["Location"]).text)
    following = form.xpath("//input[@name='next']/@value")[0]
    assert not form.xpath("//button[text()='Sign out']")
    answer = sign_in(client, following=following)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/search?query=b%C3%A9es%26x&a=1",
    )
    page = client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert html.document_fromstring(page.text).xpath("//form[@action='/logout']/button/text()")
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get("/").status_code == 303


def test_without_a_password_there_is_no_login() -> None:
    client = make_app(Memory()).test_client()
    assert client.get("/login").status_code == 404
    assert "Sign out" not in client.get("/").text


@pytest.mark.parametrize(
    "wrong", ["", "correct horse", PASSWORD + " ", PASSWORD[:-1], "\0", "é" * 999]
)
def test_another_password_is_refused(client: FlaskClient, wrong: str) -> None:
    answer = sign_in(client, wrong)
    assert answer.status_code == 401
    assert "Wrong password." in answer.text
    assert client.get("/").status_code == 303


def test_another_password_ends_the_sessions(client: FlaskClient) -> None:
    sign_in(client)
    cookie = client.get_cookie("session")
    assert cookie is not None
    for password, code in ((PASSWORD, 200), ("another one", 303)):
        later = make_app(Memory(), app_password=password).test_client()
        later.set_cookie("session", cookie.value)
        assert later.get("/").status_code == code


def test_the_password_is_not_in_the_cookie(client: FlaskClient) -> None:
    sign_in(client)
    with client.session_transaction() as session:
        assert PASSWORD not in str(dict(session))


def test_scripts_send_it_with_each_request(client: FlaskClient) -> None:
    for _ in range(2 * PER_ADDRESS):
        assert client.get("/", headers={**JSON, **basic(PASSWORD)}).status_code == 200
    assert client.get("/", headers={**JSON, **basic("wrong")}).status_code == 401
    assert client.get("/", headers=JSON).status_code == 401  # no session came of it


def wrong(client: FlaskClient, address: str = "192.0.2.1") -> TestResponse:
    return client.post(
        "/login", data={"password": "wrong"}, environ_overrides={"REMOTE_ADDR": address}
    )


def test_the_right_password_is_accepted_after_any_number_of_wrong_ones(
    guarded: Flask, slept: list[float]
) -> None:
    known, guesser, late = (guarded.test_client() for _ in range(3))
    sign_in(known)
    for number in range(200):
        answer = sign_in(guesser, "wrong") if number % 2 else guesser.get("/", headers=basic("no"))
        assert answer.status_code == 401
    assert slept == [DELAY] * (200 - PER_ADDRESS)
    assert known.get("/").status_code == 200
    assert late.get("/", headers={**JSON, **basic(PASSWORD)}).status_code == 200
    assert sign_in(late).status_code == 303
    assert len(slept) == 200 - PER_ADDRESS


def test_only_an_address_that_guesses_is_slowed_down(
    client: FlaskClient, slept: list[float]
) -> None:
    for _ in range(PER_ADDRESS + 3):
        wrong(client)
    assert slept == [DELAY] * 3
    wrong(client, "192.0.2.2")
    assert len(slept) == 3
    for number in range(PER_ADDRESS + 2):  # an address of IPv4 on a socket of IPv6
        wrong(client, f"::ffff:192.0.2.{number + 10}")
    assert len(slept) == 3
    for number in range(PER_ADDRESS + 2):  # whoever has one address has the network around it
        wrong(client, f"2001:db8::{number + 1:x}")
    assert len(slept) == 5


def test_wrong_passwords_are_forgotten_after_a_minute() -> None:
    slept: list[float] = []
    now = 1000.0
    tries = Tries(lambda: now, slept.append)
    for _ in range(PER_ADDRESS):
        tries.wrong("192.0.2.1")
    now += WINDOW
    tries.wrong("192.0.2.1")
    assert not slept


def test_few_answers_wait_at_once(guarded: Flask) -> None:
    """A crowd of guessers takes few threads, and the right password needs none of them."""
    go_on, waiting = threading.Event(), threading.Semaphore(0)

    def sleep(_seconds: float) -> None:
        waiting.release()
        assert go_on.wait(60)

    guarded.extensions[EXTENSION]._tries = Tries(sleep=sleep)
    for _ in range(PER_ADDRESS):
        assert wrong(guarded.test_client()).status_code == 401
    with ThreadPoolExecutor(MAX_WAITING) as pool:
        slow = [pool.submit(wrong, guarded.test_client()) for _ in range(MAX_WAITING)]
        for _ in slow:
            assert waiting.acquire(timeout=60)
        refused = wrong(guarded.test_client())
        right = sign_in(guarded.test_client())
        go_on.set()
        assert [each.result().status_code for each in slow] == [401] * MAX_WAITING
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert "The right one is accepted at any time." in refused.text
    assert right.status_code == 303


def test_signing_out_ends_the_session_for_copies_of_its_cookie(memory: Memory) -> None:
    """Also in another process of the app, which shares only the database and the settings."""
    here, there = (make_app(memory, app_password=PASSWORD) for _ in range(2))
    client, other_session, thief = here.test_client(), here.test_client(), there.test_client()
    sign_in(client)
    sign_in(other_session)
    cookie = client.get_cookie("session")
    assert cookie is not None
    thief.set_cookie("session", cookie.value)
    assert thief.get("/").status_code == 200
    client.post("/logout")
    assert thief.get("/").status_code == 303
    assert (
        here.test_client().get("/", headers={"Cookie": f"session={cookie.value}"}).status_code
        == 303
    )
    assert other_session.get("/").status_code == 200


def test_a_session_whose_end_is_not_known_waits_for_the_database(memory: Memory) -> None:
    client = make_app(memory, app_password=PASSWORD).test_client()
    sign_in(client)
    memory.ended_sessions.is_away = True
    assert client.get("/").status_code == 503
    assert client.post("/logout").status_code == 503
    memory.ended_sessions.is_away = False
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "text",
    ["https://evil.test/", "//evil.test/", "/\\evil.test/", "\\\\evil.test", "/\t/evil.test/", "",
     "javascript:alert(1)", "evil.test", "/\n/evil.test", " //evil.test", "/\u2028/evil.test"],
)  # fmt: skip
def test_it_leads_to_paths_of_this_site_only(client: FlaskClient, text: str) -> None:
    assert local_path(text) == "/"
    assert sign_in(client, following=text).headers["Location"] == "/"


def test_a_path_that_looks_like_a_host_is_not_followed(client: FlaskClient) -> None:
    answer = client.get("//evil.test/x", base_url="http://localhost")
    assert "evil.test/x" not in answer.headers["Location"].partition("next=//")[2]
    assert local_path("/assets/1?a=/b#c") == "/assets/1?a=/b#c"


@pytest.mark.parametrize(
    ("app_url", "scheme", "secure"),
    [
        ("", "http", False),
        ("http://localhost:5000", "http", False),
        ("", "https", True),
        ("https://things.example", "http", True),
    ],
)
def test_the_cookie_is_kept_from_scripts_and_other_sites(
    app_url: str, scheme: str, secure: bool
) -> None:
    client = make_app(Memory(), app_password=PASSWORD, app_url=app_url).test_client()
    answer = client.post("/login", data={"password": PASSWORD}, base_url=f"{scheme}://localhost")
    assert cookie_of(answer) == {"HttpOnly", "Path=/", "SameSite=Lax"} | (
        {"Secure"} if secure else set()
    )


def test_another_site_cannot_sign_somebody_in(client: FlaskClient) -> None:
    answer = client.post(
        "/login", data={"password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403

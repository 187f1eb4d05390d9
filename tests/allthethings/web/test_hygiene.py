"""Headers on every answer, host names, links, and an app that is open to nobody by accident."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask, abort
from lxml import html

import app as application
from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import TimeSpan
from allthethings.hosts import host_of, is_loopback
from allthethings.web import webhooks
from allthethings.web.login import DELAY, EXTENSION, PER_ADDRESS, Tries
from allthethings.web.security import HEADERS, is_web_url
from config import SettingsError
from tests.allthethings.web.in_memory import Memory, make_app, make_asset, make_hit, make_settings

SECRET = "what only the log may say"
PUBLIC = "https://things.example"
ANY = "0.0.0.0"  # noqa: S104 - nothing is bound


@pytest.fixture
def broken() -> Flask:
    """An app with a route that fails, as it would in production."""
    made = make_app(Memory([make_asset(1, S.SEARCHABLE)]))
    made.config.update(TESTING=False, MAX_CONTENT_LENGTH=1000)

    @made.get("/broken")
    def fail() -> str:
        raise RuntimeError(SECRET)

    @made.get("/away")
    def away() -> str:
        abort(503)

    return made


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/static/app.js", 200),
        ("HEAD", "/", 200),
        ("OPTIONS", "/", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/none", 404),
        ("GET", "/process", 405),
        ("POST", "/process", 413),
        ("GET", "/broken", 500),
        ("GET", "/away", 503),
    ],
)
def test_headers_are_on_every_answer(
    broken: Flask, method: str, path: str, code: int, accept: str
) -> None:
    body = {"url": "x" * 20_000} if method == "POST" else None
    with broken.test_client().open(
        path, method=method, data=body, headers={"Accept": accept}
    ) as answer:
        assert answer.status_code == code
        assert {name: answer.headers.getlist(name) for name in HEADERS} == {
            name: [value] for name, value in HEADERS.items()
        }
        assert SECRET not in answer.get_data(as_text=True)
        assert "Traceback" not in answer.get_data(as_text=True)
        assert code < 400 or answer.mimetype == accept


@pytest.mark.parametrize(
    ("method", "path", "title", "words"),
    [
        ("GET", "/none", "Not found", "There is no such page."),
        ("GET", "/process", "Not allowed", "This page does not accept that kind of request."),
        ("POST", "/process", "Too large", "a file of 8 MB"),
        ("GET", "/broken", "Internal error", "Something went wrong"),
        ("GET", "/assets/none", "Not found", "This thing does not exist, or it was deleted."),
        ("GET", f"/assets/{1:024x}/transcript.pdf", "Not found", "Transcripts come as txt"),
    ],
)
def test_a_refusal_is_in_our_words(
    broken: Flask, method: str, path: str, title: str, words: str
) -> None:
    client, body = broken.test_client(), {"url": "x" * 20_000} if method == "POST" else None
    page = html.document_fromstring(client.open(path, method=method, data=body).text)
    assert page.xpath("string(//h1)") == title
    assert words in page.xpath("string(//main)")
    told = client.open(path, method=method, data=body, headers={"Accept": "application/json"}).json
    assert told is not None
    assert words in told["error"]


def test_a_callback_that_is_too_large_is_no_form() -> None:
    made = make_app(Memory())
    told = {"CONTENT_LENGTH": str(webhooks.MAX_BODY + 1)}
    signed = {"x-hookdeck-signature": "any"}
    client = made.test_client()
    answer = client.post("/webhooks/audio/1", environ_overrides=told, headers=signed)
    assert (answer.status_code, "form" in answer.text) == (413, False)


def test_the_body_of_an_unsigned_callback_is_not_read() -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_sizes: object) -> bytes:
            raise AssertionError("it was read")

    answer = (
        make_app(Memory())
        .test_client()
        .post("/webhooks/audio/1", input_stream=Unreadable(), headers={"Content-Length": "1000"})
    )
    assert (answer.status_code, answer.json) == (401, {"error": "There is no signature."})


def test_a_wrong_method_is_told_the_right_ones(broken: Flask) -> None:
    assert set(broken.test_client().get("/process").headers["Allow"].split(", ")) == {
        "OPTIONS",
        "POST",
    }


def code_for(asked: str, path: str = "/search", **settings: str) -> int:
    client = make_app(Memory(), **settings).test_client()
    return client.get(path, headers={"Host": asked}).status_code


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:5000", "LOCALHOST.", "127.0.0.1:5000", "[::1]:5000", "a.localhost"],
)
def test_loopback_names_are_answered(host: str) -> None:
    assert code_for(host) == 200
    assert code_for(host, app_url=PUBLIC) == 200


@pytest.mark.parametrize(
    "host",
    ["rebound.test", "rebound.test:5000", "127.0.0.1.rebound.test", "localhost.rebound.test",
     "192.0.2.1", "0.0.0.0:5000", "localhost@rebound.test", "localhost:5000:1", "[::2]",
     "rebound.test/localhost", "notlocalhost"],
)  # fmt: skip
def test_other_names_are_refused_on_loopback(host: str) -> None:
    assert code_for(host) == 400
    assert code_for(host, app_url=PUBLIC) == 400
    assert code_for(host, "/healthz") == 200
    assert code_for(host, "/webhooks/audio/1") == 405  # not refused: it takes POST


def test_the_refusal_says_what_to_do() -> None:
    answer = make_app(Memory()).test_client().get("/", headers={"Host": "rebound.test"})
    assert "APP_URL" in html.document_fromstring(answer.text).xpath("string(//main)")


def test_the_name_in_app_url_is_answered() -> None:
    assert code_for("Things.Example", app_url=PUBLIC) == 200
    assert code_for("things.example:8443", app_url=PUBLIC, host=ANY) == 200
    assert code_for("rebound.test", app_url=PUBLIC, host=ANY) == 400


def test_an_app_for_a_network_is_called_by_any_name() -> None:
    assert code_for("nas.lan:5000", host=ANY) == 200
    assert code_for("nas.lan:5000", host=ANY, app_url="http://127.0.0.1:5000") == 200


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("A.test:1", "a.test"),
        ("[::1]:1", "::1"),
        ("a.test.", "a.test"),
        ("a b", ""),
        ("", ""),
        ("::1", ""),
    ],
)
def test_the_host_of_an_authority(authority: str, host: str) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.255.0.1", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [ANY, "::", "192.0.2.7", "nas.lan", "*", "127.1", "::ffff:192.0.2.1"]
)
def test_an_open_app_is_not_started_by_accident(host: str) -> None:
    with pytest.raises(SettingsError, match=r"HOST=.*APP_PASSWORD, or ALLOW_OPEN=1"):
        application.create_app(make_settings(host=host))
    make_settings(host=host, app_password="horse battery").check()
    make_settings(host=host, allow_open=True).check()


def test_an_app_that_others_know_is_not_open_by_accident() -> None:
    """A tunnel on this machine hands their requests on, and they seem to come from here."""
    with pytest.raises(SettingsError, match=r"APP_URL=.*APP_PASSWORD, or ALLOW_OPEN=1"):
        make_settings(app_url="https://things.example").check()
    make_settings(app_url="https://things.example", app_password="horse battery").check()
    make_settings(app_url="http://127.0.0.1:5000").check()


def test_wrong_passwords_are_counted_by_who_asks_behind_a_proxy() -> None:
    app = make_app(Memory(), app_password="horse battery", trusted_proxies=1)
    client, slept = app.test_client(), list[float]()
    app.extensions[EXTENSION]._tries = Tries(sleep=slept.append)

    def guess(address: str) -> None:
        # What the guesser wrote comes first; what the proxy saw comes last.
        headers = {"X-Forwarded-For": f"203.0.113.9, {address}"}
        code = client.post("/login", data={"password": "no"}, headers=headers).status_code
        assert code == 401

    for _ in range(PER_ADDRESS + 1):
        guess("192.0.2.1")
    assert slept == [DELAY]
    guess("192.0.2.2")
    assert slept == [DELAY]


def code_from(address: str | None, path: str = "/search", **settings: Any) -> int:
    client = make_app(Memory(), **settings).test_client()
    return client.get(path, environ_overrides={"REMOTE_ADDR": address}).status_code


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "fe80::1", "::ffff:192.0.2.7"])
def test_without_a_password_only_this_machine_is_answered(address: str) -> None:
    """Whatever HOST says: the server may have been told to listen elsewhere."""
    assert code_from(address) == 403
    assert code_from(address, "/healthz") == 200
    assert code_from(address, "/webhooks/audio/1") == 405  # not refused: it takes POST
    assert code_from(address, allow_open=True) == 200
    assert code_from(address, app_password="horse battery") == 303


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "", None])
def test_this_machine_is_answered(address: str | None) -> None:
    assert code_from(address) == 200


@pytest.mark.parametrize("url", ["http://x.test/", "HTTPS://x.test", "https://[::1]/"])
def test_web_urls(url: str) -> None:
    assert is_web_url(url)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//x.test", "/x", "", None, " http://x.test",
     "java\nscript:alert(1)", "http:javascript", "http:///x", "ftp://x.test/", "view-source:http://x.test"],
)  # fmt: skip
def test_other_urls(url: object) -> None:
    assert not is_web_url(url)


@pytest.mark.parametrize("path", ["/", f"/assets/{1:024x}", "/search?query=x"])
def test_only_web_urls_become_links(path: str) -> None:
    thing = make_asset(1, S.SEARCHABLE, url="javascript:alert(1)")
    place = TimeSpan(61.5, 70.0)
    rows = [{"position": 0, "text": "said", "locator": place, "embedded": True}]
    memory = Memory([thing], rows, [make_hit("said", 0.5, place)])
    page = html.document_fromstring(make_app(memory).test_client().get(path).text)
    for name in ("href", "src", "action", "formaction"):
        assert not [value for value in page.xpath(f"//@{name}") if "javascript" in value]


def test_forms_of_the_own_site_are_taken_without_fetch_metadata() -> None:
    # What a browser sends over plain http to a name that is not loopback.
    client = make_app(Memory([make_asset(1, S.SUBMITTED)]), host=ANY).test_client()
    for origin, code in (("http://nas.lan", 303), ("http://evil.test", 403), ("null", 403)):
        headers = {"Host": "nas.lan", "Origin": origin}
        sent = client.post("/process", data={"url": "http://x.test/"}, headers=headers)
        assert sent.status_code == code
    assert HEADERS["Referrer-Policy"] == "same-origin"

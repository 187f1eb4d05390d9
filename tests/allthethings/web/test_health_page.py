"""GET /healthz: whether all is well for everybody, what is not for those who are let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from allthethings.errors import ServiceUnavailable
from allthethings.health import Health
from allthethings.web.services import EXTENSION
from tests.allthethings.web.in_memory import Memory, make_app
from tests.allthethings.web.test_login import PASSWORD, basic, sign_in

STRANGER = {"REMOTE_ADDR": "192.0.2.7"}
WHY = "MongoDB is not available: no answer"


def client_of(*, well: bool = False, **settings: Any) -> FlaskClient:
    def check() -> None:
        if not well:
            raise ServiceUnavailable("MongoDB", "no answer")

    made = make_app(Memory(), **settings)
    health = Health({"mongodb": check})
    made.extensions[EXTENSION] = replace(made.extensions[EXTENSION], health=health)
    return made.test_client()


@pytest.mark.parametrize(("well", "code"), [(True, 200), (False, 503)])
def test_strangers_read_whether_all_is_well(well: bool, code: int) -> None:
    for settings in ({}, {"app_password": PASSWORD}):
        answer = client_of(well=well, **settings).get("/healthz", environ_overrides=STRANGER)
        assert (answer.status_code, answer.json) == (code, {"ok": well})


def test_this_machine_reads_more_when_there_is_no_password() -> None:
    told = client_of().get("/healthz").json
    assert told == {"ok": False, "failing": ["mongodb"], "parts": {"mongodb": WHY}}
    assert client_of(app_password=PASSWORD).get("/healthz").json == {"ok": False}


def test_everybody_reads_more_of_an_open_app() -> None:
    answer = client_of(allow_open=True).get("/healthz", environ_overrides=STRANGER)
    assert answer.json == {"ok": False, "failing": ["mongodb"], "parts": {"mongodb": WHY}}


def test_the_password_lets_read_more() -> None:
    client = client_of(app_password=PASSWORD)
    assert client.get("/healthz", headers=basic("wrong")).json == {"ok": False}
    told = client.get("/healthz", headers=basic(PASSWORD)).json
    assert told == {"ok": False, "failing": ["mongodb"], "parts": {"mongodb": WHY}}
    sign_in(client)
    assert client.get("/healthz").json == told


def test_wrong_passwords_are_strangers() -> None:
    client = client_of(app_password=PASSWORD)
    answers = [client.get("/healthz", headers=basic("wrong")) for _ in range(3)]
    assert [(answer.status_code, answer.json) for answer in answers] == [(503, {"ok": False})] * 3

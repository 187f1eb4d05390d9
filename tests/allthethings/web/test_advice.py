"""Every error tells a person what to do."""

from __future__ import annotations

import pytest

from allthethings.assets.asset import FAILED
from allthethings.errors import BadInput, ErrorCode, UnusableThing
from allthethings.web.advice import ADVICE, BY_STAGE, refused
from guardedfetch.errors import FetchCode
from tests.allthethings.web.in_memory import Memory, make_app

AT_SUBMISSION = [
    *(ErrorCode(code.value) for code in FetchCode),
    *(ErrorCode.NOT_FOUND, ErrorCode.ACCESS_DENIED, ErrorCode.SERVER_REFUSED),
    *(ErrorCode.SERVER_UNAVAILABLE, ErrorCode.NO_CONTENT_TYPE, ErrorCode.UNSUPPORTED_TYPE),
]


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_advice(code: ErrorCode) -> None:
    advice = ADVICE[code]
    assert advice[0].isupper()
    assert advice.endswith((".", "?"))


def test_every_stage_has_advice() -> None:
    assert set(BY_STAGE) == FAILED


def test_a_refusal_says_what_to_do() -> None:
    denied = UnusableThing("The server answered 403.", ErrorCode.ACCESS_DENIED)
    assert refused(denied) == f"The server answered 403. {ADVICE[ErrorCode.ACCESS_DENIED]}"
    away = UnusableThing("The server answered 503.", ErrorCode.SERVER_UNAVAILABLE)
    assert refused(away) == "The server answered 503. Trying again later can help."
    assert refused(BadInput("Enter a URL.")) == "Enter a URL."


@pytest.mark.parametrize("code", AT_SUBMISSION)
def test_no_refusal_names_a_button_that_is_not_there(code: ErrorCode) -> None:
    assert "Retry" not in refused(UnusableThing("It failed.", code))


def test_the_form_shows_what_to_do_about_a_refusal() -> None:
    client = make_app(Memory(refusals={"http://x.test/": "It failed."})).test_client()
    page = client.post("/process", data={"url": "http://x.test/"}).text
    assert ADVICE[UnusableThing.code] in page

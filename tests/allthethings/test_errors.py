"""Codes: whole, stable and worth another try where they say so."""

from __future__ import annotations

import copy

import pytest

from allthethings.errors import (
    TRY_LATER,
    ErrorCode,
    IndexingError,
    NoSuchAsset,
    RequestRefused,
    ServiceUnavailable,
    UnusableThing,
    code_of_status,
)
from guardedfetch import FetchCode, FetchError


def descendants(root: type[FetchError]) -> list[type[FetchError]]:
    return [each for one in root.__subclasses__() for each in (one, *descendants(one))]


def test_codes_are_words_of_their_own() -> None:
    for code in ErrorCode:
        assert code.value == code.name.lower()


def test_every_fetch_error_has_a_code_that_the_app_knows() -> None:
    errors = descendants(FetchError)
    assert {error.code for error in errors} == set(FetchCode)
    for error in errors:
        assert ErrorCode(error.code.value).retryable is not error.permanent


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, ErrorCode.SERVER_UNAVAILABLE) for status in (500, 502, 503, 408, 425, 429)),
        *((status, ErrorCode.NOT_FOUND) for status in (404, 410)),
        *((status, ErrorCode.ACCESS_DENIED) for status in (401, 402, 403, 407, 451)),
        *((status, ErrorCode.SERVER_REFUSED) for status in (304, 400, 418)),
    ],
)
def test_what_a_status_means(status: int, code: ErrorCode) -> None:
    assert code_of_status(status) is code
    assert code.retryable is (code is ErrorCode.SERVER_UNAVAILABLE)


def test_an_error_has_its_own_code_or_its_class_code() -> None:
    assert NoSuchAsset().code is ErrorCode.NO_SUCH_ASSET
    assert RequestRefused("no").code is ErrorCode.REQUEST_REFUSED
    assert UnusableThing("slow", ErrorCode.TOO_SLOW).retryable
    assert UnusableThing("slow").code is ErrorCode.DOCUMENT_UNREADABLE


def test_an_error_keeps_its_code_between_processes() -> None:
    error: IndexingError = copy.copy(UnusableThing("slow", ErrorCode.TOO_SLOW))  # as pickle does
    assert (str(error), error.code) == ("slow", ErrorCode.TOO_SLOW)


def test_who_is_refused_learns_whether_to_come_again() -> None:
    busy = UnusableThing("The server answered 503.", ErrorCode.SERVER_UNAVAILABLE)
    assert busy.refusal == f"The server answered 503. {TRY_LATER}"
    away = ServiceUnavailable("MongoDB", "no answer")
    assert away.refusal == f"MongoDB is not available: no answer. {TRY_LATER}"
    gone = UnusableThing("There is nothing at this URL.", ErrorCode.NOT_FOUND)
    assert gone.refusal == "There is nothing at this URL."

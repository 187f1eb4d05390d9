"""Every error tells a person what to do."""

from __future__ import annotations

import pytest

from allthethings.assets.asset import FAILED
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.web.advice import ADVICE, BY_STAGE, TRY_LATER, with_prospect


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_advice(code: ErrorCode) -> None:
    advice = ADVICE[code]
    assert advice[0].isupper()
    assert advice.endswith((".", "?"))


def test_every_stage_has_advice() -> None:
    assert set(BY_STAGE) == FAILED


def test_who_is_refused_learns_whether_to_come_again() -> None:
    busy = UnusableThing("The server answered 503.", ErrorCode.SERVER_UNAVAILABLE)
    gone = UnusableThing("There is nothing at this URL.", ErrorCode.NOT_FOUND)
    assert with_prospect(busy) == f"The server answered 503. {TRY_LATER}"
    assert with_prospect(gone) == "There is nothing at this URL."

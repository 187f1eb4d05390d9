"""Every error tells a person what to do."""

from __future__ import annotations

import pytest

from allthethings.assets.asset import FAILED
from allthethings.errors import ErrorCode
from allthethings.web.advice import ADVICE, BY_STAGE


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_advice(code: ErrorCode) -> None:
    advice = ADVICE[code]
    assert advice[0].isupper()
    assert advice.endswith((".", "?"))


def test_every_stage_has_advice() -> None:
    assert set(BY_STAGE) == FAILED

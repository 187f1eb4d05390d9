"""What the tests of the app's rooms share."""

from __future__ import annotations

import pytest

from allthethings.processors import preload, sandbox


@pytest.fixture(scope="session", autouse=True)
def _parsers() -> None:
    """Parsers are imported once, as in the app, and not by the process of each document."""
    sandbox.preload(preload())

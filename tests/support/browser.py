"""The mark of tests that need a browser."""

from __future__ import annotations

import pytest

from tools.harness.chromium import browser_wanted

needs_browser = pytest.mark.skipif(
    not browser_wanted(), reason="BROWSER=no: browser tests were not asked for"
)

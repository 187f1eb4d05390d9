"""The Chromium of the browser tests: $CHROMIUM, or one on the PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = """\
The browser tests need Chromium, and there is none.
Debian, Ubuntu: apt install chromium. Elsewhere: make test CHROMIUM=/path/to/chromium
To run all other tests: make test BROWSER=no"""


def find_chromium() -> str | None:
    """The path of the program, or None when there is none."""
    wanted = os.environ.get("CHROMIUM")
    names = (wanted,) if wanted else NAMES
    return next(filter(None, map(shutil.which, names)), None)


def browser_wanted() -> bool:
    """Whether the browser tests are to run: BROWSER=no leaves them out."""
    return os.environ.get("BROWSER", "yes") != "no"


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The browser, quiet by itself. Raises RuntimeError, in words, if there is none."""
    chromium = find_chromium()
    if chromium is None:
        raise RuntimeError(MISSING)
    flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__" and browser_wanted() and find_chromium() is None:
    sys.exit(MISSING)

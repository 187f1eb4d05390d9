"""The Chromium of the browser tests: $CHROMIUM, or one on the PATH."""

from __future__ import annotations

import os
import shutil
import sys

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


if __name__ == "__main__" and browser_wanted() and find_chromium() is None:
    sys.exit(MISSING)

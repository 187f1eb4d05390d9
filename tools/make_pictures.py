"""Take the README's pictures of a running copy: python tools/make_pictures.py ADDRESS

Index the examples first. Needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.chromium import MISSING, find_chromium

DOCS = Path(__file__).resolve().parents[1] / "docs"
QUERY = "self-healing masonry of antiquity"


def main(address: str) -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        page.goto(address)
        page.screenshot(path=DOCS / "home.png")
        page.goto(f"{address}/search?query={QUERY}")
        page.screenshot(path=DOCS / "search.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
